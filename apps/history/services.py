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
from apps.history.models import Event, EventDocument, EventSubject, Head
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
    digests = _store_documents(documents)
    head = _head_for_update()
    milliseconds = (timezone.now() - _EPOCH) // timedelta(milliseconds=1)
    main, *others = [{"kind": kind, "id": str(subject_id)} for kind, subject_id in dict.fromkeys(subjects)]
    body = canonical_json(
        {
            "v": BODY_VERSION,
            "n": head.size + 1,
            "t": milliseconds,
            "type": type,
            "actor": actor._asdict(),
            "subject": main,
            "also": others or None,
            "data": data,
            "docs": digests,
        }
    )
    event = Event.objects.create(
        seq=head.size + 1,
        recorded_at=_EPOCH + timedelta(milliseconds=milliseconds),
        type=type,
        actor_kind=actor.kind,
        actor_id=actor.id,
        actor_name=actor.name,
        body=body,
        leaf_sha256=leaf_hash(body),
    )
    EventSubject.objects.bulk_create(
        EventSubject(event=event, kind=kind, subject_id=str(subject_id)) for kind, subject_id in dict.fromkeys(subjects)
    )
    _extend(head, event)
    return event


def _store_documents(documents: Sequence[bytes]) -> list[str]:
    """Return the digests of `documents`, in their order, all of them stored."""
    by_digest = {hashlib.sha256(content).hexdigest(): content for content in documents}
    EventDocument.objects.bulk_create(
        [EventDocument(sha256=digest, content=content) for digest, content in sorted(by_digest.items())],
        ignore_conflicts=True,
    )
    return list(by_digest)


def _head_for_update() -> Head:
    head, _ = Head.objects.select_for_update().get_or_create(pk=1)
    return head


def _extend(head: Head, event: Event) -> None:
    frontier = Frontier.from_bytes(head.size, bytes(head.frontier)).append(bytes(event.leaf_sha256))
    head.size = event.seq
    head.frontier = frontier.to_bytes()
    head.save(update_fields=["size", "frontier"])
