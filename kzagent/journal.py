"""What an agent must not forget: orders it has seen, what it meant to write, what it read, what it has to say.

    order:   (unknown) -> accepted -> acting -> finished        withdrawn: taken back before it acted
    intent:  intent -> committed -> attaching -> closed         closed from any of them

An order id is burned by its row: of two threads that carry the same order one inserts it. A journal that is lost,
or older than what the site holds, begins a new epoch, and every reading made before is closed.
"""

from __future__ import annotations

import json
import logging
import secrets
import sqlite3
from collections.abc import Callable, Iterable
from enum import Enum
from pathlib import Path
from typing import Any, Final, NamedTuple
from uuid import UUID

from kernelzone.orders import Effect, Kind, Order
from kernelzone.words import Digest, HostId, ZoneName
from kzagent.database import Database
from kzagent.errors import JournalError

logger = logging.getLogger(__name__)

JOURNAL_NAME: Final = "journal.db"


class Standing(Enum):
    """What the journal knows of an order that has just come in."""

    NEW = "new"  # it is now accepted
    SAME = "same"  # the same bytes came before
    OTHER = "other"  # the id came before, with other bytes
    WITHDRAWN = "withdrawn"  # taken back before it came


class Acting(NamedTuple):
    """One order that changes something and was begun. `zone`: None when it is about the whole host."""

    order: UUID
    kind: Kind
    owner_hostid: HostId
    zone: ZoneName | None


class Outgoing(NamedTuple):
    """One signed report that the site has not confirmed yet."""

    seq: int
    envelope: bytes


# From an epoch and a sequence number to the signed envelope.
Build = Callable[[str, int], bytes]


class Journal:
    """The journal of one agent. Every change is on the disk when its method returns."""

    def __init__(self, directory: Path) -> None:
        self.database = _opened(directory / JOURNAL_NAME)
        with self.database.writing() as rows:
            rows.execute("INSERT OR IGNORE INTO meta VALUES ('epoch', ?)", (_fresh_epoch(),))
            rows.execute("INSERT OR IGNORE INTO meta VALUES ('seq', 0), ('acknowledged', 0)")
        self.opened_at_seq = self.last_seq

    def close(self) -> None:
        """Close the file."""
        self.database.close()

    # --- epoch ---

    @property
    def epoch(self) -> str:
        """32 hex digits that name this journal's unbroken life."""
        return str(self._meta("epoch"))

    @property
    def last_seq(self) -> int:
        """The number of the last report made in this epoch."""
        return int(self._meta("seq"))

    @property
    def acknowledged(self) -> int:
        """The site has confirmed all reports of this epoch up to this number."""
        return int(self._meta("acknowledged"))

    def begin_epoch(self, sign_again: Callable[[bytes, str, int], bytes]) -> str:
        """Return a new epoch; no reading made before it is open, and unconfirmed results are signed anew under it.

        sign_again: from an old envelope, the new epoch and a new sequence number to a new envelope.
        """
        epoch = _fresh_epoch()
        with self.database.writing() as rows:
            unsent = rows.execute(
                "SELECT id, report FROM orders JOIN outbox ON seq = report_seq AND envelope = report"
                " WHERE state = 'finished' ORDER BY seq"
            ).fetchall()
            rows.execute("DELETE FROM outbox")
            rows.execute("UPDATE readings SET is_open = 0")
            rows.execute("UPDATE meta SET value = ? WHERE name = 'epoch'", (epoch,))
            rows.execute("UPDATE meta SET value = 0 WHERE name IN ('seq', 'acknowledged')")
            for order_id, report in unsent:
                seq = _next_seq(rows)
                self._keep_report(rows, epoch, seq, sign_again(report, epoch, seq))
                rows.execute(
                    "UPDATE orders SET report_seq = ?, report = (SELECT envelope FROM outbox WHERE seq = ?)"
                    " WHERE id = ?",
                    (seq, seq, order_id),
                )
        return epoch

    # --- orders ---

    def accept(self, order: Order, sha256: Digest, now: int) -> Standing:
        """Return what is known of the order; a NEW one is accepted by exactly one caller.

        sha256: of the payload bytes.
        """
        zone = order.zone.name if order.zone else None
        entry = (str(order.order), sha256, order.kind, order.rules.effect, order.owner_hostid, zone)
        # What only reads acts at once, and may run again after a power loss.
        reads = order.rules.effect is Effect.READ_ONLY
        with self.database.writing(durable=not reads) as rows:
            added = rows.execute(
                "INSERT INTO orders (id, sha256, kind, effect, owner_hostid, zone, state, not_after, changed_at)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING",
                (*entry, "acting" if reads else "accepted", order.not_after, now),
            )
            if added.rowcount == 1:
                return Standing.NEW
            known, state = rows.execute("SELECT sha256, state FROM orders WHERE id = ?", entry[:1]).fetchone()
            if state == "withdrawn" and known is None:
                rows.execute("UPDATE orders SET sha256 = ? WHERE id = ?", (sha256, entry[0]))
                return Standing.WITHDRAWN
        return Standing.SAME if known == sha256 else Standing.OTHER

    def begin(self, order: UUID) -> bool:
        """Return whether the accepted order may act now; False when it was withdrawn before."""
        with self.database.writing() as rows:
            return self.begin_within(rows, order)

    @staticmethod
    def begin_within(rows: sqlite3.Connection, order: UUID) -> bool:
        """As `begin`, inside the caller's transaction."""
        moved = rows.execute("UPDATE orders SET state = 'acting' WHERE id = ? AND state = 'accepted'", (str(order),))
        return moved.rowcount == 1

    def withdraw(self, orders: Iterable[UUID], not_after: int, now: int) -> list[UUID]:
        """Return those of `orders` that are withdrawn now; the others have acted or ended before.

        An order that has not come yet is burned: it will find itself withdrawn.
        """
        with self.database.writing() as rows:
            return [order for order in orders if _withdrawn(rows, order, not_after, now)]

    def forget_accepted(self, order: UUID) -> None:
        """Forget an order that has not reached INTENT, so that it may come again while it is valid."""
        with self.database.writing() as rows:
            rows.execute("DELETE FROM orders WHERE id = ? AND state = 'accepted'", (str(order),))

    def acting(self) -> list[Acting]:
        """Return the orders that were acting, without INTENT, when the agent was stopped."""
        found = self.database.rows(
            "SELECT id, kind, owner_hostid, zone FROM orders WHERE state = 'acting' AND effect != ?"
            " AND id NOT IN (SELECT order_id FROM intents)",
            str(Effect.READ_ONLY),
        )
        return [Acting(UUID(row[0]), Kind(row[1]), HostId(row[2]), row[3] and ZoneName(row[3])) for row in found]

    def forget_unfinished(self, keep: Iterable[UUID] = ()) -> int:
        """Return how many orders were forgotten that a crash ended before INTENT: they may come again.

        keep: those of `acting` that are to be settled instead.
        """
        kept = json.dumps([str(order) for order in keep])
        with self.database.writing() as rows:
            # an order that came withdrawn and was not answered yet is answered when it comes again
            rows.execute("UPDATE orders SET sha256 = NULL WHERE state = 'withdrawn'")
            gone = rows.execute(
                "DELETE FROM orders WHERE state IN ('accepted', 'acting') AND id NOT IN (SELECT order_id FROM intents)"
                " AND id NOT IN (SELECT value FROM json_each(?))",
                (kept,),
            )
            return gone.rowcount

    def last_report(self, order: UUID) -> bytes | None:
        """Return the last envelope about the order, None when there is none yet."""
        found = self.database.row("SELECT report FROM orders WHERE id = ?", str(order))
        return found[0] if found else None

    # --- reports ---

    def add_report(self, build: Build, *, order: UUID | None, is_final: bool, now: int) -> int:
        """Return the number of the report that was built, kept for sending and, if about an order, kept with it.

        A power loss may take it until the end of an order that acts is kept, or `flush` is called.
        """
        with self.database.writing(durable=is_final and self._acts(order)) as rows:
            seq = _next_seq(rows)
            epoch = rows.execute("SELECT value FROM meta WHERE name = 'epoch'").fetchone()[0]
            envelope = build(epoch, seq)
            self._keep_report(rows, epoch, seq, envelope)
            if order is not None:
                rows.execute(
                    "UPDATE orders SET report = ?, report_seq = ?, changed_at = ?,"
                    " state = CASE WHEN ? THEN 'finished' ELSE state END WHERE id = ?",
                    (envelope, seq, now, is_final, str(order)),
                )
                if is_final:
                    _close_won_intent(rows, order)
        return seq

    def flush(self) -> None:
        """Put everything on the disk: a number that was sent must not be given to another report."""
        with self.database.writing() as rows:
            rows.execute("UPDATE meta SET value = value WHERE name = 'seq'")

    def outgoing(self, most: int, most_bytes: int) -> list[Outgoing]:
        """Return the oldest reports to send, at most `most` and together at most `most_bytes`, one at least."""
        found: list[Outgoing] = []
        size = 0
        for seq, envelope in self.database.rows("SELECT seq, envelope FROM outbox ORDER BY seq LIMIT ?", most):
            size += len(envelope) + 8
            if found and size > most_bytes:
                break
            found.append(Outgoing(seq, envelope))
        return found

    def confirm(self, seq: int) -> None:
        """Drop the reports up to `seq`: the site holds them."""
        with self.database.writing() as rows:
            rows.execute("DELETE FROM outbox WHERE seq <= ?", (seq,))
            rows.execute("UPDATE meta SET value = MAX(value, ?) WHERE name = 'acknowledged'", (seq,))

    def _acts(self, order: UUID | None) -> bool:
        found = self.database.row("SELECT effect FROM orders WHERE id = ?", str(order))
        return found is not None and found[0] != Effect.READ_ONLY

    def _meta(self, name: str) -> Any:
        found = self.database.row("SELECT value FROM meta WHERE name = ?", name)
        if found is None:
            raise JournalError("the journal is not whole")
        return found[0]

    @staticmethod
    def _keep_report(rows: sqlite3.Connection, epoch: str, seq: int, envelope: bytes) -> None:
        rows.execute("INSERT OR IGNORE INTO outbox VALUES (?, ?, ?)", (epoch, seq, envelope))


def _opened(path: Path) -> Database:
    """Return the journal's file; a damaged one is put aside, which loses the epoch with it."""
    try:
        return _checked(path)
    except JournalError as error:
        if not isinstance(error.__cause__, sqlite3.DatabaseError) or isinstance(
            error.__cause__, sqlite3.OperationalError
        ):
            raise
        logger.error("the journal is damaged and put aside, a new epoch begins: %s", error)
        for suffix in ("", "-wal", "-shm"):
            damaged = path.with_name(path.name + suffix)
            if damaged.exists():
                damaged.replace(path.with_name(f"damaged-{secrets.token_hex(4)}-{path.name}{suffix}"))
        return _checked(path)


def _checked(path: Path) -> Database:
    database = Database(path)
    if database.row("PRAGMA quick_check") != ("ok",):
        cause = sqlite3.DatabaseError("quick_check found damage")
        raise JournalError(str(cause)) from cause
    return database


def _withdrawn(rows: sqlite3.Connection, order: UUID, not_after: int, now: int) -> bool:
    rows.execute(
        "INSERT INTO orders (id, kind, effect, owner_hostid, state, not_after, changed_at)"
        " VALUES (?, '', '', '', 'withdrawn', ?, ?) ON CONFLICT (id) DO UPDATE SET state = 'withdrawn'"
        " WHERE state = 'accepted'",
        (str(order), not_after, now),
    )
    found = rows.execute("SELECT state FROM orders WHERE id = ?", (str(order),)).fetchone()
    return bool(found[0] == "withdrawn")


def _close_won_intent(rows: sqlite3.Connection, order: UUID) -> None:
    # One that was neither won nor closed stays open: the recovery after the next start looks at it again.
    rows.execute(
        "UPDATE intents SET state = 'closed' WHERE order_id = ? AND state IN ('committed', 'attaching')", (str(order),)
    )


def _next_seq(rows: sqlite3.Connection) -> int:
    rows.execute("UPDATE meta SET value = value + 1 WHERE name = 'seq'")
    return int(rows.execute("SELECT value FROM meta WHERE name = 'seq'").fetchone()[0])


def _fresh_epoch() -> str:
    return secrets.token_hex(16)
