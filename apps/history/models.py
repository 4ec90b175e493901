"""The rows of the history. All but the head are only ever inserted; triggers refuse the rest."""

from __future__ import annotations

import json
from typing import Any

from django.db import models


class Event(models.Model):
    """One entry of the history.

    seq: 1, 2, 3 … without a gap; the event's index in the tree is seq - 1.
    body: the exact canonical bytes; the other columns repeat parts of it for look-ups.
    leaf_sha256: SHA-256(00 || body), 32 bytes.
    """

    seq = models.BigIntegerField(primary_key=True)
    recorded_at = models.DateTimeField()
    type = models.CharField(max_length=80)
    actor_kind = models.CharField(max_length=8)
    actor_id = models.CharField(max_length=200)
    actor_name = models.CharField(max_length=200)
    body = models.BinaryField()
    leaf_sha256 = models.BinaryField(max_length=32)

    class Meta:
        ordering = ["seq"]
        indexes = [
            models.Index(fields=["type", "seq"], name="event_by_type"),
            models.Index(fields=["actor_kind", "actor_id", "seq"], name="event_by_actor"),
            models.Index(fields=["recorded_at"], name="event_by_time"),
        ]
        constraints = [
            models.CheckConstraint(condition=models.Q(seq__gte=1), name="event_seq_from_one"),
            models.CheckConstraint(
                condition=models.Q(actor_kind__in=["person", "agent", "system", "ticket"]),
                name="event_actor_kind",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.seq} {self.type}"

    @property
    def record(self) -> dict[str, Any]:
        """The body as a dictionary (keys v, n, t, type, actor, subject, also, data, docs)."""
        parsed: dict[str, Any] = json.loads(bytes(self.body))
        return parsed


class EventSubject(models.Model):
    """What an event is about, for look-ups: the main subject and the others."""

    event = models.ForeignKey(Event, on_delete=models.PROTECT, related_name="subjects")
    kind = models.CharField(max_length=40)
    subject_id = models.CharField(max_length=200)

    class Meta:
        indexes = [models.Index(fields=["kind", "subject_id", "event"], name="event_by_subject")]
        constraints = [
            models.UniqueConstraint(fields=["event", "kind", "subject_id"], name="event_subject_once"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.subject_id}"


class EventDocument(models.Model):
    """A document that events name by its digest (64 hex digits); stored once."""

    sha256 = models.CharField(max_length=64, primary_key=True)
    content = models.BinaryField()

    def __str__(self) -> str:
        return self.sha256


class Head(models.Model):
    """The single row that says how long the history is. Its lock is always the last one taken.

    frontier: the tree's right edge, as `kernelzone.chain.Frontier` serialises it.
    """

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    size = models.BigIntegerField(default=0)
    frontier = models.BinaryField(default=b"")

    class Meta:
        constraints = [models.CheckConstraint(condition=models.Q(id=1), name="head_single_row")]

    def __str__(self) -> str:
        return f"head of {self.size} events"
