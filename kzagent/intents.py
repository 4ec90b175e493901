"""What the journal keeps of a claim: the images before and after, and how far it came."""

from __future__ import annotations

import sqlite3
from typing import Final, NamedTuple
from uuid import UUID

from kernelzone.hostdata import Intent
from kernelzone.words import HostId, ZoneName
from kzagent.database import Database
from kzagent.errors import OrderRefused
from kzagent.journal import Journal

COLUMNS: Final = (
    "order_id, owner_hostid, zone, device, old_a, old_b, new_a, new_b, deadline_ms, not_after, boot_id, state, outcome"
)


class Deadline(NamedTuple):
    """Until when an order may write: by the monotonic clock of one start of the machine, and by the wall clock."""

    monotonic_ms: int
    not_after: int
    boot_id: str


class OpenIntent(NamedTuple):
    """An intent found after a restart. `state`: intent, committed, attaching or closed (then `outcome` says how)."""

    order: UUID
    owner_hostid: HostId
    zone: ZoneName
    device: str
    images: Intent
    deadline: Deadline
    state: str
    outcome: str


class IntentRefused(OrderRefused):
    """The intent could not be kept: nothing shared was touched."""


class OrderClaim:
    """The journal of one order's claim on one boot storage (kernelzone.hostdata.ClaimJournal)."""

    def __init__(self, journal: Journal, order: UUID, place: tuple[HostId, ZoneName, str], deadline: Deadline) -> None:
        self._database: Database = journal.database
        self._order = order
        self._place = place
        self._deadline = deadline

    def intent(self, old_a: bytes, old_b: bytes, new_a: bytes, new_b: bytes) -> None:
        """Keep the images and burn the order, in one transaction. From here a withdrawal comes too late.

        Raises: IntentRefused VETO when the order was withdrawn before; JournalError when the disk is full or fails.
        """
        entry = (str(self._order), *self._place, old_a, old_b, new_a, new_b, *self._deadline)
        with self._database.writing() as rows:
            if not Journal.begin_within(rows, self._order) and not _has_intent(rows, self._order):
                raise IntentRefused("VETO", "the order was withdrawn before it reached INTENT")
            rows.execute(f"INSERT INTO intents ({COLUMNS}) VALUES (?,?,?,?,?,?,?,?,?,?,?,'intent','')", entry)  # noqa: S608

    def committed(self) -> None:
        """Keep that the claim was won."""
        self._move("committed", "CLAIMED")

    def closed(self, outcome: str) -> None:
        """Keep that the claim ended without being won."""
        self._move("closed", str(outcome))

    def _move(self, state: str, outcome: str) -> None:
        with self._database.writing() as rows:
            rows.execute(
                "UPDATE intents SET state = ?, outcome = ? WHERE order_id = ? AND device = ?",
                (state, outcome, str(self._order), self._place[2]),
            )


def has_intent(journal: Journal, order: UUID) -> bool:
    """Return whether the order has reached INTENT: shared storage may have been touched."""
    with journal.database.writing() as rows:
        return _has_intent(rows, order)


def won_images(journal: Journal, order: UUID) -> list[tuple[str, tuple[bytes, bytes]]]:
    """Return (device, both slot images) of every claim the order has won."""
    rows = journal.database.rows(
        "SELECT device, new_a, new_b FROM intents WHERE order_id = ? AND outcome = 'CLAIMED'", str(order)
    )
    return [(device, (slot_a, slot_b)) for device, slot_a, slot_b in rows]


def begin_attach(journal: Journal, order: UUID) -> None:
    """Keep that the attach was begun: after a crash only a reading can tell how far it came."""
    with journal.database.writing() as rows:
        rows.execute("UPDATE intents SET state = 'attaching' WHERE order_id = ?", (str(order),))


def _has_intent(rows: sqlite3.Connection, order: UUID) -> bool:
    return rows.execute("SELECT 1 FROM intents WHERE order_id = ?", (str(order),)).fetchone() is not None


def open_intents(journal: Journal) -> list[OpenIntent]:
    """Return the intents that are open, or whose order has no result yet: what a crash left."""
    found = journal.database.rows(
        f"SELECT {COLUMNS} FROM intents WHERE state != 'closed'"  # noqa: S608 - a constant
        " OR order_id IN (SELECT id FROM orders WHERE state != 'finished')"
    )
    return [
        OpenIntent(
            UUID(row[0]),
            HostId(row[1]),
            ZoneName(row[2]),
            row[3],
            Intent((row[4], row[5]), (row[6], row[7])),
            Deadline(row[8], row[9], row[10]),
            row[11],
            row[12],
        )
        for row in found
    ]
