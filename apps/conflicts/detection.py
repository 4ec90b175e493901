"""Opening, keeping and closing conflicts of the zones a report touched, in the transaction that took it in."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from django.conf import settings

from apps.conflicts.models import Conflict
from apps.conflicts.policy import (
    SEVERITY,
    Found,
    PlacementSeen,
    SightingSeen,
    ZoneSeen,
    conflicts_of,
    truth_of,
)
from apps.history.actors import Actor, part
from apps.history.services import append
from apps.jobs.models import Job
from apps.zones.models import Placement, Sighting, Zone
from apps.zones.selectors import facts_of
from kernelzone.orders import KINDS, Effect

_CONTROL: Final[Actor] = part("control")
_FORCED_KINDS: Final = [kind.value for kind, rules in KINDS.items() if rules.effect is Effect.FORCED]


def find_conflicts(zone_ids: Iterable[UUID], now: datetime) -> None:
    """The open conflicts of these zones are those their newest readings prove; each change is an event."""
    zones = list(Zone.objects.filter(pk__in=set(zone_ids)).order_by("pk"))
    open_by_zone: dict[UUID, dict[str, Conflict]] = {zone.pk: {} for zone in zones}
    for row in Conflict.objects.select_for_update().filter(zone__in=zones, resolved_at=None).order_by("pk"):
        open_by_zone[row.zone_id][row.kind] = row
    kept: list[Conflict] = []
    for seen in _zones_seen(zones, now):
        kept += _compare(seen, conflicts_of(seen), open_by_zone[seen.zone], now)
    Conflict.objects.bulk_update(kept, ["last_seen_at", "host", "reading", "facts"], batch_size=200)


def _compare(seen: ZoneSeen, found: list[Found], known: dict[str, Conflict], now: datetime) -> list[Conflict]:
    """Open and close what differs; return the conflicts that were seen again, brought up to date."""
    kept = []
    for one in found:
        row = known.pop(one.kind, None)
        if row is None:
            _open(seen, one, now)
        else:
            row.last_seen_at, row.host_id, row.reading_id, row.facts = now, one.host, one.reading, one.facts
            kept.append(row)
    for row in known.values():
        _resolve(row, seen, now)
    return kept


def _open(seen: ZoneSeen, found: Found, now: datetime) -> None:
    conflict = Conflict.objects.create(
        kind=found.kind,
        zone_id=seen.zone,
        severity=SEVERITY[found.kind],
        host_id=found.host,
        reading_id=found.reading,
        facts=found.facts,
        opened_at=now,
        last_seen_at=now,
    )
    append("conflict.open", actor=_CONTROL, subjects=_subjects(conflict), data={"kind": found.kind, **found.facts})


def _resolve(conflict: Conflict, seen: ZoneSeen, now: datetime) -> None:
    conflict.resolved_at = now
    conflict.resolved_how = _how(seen)
    conflict.save(update_fields=["resolved_at", "resolved_how"])
    data = {"kind": conflict.kind, "how": conflict.resolved_how}
    append("conflict.resolve", actor=_CONTROL, subjects=_subjects(conflict), data=data)


def _how(seen: ZoneSeen) -> str:
    truth = truth_of(seen)
    if truth is not None and (truth[1].warrant_sha256 or "") in seen.warranted:
        return "an approved forced action"
    return "the newest readings contradict it no more"


def _subjects(conflict: Conflict) -> list[tuple[str, str]]:
    return [("conflict", str(conflict.pk)), ("zone", str(conflict.zone_id))]


def _zones_seen(zones: list[Zone], now: datetime) -> Iterable[ZoneSeen]:
    placements = _placements(zones, now)
    sightings = _sightings(zones)
    warranted = _warranted(sightings)
    for zone in zones:
        yield ZoneSeen(zone.pk, tuple(placements.get(zone.pk, ())), tuple(sightings.get(zone.pk, ())), warranted)


def _placements(zones: list[Zone], now: datetime) -> dict[UUID, list[PlacementSeen]]:
    silent_since = now - timedelta(seconds=settings.HOST_SILENT_AFTER_S)
    found: dict[UUID, list[PlacementSeen]] = {}
    for row in Placement.objects.filter(zone__in=zones, gone_at=None).select_related("host").order_by("pk"):
        heard_at = row.host.last_heard_at
        seen = PlacementSeen(
            row.host_id,
            row.host.owner_hostid,
            row.state,
            tuple(row.auxiliary),
            row.state_since,
            row.last_seen_at,
            is_silent=heard_at is None or heard_at < silent_since,
        )
        found.setdefault(row.zone_id, []).append(seen)
    return found


def _sightings(zones: list[Zone]) -> dict[UUID, list[SightingSeen]]:
    found: dict[UUID, list[SightingSeen]] = {}
    rows = Sighting.objects.filter(storage__zone__in=zones).select_related("reading", "host")
    for row in rows.order_by("-confirmed_at", "pk"):
        seen = SightingSeen(row.host_id, row.host.owner_hostid, row.reading_id, row.confirmed_at, facts_of(row.reading))
        found.setdefault(row.reading.zone_id, []).append(seen)
    return found


def _warranted(sightings: dict[UUID, list[SightingSeen]]) -> frozenset[str]:
    """Return those warrant digests in the host data read that belong to orders the signer has signed."""
    records = (one.facts.record for seen in sightings.values() for one in seen)
    named: set[Any] = {record.warrant_sha256 for record in records if record is not None} - {None}
    if not named:
        return frozenset()
    rows = Job.objects.filter(kind__in=_FORCED_KINDS, payload_sha256__in=named)
    return frozenset(rows.values_list("payload_sha256", flat=True))
