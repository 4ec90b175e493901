"""What the journal remembers of readings: which are mine and open, and the highest generation seen of each zone."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple
from uuid import UUID

from kernelzone.orders import Effect
from kernelzone.words import Digest, HostId, ZoneName
from kzagent.clock import Clock
from kzagent.journal import Journal

# What may be run again is forgotten soon after the site has its report; what may not is kept past any validity.
FORGET_READ_ONLY_AFTER_S: Final = 600
FORGET_OTHERS_AFTER_S: Final = 7 * 24 * 3600
FORGET_READINGS_AFTER_MS: Final = 24 * 3600 * 1000
_MOST_AT_ONCE: Final = 500


class OwnReading(NamedTuple):
    """A reading this agent made. `raw_sha256` is None when the slots could not be read.

    `is_open`: a warrant may still name it; a new epoch closes all.
    """

    nonce: str
    owner_hostid: HostId
    zone: ZoneName
    device: str
    raw_sha256: Digest | None
    monotonic_ms: int
    boot_id: str
    is_open: bool


class SeenGeneration(NamedTuple):
    """The generation of one verified reading, and the digest of its record."""

    zone_uuid: UUID
    generation: int
    record_sha256: Digest | None


def keep_readings(journal: Journal, readings: Iterable[OwnReading]) -> None:
    """Keep readings as mine and open. A power loss may take them: it closes them anyway. Raises: JournalError."""
    with journal.database.writing(durable=False) as rows:
        rows.executemany("INSERT INTO readings VALUES (?, ?, ?, ?, ?, ?, ?, ?)", list(readings))


def reading(journal: Journal, nonce: str) -> OwnReading | None:
    """Return the reading of that nonce if this agent made it and remembers. Raises: JournalError."""
    found = journal.database.row("SELECT * FROM readings WHERE nonce = ?", nonce)
    return OwnReading._make((*found[:7], bool(found[7]))) if found else None


def high_water(journal: Journal, zone_uuid: UUID | None) -> int:
    """Return the highest generation seen of a zone, 0 for one never seen. Raises: JournalError."""
    found = journal.database.row("SELECT generation FROM high_water WHERE zone_uuid = ?", str(zone_uuid))
    return int(found[0]) if found else 0


def high_waters(journal: Journal, zone_uuids: Iterable[UUID | None]) -> dict[UUID, int]:
    """Return the highest generation seen of each of the zones, 0 for one never seen. Raises: JournalError."""
    by_name = {str(zone_uuid): zone_uuid for zone_uuid in zone_uuids if zone_uuid is not None}
    marks = dict.fromkeys(by_name.values(), 0)
    names = sorted(by_name)
    for start in range(0, len(names), _MOST_AT_ONCE):
        some = names[start : start + _MOST_AT_ONCE]
        places = ",".join("?" * len(some))
        statement = f"SELECT zone_uuid, generation FROM high_water WHERE zone_uuid IN ({places})"  # noqa: S608
        marks |= {by_name[name]: generation for name, generation in journal.database.rows(statement, *some)}
    return marks


def raise_high_water(journal: Journal, seen: Iterable[SeenGeneration]) -> None:
    """Keep the highest generation of each zone. Raises: JournalError."""
    with journal.database.writing(durable=False) as rows:
        rows.executemany(
            "INSERT INTO high_water VALUES (?, ?, ?) ON CONFLICT (zone_uuid) DO UPDATE SET"
            " generation = excluded.generation, record_sha256 = excluded.record_sha256"
            " WHERE excluded.generation > generation",
            [(str(zone_uuid), generation, digest) for zone_uuid, generation, digest in seen],
        )


def forget_old(journal: Journal, clock: Clock) -> None:
    """Forget what nothing can ask for any more, so that the journal does not grow with time. Raises: JournalError."""
    now = clock.now()
    old = now - FORGET_OTHERS_AFTER_S
    with journal.database.writing() as rows:
        rows.execute(
            "DELETE FROM orders WHERE effect = ? AND changed_at < ?"
            " AND state = 'finished' AND report_seq NOT IN (SELECT seq FROM outbox)",
            (Effect.READ_ONLY, now - FORGET_READ_ONLY_AFTER_S),
        )
        rows.execute(
            "DELETE FROM intents WHERE state = 'closed' AND order_id IN"
            " (SELECT id FROM orders WHERE state = 'finished' AND not_after < ?)",
            (old,),
        )
        rows.execute(
            "DELETE FROM orders WHERE not_after < ? AND state IN ('finished', 'withdrawn')"
            " AND id NOT IN (SELECT order_id FROM intents)"
            " AND (report_seq IS NULL OR report_seq NOT IN (SELECT seq FROM outbox))",
            (old,),
        )
        rows.execute(
            "DELETE FROM readings WHERE boot_id != ? OR monotonic_ms < ?",
            (clock.boot_id, clock.monotonic_ms() - FORGET_READINGS_AFTER_MS),
        )
