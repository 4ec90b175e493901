"""Readings of host data: kept when they say something new, or when somebody asked for exactly this one."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

from apps.base.bulk import update_each
from apps.history.actors import agent as agent_actor
from apps.history.services import append
from apps.jobs.results import TakenResult
from apps.zones.bulk import parts, rows_in
from apps.zones.identity import storage_identity
from apps.zones.models import BootStorage, Reading, Sighting
from kernelzone import strict
from kernelzone.facts import ReadingFacts

# differ at every look and say nothing about host data
_OF_THE_LOOK: Final = frozenset({"nonce", "at"})
_NONCE: Final = re.compile(r"[0-9a-f]{32}\Z")
_WHY: Final = {
    "NOT_CONFIGURED": "the host does not configure a zone of this name on this boot storage",
    "TIME": "its time is none that a calendar has",
    "NONCE": "the nonce is not 32 hex digits",
    "NONCE_REPEATED": "the nonce names another reading already",
}
# the first second of the year 10000
_END_OF_TIME_S: Final = 253_402_300_800
# (boot storage, host) and (host, facts), by primary key
_Key = tuple[int, int]
_Reading = tuple[int, dict[str, Any]]


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


class Recorded(NamedTuple):
    """A reading that is a row now, and what it says."""

    row: Reading
    facts: ReadingFacts


class _Written(NamedTuple):
    """A reading with its boot storage, and its facts as JSON."""

    seen: Seen
    storage: BootStorage
    facts: dict[str, Any]

    @property
    def key(self) -> _Key:
        return (self.storage.pk, self.seen.taken.host.pk)


class _Sorted(NamedTuple):
    """New readings in the order they came, those that become the present, and the sightings that were confirmed."""

    new: list[Recorded]
    newest: dict[_Key, Reading]
    confirmed: set[int]


def record_readings(seen: Sequence[Seen], storages: dict[str, BootStorage], *, now: datetime) -> list[Recorded]:
    """Return the readings that were new and are now rows, in the order they came; the others confirm the last one.

    A reading that came late, after a newer one of the same agent, is kept and is not the present.
    """
    current = _current_sightings(seen, storages)
    written = [_Written(one, storages[one.identity], strict.write(one.facts)) for one in seen if not _is_wrong(one)]
    found = _sort_out(written, current, _nonces_used(written, current), now)
    Reading.objects.bulk_create([one.row for one in found.new])
    _point_at(found.newest, current, now)
    for some in parts(found.confirmed):
        Sighting.objects.filter(pk__in=some).update(confirmed_at=now)
    return found.new


def put_aside(one: Seen, code: str) -> None:
    """An event tells that this reading changed nothing, and why. The rest of its report is taken in."""
    append(
        "reading.put-aside",
        actor=agent_actor(one.taken.agent),
        subjects=[("host", one.taken.host.owner_hostid), ("agent", str(one.taken.agent.pk))],
        data={"code": code, "why": _WHY[code], "zone": one.facts.zone},
    )


def _sort_out(
    written: Sequence[_Written], current: dict[_Key, Sighting], used: dict[str, _Reading], now: datetime
) -> _Sorted:
    found = _Sorted([], {}, set())
    for one in written:
        last = found.newest.get(one.key) or _present(one, current)
        is_late = last is not None and _is_earlier(one.seen, last)
        if not _is_news(one, last):
            if one.key not in found.newest and not is_late:
                found.confirmed.add(current[one.key].pk)
        elif _is_free(one, used):
            reading = _reading(one.seen, one.facts, one.storage, now)
            found.new.append(Recorded(reading, one.seen.facts))
            if not is_late:
                found.newest[one.key] = reading
    return found


def _present(one: _Written, current: dict[_Key, Sighting]) -> Reading | None:
    return current[one.key].reading if one.key in current else None


def _is_news(one: _Written, last: Reading | None) -> bool:
    return last is None or one.seen.was_asked_for or not _says_the_same(last, one.storage, one.facts)


def _is_wrong(one: Seen) -> bool:
    """Whether a reading cannot be kept at all; the rest of its report can."""
    code = "NONCE" if not _NONCE.match(one.facts.nonce) else "TIME" if not 0 <= one.facts.at < _END_OF_TIME_S else ""
    if code:
        put_aside(one, code)
    return bool(code)


def _nonces_used(written: Iterable[_Written], current: dict[_Key, Sighting]) -> dict[str, _Reading]:
    """Return what was read under these nonces before, by nonce; what only confirms is not asked about."""
    news = (one.seen.facts.nonce for one in written if _is_news(one, _present(one, current)))
    rows = rows_in(Reading.objects.only("nonce", "host_id", "facts"), "nonce", news)
    return {row.nonce: (row.host_id, row.facts) for row in rows}


def _is_free(one: _Written, used: dict[str, _Reading]) -> bool:
    """Whether the nonce is this reading's own. Said again word for word is no fault; another reading's is."""
    mine = (one.seen.taken.host.pk, one.facts)
    before = used.setdefault(one.seen.facts.nonce, mine)
    if before != mine:
        put_aside(one.seen, "NONCE_REPEATED")
    return before is mine


def _current_sightings(seen: Sequence[Seen], storages: dict[str, BootStorage]) -> dict[_Key, Sighting]:
    hosts = sorted({one.taken.host.pk for one in seen})
    rows = Sighting.objects.select_related("reading").filter(host__in=hosts)
    found = rows_in(rows, "storage", (storages[one.identity].pk for one in seen))
    return {(row.storage_id, row.host_id): row for row in found}


def _point_at(newest: dict[_Key, Reading], current: dict[_Key, Sighting], now: datetime) -> None:
    moved = [current[key] for key in newest if key in current]
    for row in moved:
        row.reading = newest[row.storage_id, row.host_id]
        row.confirmed_at = now
    update_each(moved, ["reading", "confirmed_at"])
    Sighting.objects.bulk_create(
        Sighting(storage_id=storage, host_id=host, reading=reading, confirmed_at=now)
        for (storage, host), reading in newest.items()
        if (storage, host) not in current
    )


def _says_the_same(last: Reading, storage: BootStorage, new: dict[str, Any]) -> bool:
    if last.zone_id != storage.zone_id:
        return False
    return all(last.facts.get(name) == value for name, value in new.items() if name not in _OF_THE_LOOK)


def _is_earlier(one: Seen, last: Reading) -> bool:
    """Whether the same agent, in one life of its journal and machine, made this reading before `last`."""
    report = one.taken.report
    same_life = (report.agent, report.epoch, report.boot_id) == (last.agent_uuid, last.epoch, last.boot_id)
    return same_life and report.monotonic_ms < last.monotonic_ms


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
