"""The resources of the API, collected from each app's `ROUTES`."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import Any, Final

from rest_framework.routers import SimpleRouter

APPS: Final = (
    "apps.history",
    "apps.accounts",
    "apps.fleet",
    "apps.jobs",
    "apps.zones",
    "apps.configs",
    "apps.conflicts",
    "apps.forced_actions",
    "apps.integrations",
)

# The noun of a resource in event types, where it is not the resource without its last letter.
NOUNS: Final = {"boot-storage": "boot-storage"}


def register(router: SimpleRouter, app: str) -> None:
    """Put the resources of one app on `router`; an app without an `api.py` has none."""
    if find_spec(f"{app}.api") is None:
        return
    routes: list[tuple[str, Any]] = import_module(f"{app}.api").ROUTES
    for prefix, viewset in routes:
        router.register(prefix, viewset, basename=NOUNS.get(prefix, prefix.removesuffix("s")))


def make_router() -> SimpleRouter:
    """Return the router of every resource, without trailing slashes."""
    router = SimpleRouter(trailing_slash=False)
    for app in APPS:
        register(router, app)
    return router


def surface(router: SimpleRouter) -> list[str]:
    """Return one line `METHOD /path action permission` per verb, sorted; MISSING stands for no permission."""
    lines = []
    for prefix, viewset, _ in router.registry:
        lookup = router.get_lookup_regex(viewset)
        for route in router.get_routes(viewset):
            for method, action in router.get_method_map(viewset, route.mapping).items():
                path = route.url.format(prefix=prefix, lookup=lookup, trailing_slash="")
                permission = getattr(viewset, "required_permission", {}).get(action, "MISSING")
                lines.append(f"{method.upper():6} {_readable(path, lookup)} {action} {permission}")
    return sorted(lines, key=lambda line: line.split()[1::-1])


def _readable(path: str, lookup: str) -> str:
    return "/" + path.strip("^$").replace(lookup, "{id}")
