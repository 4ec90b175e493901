"""Taking orders back. An order that was sent is withdrawn by another order, and by every answer to reports."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from django.db import transaction

from apps.accounts.models import User
from apps.accounts.selectors import require
from apps.history.actors import Actor, person
from apps.history.services import append
from apps.jobs.errors import ForcedOrder, OrderFinished
from apps.jobs.models import Job
from apps.jobs.selectors import job_for_update
from apps.jobs.services.inserting import insert_job
from apps.jobs.services.moving import move_job, subjects_of
from apps.jobs.workflow import OPEN, WAITING, Move, State
from kernelzone.orders import KINDS, Effect, Kind

WITHDRAWAL: Final = "withdrawal"


@transaction.atomic(durable=True)
def cancel_job(job_id: UUID, *, actor: User) -> Job:
    """Return the job, cancelled; one that runs already stays so, and its agent is asked to take the order back.

    Raises: NotFound, NotAllowed, ForcedOrder, OrderFinished.
    """
    job = job_for_update(job_id, actor=actor)
    require(actor, "jobs.cancel")
    if KINDS[Kind(job.kind)].effect is Effect.FORCED:
        raise ForcedOrder()
    return withdraw_job(job, actor=person(actor), requested_by=actor)


def withdraw_job(job: Job, *, actor: Actor, requested_by: User | None = None) -> Job:
    """Return the job, cancelled if no report came yet, and withdrawn from its agent if it may have it.

    In the caller's transaction, `job` locked. Raises: OrderFinished.
    """
    state = State(job.state)
    if state not in OPEN or job.kind == Kind.WITHDRAW:
        raise OrderFinished(state=str(job.state))
    if _may_be_out(job):
        _insert_withdrawal(job, requested_by)
    if state in WAITING:
        return move_job(job, Move.CANCEL, actor=actor)
    append("job.withdraw", actor=actor, subjects=subjects_of(job), data={"kind": job.kind, "state": str(job.state)})
    return job


def _may_be_out(job: Job) -> bool:
    """Return whether the agent may have this order: `send_again_at` is set before the broker is asked."""
    return job.envelope is not None and (job.send_again_at is not None or job.sent_count > 0)


def _insert_withdrawal(job: Job, requested_by: User | None) -> None:
    insert_job(
        key=f"withdraw:{job.pk}",
        kind=Kind.WITHDRAW,
        host=job.host,
        args={"order": str(job.pk)},
        subject_kind=WITHDRAWAL,
        subject_id=str(job.pk),
        requested_by=requested_by,
    )
