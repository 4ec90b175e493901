"""Appending to the history."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

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
    by digest, stored once. The head's lock is taken here and held until the commit: append last.
    Raises: TransactionManagementError outside a transaction, NotCanonicalError.
    """
    if not connection.in_atomic_block:
        raise TransactionManagementError("an event is appended in the transaction of the change it tells of")
    about = list(dict.fromkeys((kind, str(subject_id)) for kind, subject_id in subjects))
    main, *others = [{"kind": kind, "id": subject_id} for kind, subject_id in about]
    digests = _store_documents(documents)
    size, frontier = lock_head()
    milliseconds = (timezone.now() - _EPOCH) // timedelta(milliseconds=1)
    body = canonical_json(
        {
            "v": BODY_VERSION,
            "n": size + 1,
            "t": milliseconds,
            "type": type,
            "actor": actor._asdict(),
            "subject": main,
            "also": others or None,
            "data": data,
            "docs": digests,
        }
    )
    leaf = leaf_hash(body)
    event = Event(
        seq=size + 1,
        recorded_at=_EPOCH + timedelta(milliseconds=milliseconds),
        type=type,
        actor_kind=actor.kind,
        actor_id=actor.id,
        actor_name=actor.name,
        body=body,
        leaf_sha256=leaf,
    )
    insert(event, about, Frontier.from_bytes(size, frontier).append(leaf).to_bytes())
    event._state.adding = False  # it is a row now, to the ORM too
    return event


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
