"""Reconcilers: no input, the rows are the work list. Running one twice, or two at once, changes nothing."""

from __future__ import annotations

from typing import Final

from celery import shared_task

from apps.jobs.services import dispatching, expiring, ingesting, inspecting

DISPATCH: Final = "apps.jobs.dispatch_jobs"
INGEST: Final = "apps.jobs.ingest_reports"
EXPIRE: Final = "apps.jobs.expire_jobs"
SWEEP: Final = "apps.jobs.sweep_inspections"


@shared_task(name=DISPATCH, acks_late=True, ignore_result=True, time_limit=60)  # type: ignore[untyped-decorator]
def dispatch_jobs() -> int:
    """Publish every signed order that is due; return how many were published."""
    return dispatching.dispatch_while_signing()


@shared_task(name=INGEST, acks_late=True, ignore_result=True, time_limit=60)  # type: ignore[untyped-decorator]
def ingest_reports() -> int:
    """Take in every report in the inbox; return how many were taken in."""
    return ingesting.ingest_reports()


@shared_task(name=EXPIRE, acks_late=True, ignore_result=True, time_limit=60)  # type: ignore[untyped-decorator]
def expire_jobs() -> int:
    """Give up the jobs nobody answered; return how many."""
    return expiring.expire_jobs()


@shared_task(name=SWEEP, acks_late=True, ignore_result=True, time_limit=60)  # type: ignore[untyped-decorator]
def sweep_inspections() -> int:
    """Give every host its inspection, and forget those of long ago; return how many were inserted."""
    inspecting.forget_routine_jobs()
    return inspecting.insert_inspections()
