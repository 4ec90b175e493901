"""Signed orders go to the broker, again and again until they are answered or expire.

The broker may lose, repeat or delay any of them: the agent's journal runs each order once. A row is first claimed
(`send_again_at` moves into the future), then published outside of any transaction, then moved to `sent`: a process
that dies in between has only delayed the next try.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import structlog
from celery import current_app
from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.utils import timezone
from kombu.entity import Exchange, Queue
from kombu.exceptions import OperationalError

from apps.base.errors import TransitionRefused
from apps.fleet.models import Agent
from apps.jobs.models import Job
from apps.jobs.services.moving import is_routine, move_job
from apps.jobs.workflow import Move, State
from kernelzone.orders import MOST_ORDERS_A_MESSAGE

logger = structlog.get_logger(__name__)

TASK: Final = "kzagent.run"
BATCH: Final = 200
# after the first, second ... sending; the last one for all that follow
PAUSES: Final = tuple(timedelta(seconds=seconds) for seconds in (5, 15, 60, 120, 300))
# an order whose validity is over is sent for its answer alone: the agent repeats its last report, or refuses
ANSWER_ONLY_EXPIRES_S: Final = 60
# so long an order of unknown outcome is asked about
ASK_FOR: Final = timedelta(days=1)
# a signer that runs has signed a new order by then; who waits for it looks so often
SIGNED_WITHIN: Final = timedelta(seconds=3)
LOOK_EVERY_S: Final = 0.03
_waiting: Final = threading.Lock()
_UNANSWERED: Final = (State.SENT, State.RUNNING)


def dispatch_while_signing() -> int:
    """Return how many orders were published; those the signer is about to sign are waited for, a moment long.

    The signer has no way to wake anybody: without this wait a person who pressed a button would wait for the beat.
    One thread of a process waits; what another one was woken for, it finds.
    """
    if not _waiting.acquire(blocking=False):
        return 0
    try:
        published = dispatch_jobs()
        while _is_being_signed(timezone.now()):
            time.sleep(LOOK_EVERY_S)
            published += dispatch_jobs()
        return published
    finally:
        _waiting.release()


def _is_being_signed(now: datetime) -> bool:
    return Job.objects.filter(state=State.NEW, created_at__gt=now - SIGNED_WITHIN, not_before__lte=now).exists()


def dispatch_jobs() -> int:
    """Return how many orders were published; those a broken broker did not take wait for the next call."""
    published = 0
    while _due(timezone.now()).exists() and (claimed := _claim(timezone.now())):
        sent = _publish(claimed)
        _mark_sent(sent)
        published += len(sent)
        if len(sent) < len(claimed):
            break
    return published


@transaction.atomic(durable=True)
def _claim(now: datetime) -> list[Job]:
    """Return the orders that are due, claimed: nobody else sends them before their pause is over."""
    rows = (
        _due(now)
        .select_for_update(skip_locked=True, of=("self",))
        .select_related("host")
        .defer("final_report", "args", "warrant")
        .order_by("created_at")[:BATCH]
    )
    claimed = list(rows)
    for pause in PAUSES:
        these = [job.pk for job in claimed if _pause(job) == pause]
        if these:
            Job.objects.filter(pk__in=these).update(send_again_at=now + pause)
    return claimed


def _due(now: datetime) -> QuerySet[Job]:
    """Return the orders to publish now: signed, in their time, and not just sent; or of unknown outcome."""
    valid = Q(state__in=(State.SIGNED, *_UNANSWERED), not_after__gt=now)
    asked_about = Q(state=State.UNKNOWN, not_after__gt=now - ASK_FOR)
    return Job.objects.filter(
        Q(send_again_at=None) | Q(send_again_at__lte=now),
        valid | asked_about,
        not_before__lte=now,
        envelope__isnull=False,
        agent__state=Agent.State.TRUSTED,
    )


def _pause(job: Job) -> timedelta:
    if job.state == State.UNKNOWN:
        return PAUSES[-1]
    return PAUSES[min(job.sent_count, len(PAUSES) - 1)]


def _publish(jobs: list[Job]) -> list[Job]:
    """Return those of `jobs` that the broker took. Outside of any transaction: the broker may be slow, or gone."""
    sent: list[Job] = []
    try:
        with order_producer() as producer:
            for some in _messages(jobs):
                send_orders(producer, some)
                sent += some
    except (OperationalError, OSError) as fault:
        logger.warning("the broker does not take orders", fault=type(fault).__name__, left=len(jobs) - len(sent))
    return sent


@contextmanager
def order_producer() -> Iterator[Any]:
    """Give one producer on one connection for a whole batch."""
    with current_app.producer_or_acquire() as producer:
        yield producer


def _messages(jobs: list[Job]) -> list[list[Job]]:
    """Return what goes out together: a sweep's orders to one agent. What somebody waits for goes alone, and first."""
    alone = [[job] for job in jobs if not is_routine(job)]
    by_agent: dict[UUID, list[Job]] = {}
    for job in jobs:
        if is_routine(job):
            by_agent.setdefault(job.agent_id, []).append(job)
    together = [
        some[start : start + MOST_ORDERS_A_MESSAGE]
        for some in by_agent.values()
        for start in range(0, len(some), MOST_ORDERS_A_MESSAGE)
    ]
    return alone + together


def send_orders(producer: Any, jobs: Sequence[Job]) -> None:
    """Put the orders into the queue of their one agent, as one message. Raises: OperationalError, OSError.

    The exchange is the broker's default one: with a named one a queue is lost when the broker forgets its binding.
    """
    queue = f"agent.{jobs[0].agent_id}"
    valid_s = (max(job.not_after for job in jobs) - timezone.now()).total_seconds()
    current_app.send_task(
        TASK,
        args=["\n".join(bytes(job.envelope or b"").decode() for job in jobs)],
        queue=Queue(queue, Exchange(""), routing_key=queue),  # type: ignore[no-untyped-call]
        expires=max(valid_s, ANSWER_ONLY_EXPIRES_S),
        producer=producer,
        retry=False,
        ignore_result=True,
    )


def _mark_sent(jobs: Iterable[Job]) -> None:
    """The jobs were published; those that were `signed` are `sent`, and nothing else about them changes."""
    jobs = list(jobs)
    now = timezone.now()
    with transaction.atomic(durable=True):
        Job.objects.filter(pk__in=[job.pk for job in jobs]).update(sent_count=F("sent_count") + 1)
        routine = [job.pk for job in jobs if is_routine(job)]
        Job.objects.filter(pk__in=routine, state=State.SIGNED).update(state=State.SENT, sent_at=now)
    for job in jobs:
        if job.state == State.SIGNED and not is_routine(job):
            _move_to_sent(job, now)


def _move_to_sent(job: Job, now: datetime) -> None:
    try:
        with transaction.atomic(durable=True):
            move_job(job, Move.PUBLISH, sent_at=now)
    except TransitionRefused:
        logger.info("a report was faster than the row", job=str(job.pk))
