"""One field that finds anything by a piece of its name, or by the beginning of its id or digest."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final, NamedTuple
from uuid import UUID

from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_safe

from apps.accounts.pages import page
from apps.accounts.selectors import has_permission
from apps.base.badges import badge_of
from apps.conflicts.selectors import open_conflicts
from apps.fleet.selectors import hosts_visible_to
from apps.forced_actions.selectors import forced_actions_visible_to
from apps.history.models import Event
from apps.jobs.selectors import jobs_visible_to
from apps.zones.models import Reading
from apps.zones.selectors import zones_visible_to

LONGEST: Final = 200
SHOWN: Final = 20
_DIGEST = re.compile(r"[0-9a-f]{8,64}\Z")
_EVENT = re.compile(r"#?([0-9]{1,15})\Z")


class Found(NamedTuple):
    """One thing that was found: its kind, what it is called, a line about it, its address."""

    kind: str
    name: str
    about: str
    path: str


@require_safe
@page()
def show_search(request: HttpRequest) -> HttpResponse:
    """Return what the text finds; a single finding is gone to at once."""
    text = request.GET.get("q", "").strip()[:LONGEST]
    found = [one for search in SEARCHES for one in search(request.user, text)] if text else []
    if len(found) == 1:
        return redirect(found[0].path)
    return render(request, "search/page.html", {"find": text, "found": found, "shown": SHOWN})


def _zones(user: Any, text: str) -> list[Found]:
    uuid = _uuid(text)
    by = Q(name__icontains=text) | Q(boot_storages__uri__icontains=text) | Q(boot_storages__identity__icontains=text)
    if uuid:
        by |= Q(zone_uuid=uuid) | Q(pk=uuid)
    zones = zones_visible_to(user).filter(by).distinct()[:SHOWN]
    return [
        Found("zone", zone.name, badge_of("verdict", zone.verdict).label, reverse("zone", args=[zone.pk]))
        for zone in zones
    ]


def _hosts(user: Any, text: str) -> list[Found]:
    by = Q(hostname__icontains=text) | Q(owner_hostid__startswith=text.lower()) | Q(rack__iexact=text)
    hosts = hosts_visible_to(user).filter(by)[:SHOWN]
    return [Found("host", str(host), host.owner_hostid, reverse("host", args=[host.owner_hostid])) for host in hosts]


def _conflicts(user: Any, text: str) -> list[Found]:
    by = Q(zone__name__icontains=text) | Q(kind=text.lower().replace(" ", "-"))
    conflicts = open_conflicts(user).filter(by)[:SHOWN]
    return [
        Found("conflict", f"{one.zone.name}: {one.get_kind_display()}", "open", reverse("conflict", args=[one.pk]))
        for one in conflicts
    ]


def _forced_actions(user: Any, text: str) -> list[Found]:
    by = Q(zone__name__icontains=text) | Q(ticket__iexact=text)
    if uuid := _uuid(text):
        by |= Q(pk=uuid)
    if _DIGEST.match(text.lower()):
        by |= Q(evidence_sha256__startswith=text.lower())
    actions = forced_actions_visible_to(user).filter(by)[:SHOWN]
    return [
        Found("forced action", f"{one.kind} of {one.zone.name}", one.state, reverse("forced_action", args=[one.pk]))
        for one in actions
    ]


def _readings(user: Any, text: str) -> list[Found]:
    if not _DIGEST.match(text.lower()) or not has_permission(user, "zones.view"):
        return []
    by = Q(raw_sha256__startswith=text.lower()) | Q(record_sha256__startswith=text.lower()) | Q(nonce=text.lower())
    rows = Reading.objects.filter(by).select_related("zone", "host").order_by("-recorded_at")[:SHOWN]
    return [
        Found("reading", f"{one.zone.name}, generation {one.generation}", f"by {one.host}", _zone_path(one))
        for one in rows
    ]


def _zone_path(reading: Reading) -> str:
    return reverse("zone", args=[reading.zone_id])


def _jobs(user: Any, text: str) -> list[Found]:
    uuid = _uuid(text)
    if uuid is None:
        return []
    jobs = jobs_visible_to(user).filter(pk=uuid)
    return [Found("job", f"{job.kind} {job.zone_name}", job.state, reverse("job", args=[job.pk])) for job in jobs]


def _events(user: Any, text: str) -> list[Found]:
    numbered = _EVENT.match(text)
    if not numbered or not has_permission(user, "history.view"):
        return []
    events = Event.objects.filter(seq=int(numbered[1]))
    return [
        Found("event", f"#{one.seq} {one.type}", one.actor_name, reverse("event", args=[one.seq])) for one in events
    ]


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


SEARCHES: Final[tuple[Callable[[Any, str], list[Found]], ...]] = (
    _zones,
    _hosts,
    _conflicts,
    _forced_actions,
    _readings,
    _jobs,
    _events,
)
