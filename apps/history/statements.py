"""The statements of an append, by hand: between the head's lock and the commit nobody else can append.

Through the ORM they take twice the time on the processor, and every change of the site waits in that line
(docs/decisions/0003-append-by-hand.md).
"""

from __future__ import annotations

from typing import Any, Final

from django.db import connection

from apps.history.models import Event, Head

_LOCK_HEAD: Final = "SELECT size, frontier FROM history_head WHERE id = 1"
_INSERT_EVENT: Final = (
    "INSERT INTO history_event"
    " (seq, recorded_at, type, actor_kind, actor_id, actor_name, body, leaf_sha256)"
    " VALUES (%s, %s, %s, %s, %s, %s, %s, %s)"
)
_INSERT_SUBJECTS: Final = "INSERT INTO history_eventsubject (event_id, kind, subject_id) VALUES "
_UPDATE_HEAD: Final = "UPDATE history_head SET size = %s, frontier = %s WHERE id = 1"


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


def insert(event: Event, subjects: list[tuple[str, str]], frontier: bytes) -> None:
    """Insert the event with what it is about, and move the head, whose lock the caller holds, to it."""
    recorded_at = connection.ops.adapt_datetimefield_value(event.recorded_at)
    actor = [event.actor_kind, event.actor_id, event.actor_name]
    places = ", ".join(["(%s, %s, %s)"] * len(subjects))
    statements: list[tuple[str, list[Any]]] = [
        (_INSERT_EVENT, [event.seq, recorded_at, event.type, *actor, event.body, event.leaf_sha256]),
        (_INSERT_SUBJECTS + places, [part for subject in subjects for part in (event.seq, *subject)]),
        (_UPDATE_HEAD, [event.seq, frontier]),
    ]
    with connection.cursor() as cursor:
        for statement, values in statements:
            cursor.execute(statement, values)
