"""The list of zones, one zone with everything known of it, and its safe verbs."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import Max, Prefetch, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from apps.accounts.pages import page
from apps.accounts.selectors import has_permission
from apps.base import live
from apps.base.errors import NotFound
from apps.configs.models import ExportedConfig
from apps.conflicts.models import Conflict
from apps.conflicts.sentences import conflict_sentence, hostids_in
from apps.conflicts.wording import silence
from apps.fleet.models import Host
from apps.fleet.selectors import host_names, hosts_by_owner_hostid, is_silent
from apps.forced_actions.models import ForcedAction
from apps.forced_actions.selectors import open_forced_action, why_zone_is_blocked
from apps.history.selectors import events_about
from apps.jobs.models import Job
from apps.jobs.selectors import jobs_visible_to
from apps.zones.models import Placement, Reading, Zone
from apps.zones.presentation import acts_on, host_data_of, may_migrate, why_only_stopping
from apps.zones.selectors import placements_present, readings_of, sightings_of, timeline_of, zones_visible_to
from apps.zones.sentences import verdict_sentence
from apps.zones.services import run_verb
from apps.zones.timeline import timeline
from kernelzone.facts import NAMES_OWNER
from kernelzone.ownership import weight

ZONES_A_PAGE: Final = 100
VERDICTS: Final = ("contradictory", "held-elsewhere", "unreadable", "unknown", "hidden", "ours", "free")
_OPEN_CONFLICTS: Final = Prefetch(
    "conflicts", Conflict.objects.filter(resolved_at=None).select_related("host"), to_attr="open_conflicts"
)


@require_safe
@page("zones.view")
def list_zones(request: HttpRequest) -> HttpResponse:
    """Return the zones, by verdict, text and whether a conflict is open."""
    chosen = {name: request.GET.get(name, "").strip()[:80] for name in ("verdict", "q", "conflict")}
    everything = zones_visible_to(request.user)
    counted = Counter(everything.order_by().values_list("verdict", flat=True))
    zones = _narrowed(everything, chosen).prefetch_related(
        _OPEN_CONFLICTS,
        Prefetch("placements", Placement.objects.filter(gone_at=None).select_related("host"), to_attr="present"),
        "boot_storages",
    )
    shown = Paginator(zones, ZONES_A_PAGE).get_page(request.GET.get("page"))
    owners = hosts_by_owner_hostid(zone.owner_hostid for zone in shown if zone.owner_hostid)
    context = {
        "page": shown,
        "owners": owners,
        "chosen": chosen,
        "verdicts": [(verdict, counted[verdict]) for verdict in VERDICTS if counted[verdict]],
        "total": sum(counted.values()),
        "query": _query(request),
        "every": "5s",
    }
    return live.show(request, "zones/list.html", "zones/_list.html", context)


def _narrowed(zones: QuerySet[Zone], chosen: dict[str, str]) -> QuerySet[Zone]:
    if chosen["verdict"] in VERDICTS:
        zones = zones.filter(verdict=chosen["verdict"])
    if chosen["conflict"]:
        zones = zones.filter(conflicts__resolved_at=None, conflicts__isnull=False).distinct()
    if chosen["q"]:
        text = chosen["q"]
        found = Q(name__icontains=text) | Q(boot_storages__uri__icontains=text) | Q(owner_hostid=text.lower())
        zones = zones.filter(found | Q(placements__host__hostname__icontains=text)).distinct()
    return zones


def _query(request: HttpRequest) -> str:
    query = request.GET.copy()
    query.pop("page", None)
    return query.urlencode()


@require_safe
@page("zones.view")
def show_zone(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Return one zone with everything known of it. Raises: NotFound."""
    zone = zones_visible_to(request.user).filter(pk=pk).first()
    if zone is None:
        raise NotFound()
    return live.show(request, "zones/page.html", "zones/_live.html", _zone_context(request, zone))


def _zone_context(request: HttpRequest, zone: Zone) -> dict[str, Any]:
    now = timezone.now()
    intervals = list(timeline_of(zone))
    owners = hosts_by_owner_hostid({zone.owner_hostid, *(interval.owner_hostid for interval in intervals)} - {""})
    owner = owners.get(zone.owner_hostid)
    blocked = why_zone_is_blocked(zone)
    may_run = has_permission(request.user, "zones.run")
    actions = list(ForcedAction.objects.filter(zone=zone).select_related("target", "requested_by")[:10])
    names = {hostid: str(host) for hostid, host in owners.items()}
    return {
        "zone": zone,
        "owner": owner,
        "sentence": verdict_sentence(zone, str(owner) if owner else zone.owner_hostid),
        "silence": _silence(owner, now),
        "conflicts": _conflicts_of(zone),
        "open_action": open_forced_action(zone),
        "actions": actions,
        "blocked": blocked,
        "placements": [_placement(one, zone, may_run and not blocked, now) for one in placements_present([zone])],
        "is_owner_missing": owner is not None and not zone.placements.filter(host=owner, gone_at=None).exists(),
        "timeline": timeline(intervals, names, now, _forced_moments(actions)),
        "host_data": _host_data(zone),
        "sightings": list(sightings_of(zone)),
        "readings": list(readings_of(zone)[:12]),
        "configurations": _configurations(zone),
        "storages": list(zone.boot_storages.all()),
        "jobs": _jobs_of(request, zone),
        "events": list(events_about("zone", zone.pk)[:12]),
        "now": now,
        "every": "3s",
    }


def _silence(owner: Host | None, now: datetime) -> str:
    if owner is None or not is_silent(owner, now):
        return ""
    return silence(owner, now)


def _conflicts_of(zone: Zone) -> list[tuple[Conflict, str]]:
    found = list(zone.conflicts.filter(resolved_at=None).select_related("zone", "host"))
    names = host_names(hostid for one in found for hostid in hostids_in(one))
    return [(one, conflict_sentence(one, names)) for one in found]


def _placement(placement: Placement, zone: Zone, may_run: bool, now: datetime) -> dict[str, Any]:
    return {
        "row": placement,
        "is_owner": placement.host.owner_hostid == zone.owner_hostid,
        "is_silent": is_silent(placement.host, now),
        "acts": acts_on(placement, zone) if may_run else [],
        "may_migrate": may_run and may_migrate(placement, zone),
        "why_nothing": why_only_stopping(placement, zone) if may_run else "",
    }


def _forced_moments(actions: list[ForcedAction]) -> list[tuple[datetime, str]]:
    return [(one.ended_at, f"{one.kind}: {one.state}") for one in actions if one.ended_at and one.state == "done"]


def _host_data(zone: Zone) -> Any:
    """Return the reading that is believed: the present interval's when there is one, else the newest."""
    seen = list(sightings_of(zone))
    named = [one.reading for one in seen if one.reading.status in NAMES_OWNER and one.reading.record_sha256]
    chosen: Reading | None = max(named, key=_weight, default=None)
    if chosen is None and seen:
        chosen = seen[0].reading
    return host_data_of(chosen) if chosen else None


def _weight(reading: Reading) -> tuple[tuple[bool, int, int], datetime]:
    return weight(reading.status, reading.generation, reading.facts["at"]), reading.recorded_at


def _configurations(zone: Zone) -> list[ExportedConfig]:
    """Return the newest version of each host's configuration."""
    newest = ExportedConfig.objects.filter(zone=zone).values("host").annotate(newest=Max("version"))
    wanted = Q()
    for row in newest:
        wanted |= Q(host=row["host"], version=row["newest"])
    return list(ExportedConfig.objects.filter(wanted, zone=zone).select_related("host")) if wanted else []


def _jobs_of(request: HttpRequest, zone: Zone) -> list[Job]:
    about = Q(subject_kind="zone", subject_id=str(zone.pk))
    if zone.zone_uuid:
        about |= Q(zone_uuid=zone.zone_uuid)
    return list(jobs_visible_to(request.user).filter(about).order_by("-created_at")[:8])


@require_POST
@page("zones.view", noun="zone", subject="pk")
def run_zone_verb(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Return to the zone once the job that runs the verb was made. Raises: what `run_verb` raises."""
    verb, owner_hostid = request.POST.get("verb", ""), request.POST.get("owner_hostid", "")
    job = run_verb(pk, verb=verb, owner_hostid=owner_hostid, actor=request.user)
    messages.success(request, f"{verb.replace('-', ' ').capitalize()} {job.zone_name} on {job.host} is on its way.")
    return redirect("job", job.pk)
