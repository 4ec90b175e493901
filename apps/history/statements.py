"""The statements of an append, by hand: between the head's lock and the commit nobody else can append.

Through the ORM they take twice the time on the processor, and every change of the site waits in that line
(docs/decisions/0003-append-by-hand.md).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from django.db import connection

from apps.history.models import Event, Head

_LOCK_HEAD: Final = "SELECT size, frontier FROM history_head WHERE id = 1"
_INSERT_EVENT: Final = (
    "INSERT INTO history_event (seq, recorded_at, type, actor_kind, actor_id, actor_name, body, leaf_sha256)"
    " VALUES (%s, %s, %s, %s, %s, %s, %s, %s)"
)
_INSERT_SUBJECTS: Final = "INSERT INTO history_eventsubject (event_id, kind, subject_id) VALUES "
_UPDATE_HEAD: Final = "UPDATE history_head SET size = %s, frontier = %s WHERE id = 1"
# SQLite may take no more than 999 values in one statement
_MOST_ROWS: Final = 300


def lock_head() -> tuple[int, bytes]:
    """Return size and frontier of the head, locked until the transaction ends; it is made when there is none."""
    # SQLite has no row locks: its transactions are IMMEDIATE, so the writer that is here is alone.
    statement = f"{_LOCK_HEAD} FOR UPDATE" if connection.features.has_select_for_update else _LOCK_HEAD
    with connection.cursor() as cursor:
        cursor.execute(statement)
        row = cursor.fetchone()
        if row is None:
            Head.objects.get_or_create(pk=1)
            cursor.execute(statement)
            row = cursor.fetchone()
    return row[0], bytes(row[1])


def insert(entries: Sequence[tuple[Event, bytes]], subjects: Sequence[tuple[int, str, str]]) -> None:
    """Insert each event, and move the head, whose lock the caller holds, to it with the frontier beside it.
    subjects: (seq, kind, id) of all of them.

    Event by event: the trigger of PostgreSQL lets in none but the one that follows the head.
    """
    with connection.cursor() as cursor:
        for event, frontier in entries:
            cursor.execute(_INSERT_EVENT, _values(event))
            cursor.execute(_UPDATE_HEAD, [event.seq, frontier])
        _insert_rows(cursor, _INSERT_SUBJECTS, subjects)


def _insert_rows(cursor: Any, statement: str, rows: Sequence[tuple[Any, ...]]) -> None:
    for start in range(0, len(rows), _MOST_ROWS):
        some = rows[start : start + _MOST_ROWS]
        place = f"({', '.join(['%s'] * len(some[0]))})"
        cursor.execute(statement + ", ".join([place] * len(some)), [value for row in some for value in row])


def _values(event: Event) -> tuple[Any, ...]:
    recorded_at = connection.ops.adapt_datetimefield_value(event.recorded_at)
    actor = (event.actor_kind, event.actor_id, event.actor_name)
    return (event.seq, recorded_at, event.type, *actor, event.body, event.leaf_sha256)
