"""The one place where a job changes its state."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db import connection
from django.db.transaction import TransactionManagementError
from django.utils import timezone
from django.utils.module_loading import import_string

from apps.base.errors import TransitionRefused
from apps.history.actors import SYSTEM, Actor
from apps.history.services import append
from apps.jobs.models import Job
from apps.jobs.workflow import OPEN, Move, State, next_state


def is_routine(job: Job) -> bool:
    """Return whether nobody asked for this job: a sweep's inspection leaves no events, it would drown the rest."""
    return job.requested_by_id is None and not job.subject_kind


def move_job(job: Job, move: Move, *, actor: Actor = SYSTEM, **changes: Any) -> Job:
    """Return the job after `move`, its `changes` saved with the state, its subject's app told, the event appended.

    In the caller's transaction. The row moves only from the state that `job` shows: of two who move it at once,
    on either database, one is refused. Raises: TransitionRefused.
    """
    if not connection.in_atomic_block:
        raise TransactionManagementError("a job moves in the transaction that has a reason for it")
    before = State(job.state)
    after = next_state(before, move)
    if after not in OPEN:
        changes.setdefault("finished_at", timezone.now())
    if not Job.objects.filter(pk=job.pk, state=before).update(state=after, **changes):
        raise TransitionRefused(state=Job.objects.values_list("state", flat=True).get(pk=job.pk), move=move)
    job.state = after
    for name, value in changes.items():
        setattr(job, name, value)
    tell_subject(job)
    if not is_routine(job):
        _append_move(job, move, before, actor)
    return job


def tell_subject(job: Job) -> None:
    """Call what the settings name for the kind of row that wanted this job."""
    path = settings.JOB_MOVED.get(job.subject_kind)
    if path:
        import_string(path)(job)


def subjects_of(job: Job) -> list[tuple[str, str]]:
    """Return what an event about this job is about, the job first."""
    subjects = [("job", str(job.pk)), ("host", job.host.owner_hostid)]
    if job.subject_kind:
        subjects.append((job.subject_kind, job.subject_id))
    return subjects


def _append_move(job: Job, move: Move, before: State, actor: Actor) -> None:
    data = {"kind": job.kind, "zone": job.zone_name or None, "from": before.value, "to": str(job.state)}
    append(f"job.{Move(move).value}", actor=actor, subjects=subjects_of(job), data=data | {"code": job.code or None})
