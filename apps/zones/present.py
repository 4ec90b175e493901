"""What is known now of some zones, fetched once for everybody who judges them.

Plain values, and not rows: a sweep in which everything is new makes thousands, and of each a few fields are looked at.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

from django.db.models import F

from apps.zones.bulk import parts
from apps.zones.models import Placement, Reading, Sighting, Zone
from kernelzone import strict
from kernelzone.facts import ReadingFacts


@dataclass(slots=True, eq=False)
class ReadingRow:
    """A row of `Reading`, by its columns; `pk` is 0 while it is not inserted."""

    nonce: str
    zone_id: UUID
    storage_id: int
    host_id: int
    agent_uuid: UUID
    job_id: UUID | None
    epoch: str
    boot_id: str
    monotonic_ms: int
    seen_at: datetime
    recorded_at: datetime
    status: str
    generation: int
    raw_sha256: str
    record_sha256: str
    owner_hostid: str
    warning: str
    facts: dict[str, Any]
    pk: int = field(default=0)


READING_FIELDS: Final = tuple(one.name for one in fields(ReadingRow) if one.name != "pk")
"""As Django's queries take them: `zone_id` for `zone`, too."""


class Recorded(NamedTuple):
    """A reading that is a row, and what it says."""

    row: ReadingRow
    facts: ReadingFacts


@dataclass(slots=True, eq=False)
class ZoneRow:
    """What is judged of a zone, and its two names."""

    pk: UUID
    zone_uuid: UUID | None
    name: str
    high_water: int
    verdict: str
    owner_hostid: str
    retired_at: datetime | None


class Placed(NamedTuple):
    """A placement, and what matters of its host."""

    zone_id: UUID
    host_id: int
    owner_hostid: str
    last_heard_at: datetime | None
    name: str
    state: str
    auxiliary: list[str]
    state_since: datetime
    last_seen_at: datetime
    key_id: str
    also_on: list[str]


class Sighted(NamedTuple):
    """What one host says now of one boot storage."""

    storage_id: int
    host_id: int
    owner_hostid: str
    confirmed_at: datetime
    row: ReadingRow
    facts: ReadingFacts


class Present(NamedTuple):
    """Zones in the order of their keys; by zone their placements, and their sightings, those confirmed last first.

    A reading from before the boot storage moved to its zone says nothing about it, and is not here.
    """

    zones: list[ZoneRow]
    placements: dict[UUID, list[Placed]]
    sightings: dict[UUID, list[Sighted]]


def present_of(zone_ids: Iterable[UUID], recorded: Sequence[Recorded] = (), *, for_update: bool = False) -> Present:
    """Return what is known of these zones now. recorded: the readings inserted just now, which are not fetched again.

    for_update: the zones are locked, in the order of their keys.
    """
    ids = sorted(zone_ids)
    return Present(_zones(ids, for_update=for_update), _placements(ids), _sightings(ids, recorded))


def _zones(ids: Sequence[UUID], *, for_update: bool) -> list[ZoneRow]:
    rows = Zone.objects.order_by("pk")
    if for_update:
        # NO KEY UPDATE: a row that names the zone may be inserted meanwhile, by whoever holds a conflict we lock later
        rows = rows.select_for_update(no_key=True)
    names = [one.name for one in fields(ZoneRow)]
    return [ZoneRow(*values) for some in parts(ids) for values in rows.filter(pk__in=some).values_list(*names)]


def _placements(ids: Sequence[UUID]) -> dict[UUID, list[Placed]]:
    found: dict[UUID, list[Placed]] = {}
    here = Placement.objects.filter(gone_at=None).order_by("pk")
    names = ("zone", "host", "host__owner_hostid", "host__last_heard_at", *Placed._fields[4:])
    for some in parts(ids):
        for one in map(Placed._make, here.filter(zone__in=some).values_list(*names)):
            found.setdefault(one.zone_id, []).append(one)
    return found


def _sightings(ids: Sequence[UUID], recorded: Sequence[Recorded]) -> dict[UUID, list[Sighted]]:
    rows = Sighting.objects.filter(reading__zone=F("storage__zone")).order_by("-confirmed_at", "pk")
    names = ("reading", "storage", "host", "host__owner_hostid", "confirmed_at")
    seen = [one for some in parts(ids) for one in rows.filter(storage__zone__in=some).values_list(*names)]
    known = {one.row.pk: one for one in recorded}
    known |= _recorded_before(pk for pk, *_ in seen if pk not in known)
    found: dict[UUID, list[Sighted]] = {}
    for pk, storage, host, owner_hostid, confirmed_at in seen:
        row, facts = known[pk]
        found.setdefault(row.zone_id, []).append(Sighted(storage, host, owner_hostid, confirmed_at, row, facts))
    return found


def _recorded_before(keys: Iterable[int]) -> dict[int, Recorded]:
    found: dict[int, Recorded] = {}
    for some in parts(keys):
        for values in Reading.objects.filter(pk__in=some).values_list(*READING_FIELDS, "pk"):
            row = ReadingRow(*values)
            found[row.pk] = Recorded(row, strict.read(ReadingFacts, row.facts))
    return found
