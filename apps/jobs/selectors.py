"""Reading jobs."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from django.contrib.auth.models import AnonymousUser
from django.db.models import Q, QuerySet
from django.utils import timezone

from apps.accounts.models import User
from apps.accounts.selectors import has_permission
from apps.base.errors import NotFound
from apps.jobs.models import Job, JobLine
from apps.jobs.workflow import ACTIVE, State
from kernelzone.orders import MAX_ORDER_VALIDITY_S, Kind

# an agent's clock may be behind ours by so much
CLOCKS_DIFFER: Final = timedelta(seconds=120)
LONGEST_VALIDITY: Final = timedelta(seconds=MAX_ORDER_VALIDITY_S) + CLOCKS_DIFFER


def jobs_visible_to(user: User | AnonymousUser) -> QuerySet[Job]:
    """Return the jobs this account may see, with host, agent and requester: all, or none."""
    if not has_permission(user, "jobs.view"):
        return Job.objects.none()
    return Job.objects.select_related("host", "agent", "requested_by").defer("envelope", "final_report")


def jobs_somebody_wanted(user: User | AnonymousUser) -> QuerySet[Job]:
    """Return the visible jobs without the inspections of the sweep."""
    return jobs_visible_to(user).exclude(requested_by=None, subject_kind="")


def jobs_about(subject_kind: str, subject_id: str) -> QuerySet[Job]:
    """Return the jobs that this row of a higher app wanted, newest first."""
    rows = Job.objects.filter(subject_kind=subject_kind, subject_id=subject_id)
    return rows.select_related("host", "agent").order_by("-created_at", "-pk")


def active_jobs(subject_kind: str, subject_id: str) -> QuerySet[Job]:
    """Return those of them that still wait or run."""
    return jobs_about(subject_kind, subject_id).filter(state__in=ACTIVE)


def lines_of(job: Job, *, after: int = 0) -> QuerySet[JobLine]:
    """Return the live output of the job, in order, after line `after`."""
    return job.lines.filter(number__gt=after)


def withdrawn_orders(now: datetime | None = None) -> list[UUID]:
    """Return the orders no agent may begin, for the beacon: signed, taken back, and not expired by any clock."""
    now = now or timezone.now()
    still = Q(not_after__gt=now - CLOCKS_DIFFER)
    cancelled = Job.objects.filter(still, state=State.CANCELLED, envelope__isnull=False)
    asked = Job.objects.filter(kind=Kind.WITHDRAW, created_at__gt=now - LONGEST_VALIDITY).values_list(
        "subject_id", flat=True
    )
    running = Job.objects.filter(still, state__in=[State.RUNNING, State.UNKNOWN], pk__in=[UUID(pk) for pk in asked])
    return sorted({*cancelled.values_list("pk", flat=True), *running.values_list("pk", flat=True)})


def job_for_update(job_id: UUID, *, actor: User) -> Job:
    """Return the locked job. Raises: NotFound (absent and invisible alike)."""
    job = jobs_visible_to(actor).select_for_update(of=("self",)).filter(pk=job_id).first()
    if job is None:
        raise NotFound()
    return job
