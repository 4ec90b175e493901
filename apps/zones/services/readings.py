"""Readings of host data: kept when they say something new, or when somebody asked for exactly this one."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from operator import attrgetter
from typing import Any, Final, NamedTuple

from apps.base.bulk import insert_rows, update_rows
from apps.history.actors import agent as agent_actor
from apps.history.services import append
from apps.jobs.results import TakenResult
from apps.zones.bulk import parts
from apps.zones.identity import StorageRow, storage_identity
from apps.zones.models import Reading, Sighting
from apps.zones.present import READING_FIELDS, ReadingRow, Recorded
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


class _Current(NamedTuple):
    """The sighting of a boot storage by a host, and the reading it points at."""

    pk: int
    reading: ReadingRow


class _Written(NamedTuple):
    """A reading with its boot storage, and its facts as JSON."""

    seen: Seen
    storage: StorageRow
    facts: dict[str, Any]

    @property
    def key(self) -> _Key:
        return (self.storage.pk, self.seen.taken.host.pk)


class _Sorted(NamedTuple):
    """New readings in the order they came, those that become the present, and the sightings that were confirmed."""

    new: list[Recorded]
    newest: dict[_Key, ReadingRow]
    confirmed: set[int]


def record_readings(seen: Sequence[Seen], storages: dict[str, StorageRow], *, now: datetime) -> list[Recorded]:
    """Return the readings that were new and are now rows, in the order they came; the others confirm the last one.

    A reading that came late, after a newer one of the same agent, is kept and is not the present.
    """
    current = _current_sightings(seen, storages)
    written = [_Written(one, storages[one.identity], strict.write(one.facts)) for one in seen if not _is_wrong(one)]
    found = _sort_out(written, current, _nonces_used(written, current), now)
    _insert([one.row for one in found.new])
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
    written: Sequence[_Written], current: dict[_Key, _Current], used: dict[str, _Reading], now: datetime
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


def _present(one: _Written, current: dict[_Key, _Current]) -> ReadingRow | None:
    return current[one.key].reading if one.key in current else None


def _is_news(one: _Written, last: ReadingRow | None) -> bool:
    return last is None or one.seen.was_asked_for or not _says_the_same(last, one.storage, one.facts)


def _is_wrong(one: Seen) -> bool:
    """Whether a reading cannot be kept at all; the rest of its report can."""
    code = "NONCE" if not _NONCE.match(one.facts.nonce) else "TIME" if not 0 <= one.facts.at < _END_OF_TIME_S else ""
    if code:
        put_aside(one, code)
    return bool(code)


def _nonces_used(written: Iterable[_Written], current: dict[_Key, _Current]) -> dict[str, _Reading]:
    """Return what was read under these nonces before, by nonce; what only confirms is not asked about."""
    news = (one.seen.facts.nonce for one in written if _is_news(one, _present(one, current)))
    rows = Reading.objects.values_list("nonce", "host", "facts")
    return {nonce: (host, facts) for some in parts(news) for nonce, host, facts in rows.filter(nonce__in=some)}


def _is_free(one: _Written, used: dict[str, _Reading]) -> bool:
    """Whether the nonce is this reading's own. Said again word for word is no fault; another reading's is."""
    mine = (one.seen.taken.host.pk, one.facts)
    before = used.setdefault(one.seen.facts.nonce, mine)
    if before != mine:
        put_aside(one.seen, "NONCE_REPEATED")
    return before is mine


def _current_sightings(seen: Sequence[Seen], storages: dict[str, StorageRow]) -> dict[_Key, _Current]:
    hosts = sorted({one.taken.host.pk for one in seen})
    names = ("storage", "host", "pk", *(f"reading__{name}" for name in (*READING_FIELDS, "pk")))
    rows = Sighting.objects.filter(host__in=hosts).values_list(*names)
    return {
        (storage, host): _Current(pk, ReadingRow(*values))
        for some in parts(storages[one.identity].pk for one in seen)
        for storage, host, pk, *values in rows.filter(storage__in=some)
    }


def _insert(rows: Sequence[ReadingRow]) -> None:
    values = attrgetter(*READING_FIELDS)
    for row, pk in zip(rows, insert_rows(Reading, READING_FIELDS, [values(row) for row in rows]), strict=True):
        row.pk = pk


def _point_at(newest: dict[_Key, ReadingRow], current: dict[_Key, _Current], now: datetime) -> None:
    moved = [(row.pk, now, current[key].pk) for key, row in newest.items() if key in current]
    update_rows(Sighting, ["reading", "confirmed_at"], moved)
    new = [(*key, row.pk, now) for key, row in newest.items() if key not in current]
    insert_rows(Sighting, ["storage", "host", "reading", "confirmed_at"], new)


def _says_the_same(last: ReadingRow, storage: StorageRow, new: dict[str, Any]) -> bool:
    if last.zone_id != storage.zone_id:
        return False
    return all(last.facts.get(name) == value for name, value in new.items() if name not in _OF_THE_LOOK)


def _is_earlier(one: Seen, last: ReadingRow) -> bool:
    """Whether the same agent, in one life of its journal and machine, made this reading before `last`."""
    report = one.taken.report
    same_life = (report.agent, report.epoch, report.boot_id) == (last.agent_uuid, last.epoch, last.boot_id)
    return same_life and report.monotonic_ms < last.monotonic_ms


def _reading(one: Seen, facts: dict[str, Any], storage: StorageRow, now: datetime) -> ReadingRow:
    report, job = one.taken.report, one.taken.job
    record = one.facts.record
    return ReadingRow(
        nonce=one.facts.nonce,
        zone_id=storage.zone_id,
        storage_id=storage.pk,
        host_id=one.taken.host.pk,
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
