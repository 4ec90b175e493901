"""The journal's file: SQLite, whose commits have reached the disk when a call returns, but those that need not.

Source: sqlite.org, PRAGMA synchronous (FULL in WAL mode: each commit is flushed).
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from kzagent.errors import JournalError

SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS orders (
    id TEXT PRIMARY KEY, sha256 TEXT, kind TEXT NOT NULL, effect TEXT NOT NULL, owner_hostid TEXT NOT NULL,
    zone TEXT, state TEXT NOT NULL CHECK (state IN ('accepted', 'acting', 'finished', 'withdrawn')),
    not_after INTEGER NOT NULL, changed_at INTEGER NOT NULL, report_seq INTEGER, report BLOB) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS intents (
    order_id TEXT NOT NULL REFERENCES orders (id), owner_hostid TEXT NOT NULL, zone TEXT NOT NULL,
    device TEXT NOT NULL, old_a BLOB NOT NULL, old_b BLOB NOT NULL, new_a BLOB NOT NULL, new_b BLOB NOT NULL,
    deadline_ms INTEGER NOT NULL, not_after INTEGER NOT NULL, boot_id TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('intent', 'committed', 'attaching', 'closed')), outcome TEXT NOT NULL,
    PRIMARY KEY (order_id, device)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS readings (
    nonce TEXT PRIMARY KEY, owner_hostid TEXT NOT NULL, zone TEXT NOT NULL, device TEXT NOT NULL, raw_sha256 TEXT,
    monotonic_ms INTEGER NOT NULL, boot_id TEXT NOT NULL, is_open INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS outbox (
    epoch TEXT NOT NULL, seq INTEGER NOT NULL, envelope BLOB NOT NULL, PRIMARY KEY (epoch, seq)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS high_water (
    zone_uuid TEXT PRIMARY KEY, generation INTEGER NOT NULL, record_sha256 TEXT) WITHOUT ROWID;
"""


class Database:
    """One connection, used by one thread at a time."""

    def __init__(self, path: Path) -> None:
        self._lock = threading.RLock()
        with _as_journal_error("open"):
            self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=10)
            path.chmod(0o600)
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute("PRAGMA synchronous = FULL")
            self._connection.executescript(SCHEMA)

    @contextmanager
    def writing(self, *, durable: bool = True) -> Iterator[sqlite3.Connection]:
        """Yield the connection inside one transaction that is on the disk when the block ends.

        durable: False for what a power loss may take; it is on the disk with the next one that is durable, and
        outlives the process at once. Inside another block it is part of that.
        Raises: JournalError (full disk, I/O error, damaged file); nothing of the block is kept then.
        """
        with self._lock, _as_journal_error("write"):
            if self._connection.in_transaction:
                yield self._connection
                return
            self._connection.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            finally:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")

    def rows(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        """Return the rows of one query. Raises: JournalError."""
        with self._lock, _as_journal_error("read"):
            return self._connection.execute(statement, values).fetchall()

    def row(self, statement: str, *values: Any) -> tuple[Any, ...] | None:
        """Return the first row of one query, or None. Raises: JournalError."""
        found = self.rows(statement, *values)
        return found[0] if found else None

    def close(self) -> None:
        """Close the file; the object is of no use afterwards."""
        with self._lock:
            self._connection.close()


@contextmanager
def _as_journal_error(verb: str) -> Iterator[None]:
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        raise JournalError(f"could not {verb} the journal: {error}") from error
