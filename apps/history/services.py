"""Appending to the history."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple

from django.db import connection
from django.db.transaction import TransactionManagementError
from django.utils import timezone

from apps.history.actors import Actor
from apps.history.canonical import canonical_json
from apps.history.models import Event, EventDocument
from apps.history.statements import insert, lock_head
from kernelzone.chain import Frontier, leaf_hash

BODY_VERSION: Final = 1
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

Subject = tuple[str, str]


class _Said(NamedTuple):
    """An event that has no number yet."""

    event: Event
    actor: Actor
    about: list[Subject]
    data: dict[str, Any]
    documents: Sequence[bytes]


# the events of `events_last` that wait for its end, None outside of it
_waiting: ContextVar[list[_Said] | None] = ContextVar("events that wait", default=None)


def append(
    type: str,  # noqa: A002 - the event's own word
    *,
    actor: Actor,
    subjects: Sequence[Subject],
    data: dict[str, Any],
    documents: Sequence[bytes] = (),
) -> Event:
    """Return the event that now ends the history; it commits, or not, with the caller's transaction.

    type: `<noun>.<move>`, as in `forced-action.approve`. subjects: (kind, id) pairs, the main one first.
    data: JSON values without floats; a key with the value None is left out. documents: bytes the event names
    by digest, stored once. The head's lock is taken here and held until the commit: append last, or inside
    `events_last`, where the event gets its number at the end.
    Raises: TransactionManagementError outside a transaction, NotCanonicalError.
    """
    if not connection.in_atomic_block:
        raise TransactionManagementError("an event is appended in the transaction of the change it tells of")
    about = list(dict.fromkeys((kind, str(subject_id)) for kind, subject_id in subjects))
    event = Event(type=type, actor_kind=actor.kind, actor_id=actor.id, actor_name=actor.name)
    said = _Said(event, actor, about, data, documents)
    waiting = _waiting.get()
    if waiting is None:
        _append([said])
    else:
        waiting.append(said)
    return event


@contextmanager
def events_last() -> Iterator[None]:
    """Append what is said inside at its end, together: for a transaction that takes locks after it has said something.

    The head is the last lock of every transaction, or two of them wait for each other. Inside another `events_last`
    the events wait for the end of that one; what is said before an exception is not appended.
    Raises: TransactionManagementError outside a transaction.
    """
    if not connection.in_atomic_block:
        raise TransactionManagementError("events are appended in the transaction of the changes they tell of")
    outer = _waiting.get()
    mine: list[_Said] = []
    token = _waiting.set(mine)
    try:
        yield
    finally:
        _waiting.reset(token)
    if outer is not None:
        outer.extend(mine)
    elif mine:
        _append(mine)


def _append(said: Sequence[_Said]) -> None:
    """Give the events their numbers in order, and make them rows."""
    digests = [_store_documents(one.documents) for one in said]
    size, stored = lock_head()
    frontier = Frontier.from_bytes(size, stored)
    milliseconds = (timezone.now() - _EPOCH) // timedelta(milliseconds=1)
    entries, subjects = [], []
    for number, (one, docs) in enumerate(zip(said, digests, strict=True), start=size + 1):
        body = _body(one, number, milliseconds, docs)
        one.event.seq, one.event.body, one.event.leaf_sha256 = number, body, leaf_hash(body)
        one.event.recorded_at = _EPOCH + timedelta(milliseconds=milliseconds)
        frontier = frontier.append(one.event.leaf_sha256)
        entries.append((one.event, frontier.to_bytes()))
        subjects += [(number, kind, subject_id) for kind, subject_id in one.about]
    insert(entries, subjects)
    for one in said:
        one.event._state.adding = False  # it is a row now, to the ORM too


def _body(said: _Said, number: int, milliseconds: int, digests: list[str]) -> bytes:
    main, *others = [{"kind": kind, "id": subject_id} for kind, subject_id in said.about]
    return canonical_json(
        {
            "v": BODY_VERSION,
            "n": number,
            "t": milliseconds,
            "type": said.event.type,
            "actor": said.actor._asdict(),
            "subject": main,
            "also": others or None,
            "data": said.data,
            "docs": digests,
        }
    )


def _store_documents(documents: Sequence[bytes]) -> list[str]:
    """Return the digests of `documents`, in their order, all of them stored."""
    if not documents:
        return []
    by_digest = {hashlib.sha256(content).hexdigest(): content for content in documents}
    EventDocument.objects.bulk_create(
        [EventDocument(sha256=digest, content=content) for digest, content in sorted(by_digest.items())],
        ignore_conflicts=True,
    )
    return list(by_digest)
