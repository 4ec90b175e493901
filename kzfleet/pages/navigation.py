"""The rail at the side of every page: where one can go, and how much waits there."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

from apps.accounts.policy import Role
from apps.accounts.selectors import roles_of
from apps.conflicts.selectors import open_conflicts
from apps.fleet.selectors import agents_needing_somebody
from apps.forced_actions.selectors import waiting_for

PLACES: Final = (
    ("/", "Overview"),
    ("/for-me", "For me"),
    ("/conflicts", "Conflicts"),
    ("/forced-actions", "Forced actions"),
    ("/zones", "Zones"),
    ("/hosts", "Hosts"),
    ("/agents", "Agents"),
    ("/jobs", "Jobs"),
    ("/history", "History"),
)


class Entry(NamedTuple):
    """One line of the rail. waiting: how much, count_of: of what."""

    path: str
    label: str
    is_here: bool
    waiting: int = 0
    count_of: str = ""
    is_urgent: bool = False


class Counts(NamedTuple):
    """What waits, as the rail shows it."""

    conflicts: int
    for_me: int
    agents: int = 0


def navigation(request: HttpRequest) -> dict[str, Any]:
    """Return what the rail shows; asked of the database only by a page that has the rail."""
    return {
        "navigation": SimpleLazyObject(lambda: _entries(request)),
        "roles_here": SimpleLazyObject(lambda: _roles(request)),
    }


def note_counts(request: HttpRequest, counts: Counts) -> None:
    """Give the rail what the page has counted already."""
    request.navigation_counts = counts  # type: ignore[attr-defined]


def _entries(request: HttpRequest) -> list[Entry]:
    counts = getattr(request, "navigation_counts", None) or _count(request)
    numbers = {
        "/conflicts": (counts.conflicts, "open", counts.conflicts > 0),
        "/agents": (counts.agents, "waiting for somebody", counts.agents > 0),
        "/for-me": (counts.for_me, "waiting for you", counts.for_me > 0),
    }
    return [
        Entry(path, label, _is_here(request.path, path), *numbers.get(path, (0, "", False))) for path, label in PLACES
    ]


def _count(request: HttpRequest) -> Counts:
    return Counts(
        open_conflicts(request.user).count(),
        waiting_for(request.user).count(),
        agents_needing_somebody(request.user).count(),
    )


def _is_here(here: str, path: str) -> bool:
    return here == path if path == "/" else here == path or here.startswith(f"{path}/")


def _roles(request: HttpRequest) -> str:
    if not request.user.is_authenticated:
        return ""
    return ", ".join(sorted(Role(role).label for role in roles_of(request.user)))
