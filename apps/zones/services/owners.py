"""What the newest readings prove about a zone: its verdict, its owner, and since when."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final, NamedTuple
from uuid import UUID

from django.db.models import F

from apps.base.bulk import update_each
from apps.history.actors import Actor, part
from apps.history.services import append
from apps.zones.bulk import parts, rows_in
from apps.zones.models import BootStorage, OwnershipInterval, Placement, Reading, Sighting, Zone
from apps.zones.selectors import facts_of
from apps.zones.services.readings import Recorded
from kernelzone.facts import NAMES_OWNER, ReadingFacts
from kernelzone.ownership import is_over, verdict, weight

_CONTROL: Final[Actor] = part("control")
# what follows from readings and placements
_FOLLOWS: Final = ("name", "high_water", "verdict", "owner_hostid", "retired_at")


def settle_owners(zone_ids: Iterable[UUID], recorded: Sequence[Recorded], *, now: datetime) -> None:
    """Verdict, owner, high-water mark, name and timeline of these zones follow from what is known of them now."""
    # NO KEY UPDATE: a row that names the zone may be inserted meanwhile, by whoever holds a conflict we lock later
    rows = Zone.objects.select_for_update(no_key=True).order_by("pk")
    zones = list(rows_in(rows, "pk", sorted(zone_ids)))
    known = _known(zones, recorded)
    timeline = _Timeline([], [])
    before = {zone.pk: _kept(zone) for zone in zones}
    for zone in zones:
        _settle(zone, known, timeline, now)
    _save(zones, before, now)
    OwnershipInterval.objects.filter(pk__in=timeline.ended).update(until=now)
    OwnershipInterval.objects.bulk_create(timeline.begun)


class _Placed(NamedTuple):
    """What counts of one placement here."""

    zone_id: UUID
    name: str
    state: str
    owner_hostid: str
    state_since: datetime


class _Known(NamedTuple):
    """What is known of some zones, by zone. `highest`: the highest verified generation among the newest readings."""

    readings: dict[UUID, dict[Reading, ReadingFacts]]
    placements: dict[UUID, list[_Placed]]
    present: dict[UUID, OwnershipInterval]
    highest: dict[UUID, int]
    has_storage: set[UUID]


class _Timeline(NamedTuple):
    ended: list[int]
    begun: list[OwnershipInterval]


def _known(zones: Sequence[Zone], recorded: Sequence[Recorded]) -> _Known:
    ids = [zone.pk for zone in zones]
    placements: dict[UUID, list[_Placed]] = {}
    here = Placement.objects.filter(gone_at=None)
    for some in parts(ids):
        for found in here.filter(zone__in=some).values_list(
            "zone", "name", "state", "host__owner_hostid", "state_since"
        ):
            placements.setdefault(found[0], []).append(_Placed._make(found))
    present = {row.zone_id: row for row in rows_in(OwnershipInterval.objects.filter(until=None), "zone", ids)}
    storages = BootStorage.objects.order_by()
    has_storage = {
        zone for some in parts(ids) for zone in storages.filter(zone__in=some).values_list("zone", flat=True)
    }
    return _Known(_readings(ids, recorded), placements, present, _highest_generations(recorded), has_storage)


def _readings(zone_ids: Sequence[UUID], recorded: Sequence[Recorded]) -> dict[UUID, dict[Reading, ReadingFacts]]:
    """Return the newest readings of each zone, and what they say; those recorded just now are not fetched again."""
    # a reading from before the boot storage moved to this zone says nothing about it
    ours = Sighting.objects.filter(reading__zone=F("storage__zone"))
    newest = [
        pk for some in parts(zone_ids) for pk in ours.filter(storage__zone__in=some).values_list("reading", flat=True)
    ]
    known = {one.row.pk: one for one in recorded}
    older = rows_in(Reading.objects.all(), "pk", (pk for pk in newest if pk not in known))
    known |= {row.pk: Recorded(row, facts_of(row)) for row in older}
    found: dict[UUID, dict[Reading, ReadingFacts]] = {}
    for pk in newest:
        row, facts = known[pk]
        found.setdefault(row.zone_id, {})[row] = facts
    return found


def _settle(zone: Zone, known: _Known, timeline: _Timeline, now: datetime) -> None:
    placements = known.placements.get(zone.pk, [])
    facts = {row: seen for row, seen in known.readings.get(zone.pk, {}).items() if not is_over(seen, placements)}
    truth = _truth(facts)
    owner = truth.owner_hostid if truth else ""
    # "ours" for a zone as a whole: the owner has it configured, as far as we were told
    has_it = any(row.owner_hostid == owner and row.state != "configured" for row in placements)
    zone.verdict = verdict(facts.values(), owner if has_it else "")
    zone.high_water = max(zone.high_water, known.highest.get(zone.pk, 0))
    _name(zone, placements)
    _retire(zone, has_storage=zone.pk in known.has_storage, is_configured=bool(placements), now=now)
    if truth is None:
        return
    zone.owner_hostid = owner
    begun = _next_interval(truth, facts[truth], known.present.get(zone.pk), now)
    if begun is not None:
        _begin(begun, known.present.get(zone.pk), timeline)


def _name(zone: Zone, placements: Sequence[_Placed]) -> None:
    """A zone is called what hosts call it: another name only when none of them uses the present one any more."""
    names = Counter(row.name for row in placements)
    if not names or zone.name in names:
        return
    most = max(names.values())
    before, zone.name = zone.name, min(name for name, count in names.items() if count == most)
    data = {"from": before, "to": zone.name}
    append("zone.renamed", actor=_CONTROL, subjects=[("zone", str(zone.pk))], data=data)


def _retire(zone: Zone, *, has_storage: bool, is_configured: bool, now: datetime) -> None:
    """A zone that no host configures is shown no more when its storage is another's, or nobody ever read it."""
    is_left = not is_configured and (not has_storage or zone.zone_uuid is None)
    if not is_left:
        zone.retired_at = None
    elif zone.retired_at is None:
        zone.retired_at = now


def _kept(zone: Zone) -> tuple[object, ...]:
    return tuple(getattr(zone, name) for name in _FOLLOWS)


def _save(zones: Sequence[Zone], before: dict[UUID, tuple[object, ...]], now: datetime) -> None:
    changed = [zone for zone in zones if _kept(zone) != before[zone.pk]]
    update_each(changed, _FOLLOWS)
    for some in parts(zone.pk for zone in zones):
        Zone.objects.filter(pk__in=some).update(verdict_at=now)


def _truth(facts: dict[Reading, ReadingFacts]) -> Reading | None:
    """Return the reading that is believed of the owner, None when nothing is.

    The CLEAN one of the highest generation; else the newest that an attach on Solaris amounts to.
    """
    named = [row for row, seen in facts.items() if seen.status in NAMES_OWNER and seen.record is not None]
    return max(
        named,
        key=lambda row: (weight(row.status, row.generation, facts[row].at), row.recorded_at),
        default=None,
    )


def _next_interval(
    truth: Reading, facts: ReadingFacts, present: OwnershipInterval | None, now: datetime
) -> OwnershipInterval | None:
    """Return the stretch of time that begins with this reading, None when it says what was so already."""
    if facts.record is None or (present is not None and truth.generation < present.generation):
        return None
    says = (truth.owner_hostid, facts.record.state, "forced" in facts.record.flags)
    if present is not None and (present.owner_hostid, present.state, present.is_forced) == says:
        return None
    owner_hostid, state, is_forced = says
    return OwnershipInterval(
        zone_id=truth.zone_id,
        owner_hostid=owner_hostid,
        state=state,
        generation=truth.generation,
        is_forced=is_forced,
        since=now,
        reading=truth,
    )


def _begin(begun: OwnershipInterval, present: OwnershipInterval | None, timeline: _Timeline) -> None:
    timeline.begun.append(begun)
    if present is None:
        return
    timeline.ended.append(present.pk)
    if present.owner_hostid != begun.owner_hostid:
        append(
            "zone.owner-changed",
            actor=_CONTROL,
            subjects=[("zone", str(begun.zone_id))],
            data={
                "from": present.owner_hostid,
                "to": begun.owner_hostid,
                "generation": begun.generation,
                "reading": begun.reading.nonce,
            },
        )


def _highest_generations(recorded: Iterable[Recorded]) -> dict[UUID, int]:
    highest: dict[UUID, int] = {}
    for row, _ in recorded:
        # a header can be forged without the key: only a verified record raises the mark
        if row.record_sha256:
            highest[row.zone_id] = max(highest.get(row.zone_id, 0), row.generation)
    return highest
