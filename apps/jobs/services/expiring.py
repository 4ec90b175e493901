"""What becomes of jobs that nobody answers. Silence proves nothing: no job fails by the clock."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import structlog
from django.db import transaction
from django.utils import timezone

from apps.base.errors import TransitionRefused
from apps.jobs.models import Job
from apps.jobs.services.moving import move_job
from apps.jobs.workflow import ACTIVE, Move, State
from kernelzone.orders import KINDS, Effect, Kind

logger = structlog.get_logger(__name__)

BATCH: Final = 500
AT_ONCE: Final = timedelta(0)
REPORTS_ON_THE_WAY: Final = timedelta(seconds=30)
LONG_SILENCE: Final = timedelta(minutes=15)

# (is the order out?, does it run?) and the effect: how long after `not_after`, and the move then
_RULES: Final[dict[tuple[str, Effect], tuple[timedelta, Move]]] = {
    ("waiting", Effect.READ_ONLY): (AT_ONCE, Move.EXPIRE),
    ("waiting", Effect.SAFE): (AT_ONCE, Move.EXPIRE),
    ("waiting", Effect.FORCED): (AT_ONCE, Move.EXPIRE),
    ("sent", Effect.READ_ONLY): (REPORTS_ON_THE_WAY, Move.EXPIRE),
    ("sent", Effect.SAFE): (REPORTS_ON_THE_WAY, Move.EXPIRE),
    ("sent", Effect.FORCED): (LONG_SILENCE, Move.FINISH_UNKNOWN),
    ("running", Effect.READ_ONLY): (REPORTS_ON_THE_WAY, Move.EXPIRE),
    ("running", Effect.SAFE): (LONG_SILENCE, Move.FINISH_UNKNOWN),
    ("running", Effect.FORCED): (LONG_SILENCE, Move.FINISH_UNKNOWN),
}


def expire_jobs(now: datetime | None = None) -> int:
    """Return how many jobs were given up: `expired`, or `unknown` where the order may have acted."""
    now = now or timezone.now()
    overdue = Job.objects.filter(state__in=ACTIVE, not_after__lt=now).order_by("not_after")
    return sum(_give_up(pk, now) for pk in overdue.values_list("pk", flat=True)[:BATCH])


@transaction.atomic(durable=True)
def _give_up(pk: UUID, now: datetime) -> bool:
    job = Job.objects.select_for_update(of=("self",)).select_related("host").filter(pk=pk, state__in=ACTIVE).first()
    if job is None:
        return False
    grace, move = _RULES[_stage(job), KINDS[Kind(job.kind)].effect]
    if now < job.not_after + grace:
        return False
    try:
        move_job(job, move, code="NO_ANSWER")
    except TransitionRefused:
        return False  # on SQLite the lock above is none: a report was faster
    return True


def _stage(job: Job) -> str:
    """Return how far the order may have come; one that was about to be sent counts as sent."""
    if job.state in (State.SENT, State.RUNNING):
        return str(job.state)
    return "waiting" if job.send_again_at is None else "sent"
