"""Reading the history."""

from __future__ import annotations

from django.db.models import QuerySet

from apps.history.models import Event, EventDocument, Head
from kernelzone.chain import Frontier


def events_about(kind: str, subject_id: object) -> QuerySet[Event]:
    """Return the events that name this object, as their main subject or among the others, newest first."""
    return Event.objects.filter(subjects__kind=kind, subjects__subject_id=str(subject_id)).order_by("-seq")


def latest_events() -> QuerySet[Event]:
    """Return all events, newest first."""
    return Event.objects.order_by("-seq")


def events_after(seq: int) -> QuerySet[Event]:
    """Return the events with a number above `seq`, in their order: the way to catch up."""
    return Event.objects.filter(seq__gt=seq).order_by("seq")


def event(seq: int) -> Event | None:
    """Return the event with this number."""
    return Event.objects.filter(seq=seq).first()


def document(sha256: str) -> bytes | None:
    """Return the document with this digest (64 hex digits)."""
    found = EventDocument.objects.filter(sha256=sha256).first()
    return bytes(found.content) if found else None


def head() -> tuple[int, bytes]:
    """Return how many events there are, and the root of the tree over them (32 bytes)."""
    row = Head.objects.filter(pk=1).first() or Head()
    return row.size, Frontier.from_bytes(row.size, bytes(row.frontier)).root()
