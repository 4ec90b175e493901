"""Readings of host data: kept when they say something new, or when somebody asked for exactly this one."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

from apps.jobs.results import TakenResult
from apps.zones.identity import storage_identity
from apps.zones.models import BootStorage, Reading, Sighting
from kernelzone import strict
from kernelzone.facts import ReadingFacts

# differ at every look and say nothing about host data
_OF_THE_LOOK: Final = ("nonce", "at")


class Seen(NamedTuple):
    """One reading, and the report it came in."""

    taken: TakenResult
    facts: ReadingFacts

    @property
    def identity(self) -> str:
        """The identity of the boot storage that was read."""
        return storage_identity(self.facts.device, self.facts.device_ids, self.taken.host.owner_hostid)

    @property
    def was_asked_for(self) -> bool:
        """True when a decision may rest on this very reading: then it is kept even when it says nothing new."""
        return self.taken.job is not None and bool(self.taken.job.subject_kind)


def record_readings(seen: Sequence[Seen], storages: dict[str, BootStorage], *, now: datetime) -> list[Reading]:
    """Return the readings that were new and are now rows, in the order they came; the others confirm the last one."""
    current = _current_sightings(seen, storages)
    new: list[Reading] = []
    confirmed: list[int] = []
    newest: dict[tuple[int, int], Reading] = {}
    for one in seen:
        key = (storages[one.identity].pk, one.taken.host.pk)
        facts = strict.write(one.facts)
        last = newest.get(key) or (current[key].reading if key in current else None)
        if last is not None and not one.was_asked_for and _says_the_same(last.facts, facts):
            if key in current and key not in newest:
                confirmed.append(current[key].pk)
            continue
        newest[key] = _reading(one, facts, storages[one.identity], now)
        new.append(newest[key])
    Reading.objects.bulk_create(new)
    _point_at(newest, current, now)
    if confirmed:
        Sighting.objects.filter(pk__in=confirmed).update(confirmed_at=now)
    return new


def _current_sightings(seen: Sequence[Seen], storages: dict[str, BootStorage]) -> dict[tuple[int, int], Sighting]:
    wanted = {storages[one.identity].pk for one in seen}
    hosts = {one.taken.host.pk for one in seen}
    rows = Sighting.objects.filter(storage__in=wanted, host__in=hosts).select_related("reading")
    return {(row.storage_id, row.host_id): row for row in rows}


def _point_at(newest: dict[tuple[int, int], Reading], current: dict[tuple[int, int], Sighting], now: datetime) -> None:
    moved = [current[key] for key in newest if key in current]
    for row in moved:
        row.reading = newest[row.storage_id, row.host_id]
        row.confirmed_at = now
    Sighting.objects.bulk_update(moved, ["reading", "confirmed_at"])
    Sighting.objects.bulk_create(
        Sighting(storage_id=storage, host_id=host, reading=reading, confirmed_at=now)
        for (storage, host), reading in newest.items()
        if (storage, host) not in current
    )


def _says_the_same(old: dict[str, Any], new: dict[str, Any]) -> bool:
    return all(old.get(name) == value for name, value in new.items() if name not in _OF_THE_LOOK)


def _reading(one: Seen, facts: dict[str, Any], storage: BootStorage, now: datetime) -> Reading:
    report, job = one.taken.report, one.taken.job
    record = one.facts.record
    return Reading(
        nonce=one.facts.nonce,
        zone_id=storage.zone_id,
        storage=storage,
        host=one.taken.host,
        agent_uuid=report.agent,
        job_id=job.pk if job is not None else None,
        epoch=report.epoch,
        boot_id=report.boot_id,
        monotonic_ms=report.monotonic_ms,
        seen_at=datetime.fromtimestamp(one.facts.at, UTC),
        recorded_at=now,
        status=one.facts.status.value,
        generation=one.facts.generation,
        raw_sha256=one.facts.raw_sha256 or "",
        record_sha256=one.facts.record_sha256 or "",
        owner_hostid=record.owner_hostid if record is not None and record.state != "free" else "",
        warning=one.facts.warning or "",
        facts=facts,
    )
