"""The overview: what needs a person now, the whole fleet at a glance, and how the site itself is."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, NamedTuple
from uuid import UUID

from django.db.models import Count
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_safe

from apps.accounts.pages import page
from apps.base import live
from apps.conflicts.models import Conflict
from apps.conflicts.selectors import open_conflicts
from apps.conflicts.sentences import conflict_sentence
from apps.fleet.selectors import agents_needing_somebody, hosts_with_silence
from apps.zones.models import Zone
from kzfleet.pages.control_plane import control_plane
from kzfleet.pages.fleet_map import FleetMap, map_of
from kzfleet.pages.for_me import ForMe, for_me
from kzfleet.pages.navigation import Counts, note_counts

ZONES_SHOWN: Final = 8
_VERDICT_ORDER: Final = ("contradictory", "held-elsewhere", "unreadable", "unknown", "hidden", "ours", "free")


class Need(NamedTuple):
    """One zone that needs a person: its worst severity, and its open conflicts with a sentence each."""

    zone: Zone
    worst: int
    conflicts: list[tuple[Conflict, str]]


@require_safe
@page("fleet.view")
def show_overview(request: HttpRequest) -> HttpResponse:
    """Return the overview; at most 15 queries, whatever the number of hosts."""
    return live.show(request, "overview/page.html", "overview/_live.html", _context(request))


def _context(request: HttpRequest) -> dict[str, Any]:
    now = timezone.now()
    conflicts = list(open_conflicts(request.user))
    mine = for_me(request.user, now)
    agents = list(agents_needing_somebody(request.user))
    note_counts(request, Counts(len(conflicts), len(mine.to_decide), len(agents)))
    hosts = list(hosts_with_silence(request.user, now).order_by("site", "rack", "hostname", "owner_hostid"))
    silent = [host for host in hosts if host.is_silent]  # type: ignore[attr-defined]
    needs = _needs(conflicts, {host.owner_hostid: str(host) for host in hosts})
    fleet = map_of(hosts, {need.zone.pk: need.worst for need in needs})
    return {
        "headline": _headline(len(needs), mine, len(silent), len(hosts), len(agents)),
        "needs": needs[:ZONES_SHOWN],
        "more_zones": max(0, len(needs) - ZONES_SHOWN),
        "mine": mine,
        "agents": agents,
        "fleet": fleet,
        "hosts": len(hosts),
        "silent": silent,
        "verdicts": _verdicts(),
        "health": control_plane(hosts, now),
        "now": now,
        "every": _every(fleet),
    }


def _needs(conflicts: Iterable[Conflict], names: dict[str, str]) -> list[Need]:
    """Return the zones with open conflicts, the worst first as the conflicts are."""
    found: dict[UUID, list[tuple[Conflict, str]]] = {}
    for conflict in conflicts:
        found.setdefault(conflict.zone_id, []).append((conflict, conflict_sentence(conflict, names)))
    return [Need(seen[0][0].zone, max(one.severity for one, _ in seen), seen) for seen in found.values()]


def _headline(zones: int, mine: ForMe, silent: int, hosts: int, agents: int) -> str:
    parts = []
    if mine.to_decide:
        parts.append(
            f"{_many(len(mine.to_decide), 'request')} {'waits' if len(mine.to_decide) == 1 else 'wait'} for you"
        )
    if zones:
        parts.append(f"{_many(zones, 'zone')} {'needs' if zones == 1 else 'need'} a person")
    if agents:
        parts.append(f"{_many(agents, 'agent')} {'waits' if agents == 1 else 'wait'} for a decision")
    if silent:
        parts.append(f"{silent} of {_many(hosts, 'host')} {'is' if silent == 1 else 'are'} silent")
    if not hosts and not agents:
        return "No host is known yet."
    return f"{', '.join(parts)}.".capitalize() if parts else "Nothing needs a person now."


def _many(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _verdicts() -> list[tuple[str, int]]:
    rows = Zone.objects.filter(retired_at=None).order_by().values_list("verdict").annotate(zones=Count("pk"))
    counted = dict(rows)
    return [(verdict, counted[verdict]) for verdict in _VERDICT_ORDER if verdict in counted]


def _every(fleet: FleetMap) -> str:
    """Return how often the page asks again: a large fleet is rendered less often."""
    return {"roomy": "3s", "dense": "10s", "tiny": "30s"}[fleet.density]
