"""What the newest readings prove about a zone: its verdict, its owner, and since when."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final, NamedTuple
from uuid import UUID

from apps.base.bulk import insert_rows, update_rows
from apps.history.actors import Actor, part
from apps.history.services import append
from apps.zones.bulk import parts
from apps.zones.models import BootStorage, OwnershipInterval, Zone
from apps.zones.present import Placed, Present, ReadingRow, Recorded, Sighted, ZoneRow, present_of
from kernelzone.facts import NAMES_OWNER
from kernelzone.ownership import is_over, verdict, weight

_CONTROL: Final[Actor] = part("control")
# what follows from readings and placements
_FOLLOWS: Final = ("name", "high_water", "verdict", "owner_hostid", "retired_at")


def settle_owners(zone_ids: Iterable[UUID], recorded: Sequence[Recorded], *, now: datetime) -> Present:
    """Verdict, owner, high-water mark, name and timeline of these zones follow from what is known of them now.

    Return that; the zones are locked. recorded: the readings that are new.
    """
    here = present_of(zone_ids, recorded, for_update=True)
    known = _known(here, recorded)
    timeline = _Timeline([], [])
    before = {zone.pk: _kept(zone) for zone in here.zones}
    for zone in here.zones:
        _settle(zone, known, timeline, now)
    _save(here.zones, before, now)
    OwnershipInterval.objects.filter(pk__in=timeline.ended).update(until=now)
    insert_rows(OwnershipInterval, [*_Interval._fields, "until"], [(*one, None) for one in timeline.begun])
    return here


class _Interval(NamedTuple):
    """A stretch of time, by the columns of `OwnershipInterval`; `until` is open."""

    zone: UUID
    owner_hostid: str
    state: str
    generation: int
    is_forced: bool
    since: datetime
    reading: int


class _Before(NamedTuple):
    """The stretch of time that has lasted until now."""

    zone: UUID
    pk: int
    owner_hostid: str
    state: str
    generation: int
    is_forced: bool


class _Known(NamedTuple):
    """What is known of some zones, by zone. `highest`: the highest verified generation among the newest readings."""

    here: Present
    present: dict[UUID, _Before]
    highest: dict[UUID, int]
    has_storage: set[UUID]


class _Timeline(NamedTuple):
    ended: list[int]
    begun: list[_Interval]


def _known(here: Present, recorded: Sequence[Recorded]) -> _Known:
    ids = [zone.pk for zone in here.zones]
    open_ones = OwnershipInterval.objects.filter(until=None).order_by().values_list(*_Before._fields)
    present = {row[0]: _Before._make(row) for some in parts(ids) for row in open_ones.filter(zone__in=some)}
    storages = BootStorage.objects.order_by().values_list("zone", flat=True)
    has_storage = {zone for some in parts(ids) for zone in storages.filter(zone__in=some)}
    return _Known(here, present, _highest_generations(recorded), has_storage)


def _settle(zone: ZoneRow, known: _Known, timeline: _Timeline, now: datetime) -> None:
    placements = known.here.placements.get(zone.pk, [])
    sightings = [one for one in known.here.sightings.get(zone.pk, ()) if not is_over(one.facts, placements)]
    truth = _truth(sightings)
    owner = truth.row.owner_hostid if truth else ""
    # "ours" for a zone as a whole: the owner has it configured, as far as we were told
    has_it = any(row.owner_hostid == owner and row.state != "configured" for row in placements)
    zone.verdict = verdict((one.facts for one in sightings), owner if has_it else "")
    zone.high_water = max(zone.high_water, known.highest.get(zone.pk, 0))
    _name(zone, placements)
    _retire(zone, has_storage=zone.pk in known.has_storage, is_configured=bool(placements), now=now)
    if truth is None:
        return
    zone.owner_hostid = owner
    begun = _next_interval(truth, known.present.get(zone.pk), now)
    if begun is not None:
        _begin(begun, known.present.get(zone.pk), timeline, truth.row)


def _name(zone: ZoneRow, placements: Sequence[Placed]) -> None:
    """A zone is called what hosts call it: another name only when none of them uses the present one any more."""
    names = Counter(row.name for row in placements)
    if not names or zone.name in names:
        return
    most = max(names.values())
    before, zone.name = zone.name, min(name for name, count in names.items() if count == most)
    data = {"from": before, "to": zone.name}
    append("zone.renamed", actor=_CONTROL, subjects=[("zone", str(zone.pk))], data=data)


def _retire(zone: ZoneRow, *, has_storage: bool, is_configured: bool, now: datetime) -> None:
    """A zone that no host configures is shown no more when its storage is another's, or nobody ever read it."""
    is_left = not is_configured and (not has_storage or zone.zone_uuid is None)
    if not is_left:
        zone.retired_at = None
    elif zone.retired_at is None:
        zone.retired_at = now


def _kept(zone: ZoneRow) -> tuple[object, ...]:
    return tuple(getattr(zone, name) for name in _FOLLOWS)


def _save(zones: Sequence[ZoneRow], before: dict[UUID, tuple[object, ...]], now: datetime) -> None:
    changed = [zone for zone in zones if _kept(zone) != before[zone.pk]]
    update_rows(Zone, _FOLLOWS, [(*_kept(zone), zone.pk) for zone in changed])
    for some in parts(zone.pk for zone in zones):
        Zone.objects.filter(pk__in=some).update(verdict_at=now)


def _truth(sightings: Iterable[Sighted]) -> Sighted | None:
    """Return the one that is believed of the owner, None when none is.

    The CLEAN one of the highest generation; else the newest that an attach on Solaris amounts to. Of two that came
    together the first: which one it is must not change while nothing else does.
    """
    named = [one for one in sightings if one.facts.status in NAMES_OWNER and one.facts.record is not None]
    return max(
        named,
        key=lambda one: (weight(one.row.status, one.row.generation, one.facts.at), one.row.recorded_at, -one.row.pk),
        default=None,
    )


def _next_interval(truth: Sighted, present: _Before | None, now: datetime) -> _Interval | None:
    """Return the stretch of time that begins with this reading, None when it says what was so already."""
    row, record = truth.row, truth.facts.record
    if record is None or (present is not None and row.generation < present.generation):
        return None
    says = (row.owner_hostid, record.state, "forced" in record.flags)
    if present is not None and (present.owner_hostid, present.state, present.is_forced) == says:
        return None
    owner_hostid, state, is_forced = says
    return _Interval(row.zone_id, owner_hostid, state, row.generation, is_forced, now, row.pk)


def _begin(begun: _Interval, present: _Before | None, timeline: _Timeline, reading: ReadingRow) -> None:
    timeline.begun.append(begun)
    if present is None:
        return
    timeline.ended.append(present.pk)
    if present.owner_hostid != begun.owner_hostid:
        append(
            "zone.owner-changed",
            actor=_CONTROL,
            subjects=[("zone", str(begun.zone))],
            data={
                "from": present.owner_hostid,
                "to": begun.owner_hostid,
                "generation": begun.generation,
                "reading": reading.nonce,
            },
        )


def _highest_generations(recorded: Iterable[Recorded]) -> dict[UUID, int]:
    highest: dict[UUID, int] = {}
    for row, _ in recorded:
        # a header can be forged without the key: only a verified record raises the mark
        if row.record_sha256:
            highest[row.zone_id] = max(highest.get(row.zone_id, 0), row.generation)
    return highest
