"""Jobs: the list, and one with its progress, clock and live output."""

from __future__ import annotations

from typing import Any, Final, NamedTuple
from urllib.parse import urlencode
from uuid import UUID

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST, require_safe

from apps.accounts.pages import page
from apps.accounts.selectors import has_permission
from apps.base import live
from apps.base.errors import NotFound
from apps.history.selectors import events_about
from apps.jobs.models import Job
from apps.jobs.selectors import jobs_somebody_wanted, jobs_visible_to, lines_of
from apps.jobs.services import cancel_job
from apps.jobs.workflow import ACTIVE, State
from kernelzone.orders import KINDS, Effect, Kind
from kzfleet.pages.moves import step_after

PAGE_SIZE: Final = 50
EVENTS_SHOWN: Final = 12


class Moment(NamedTuple):
    """One step of a job with the time it was reached. `state`: done, now, todo or failed."""

    label: str
    state: str
    at: Any = None
    note: str = ""


@require_safe
@page("jobs.view")
def list_jobs(request: HttpRequest) -> HttpResponse:
    """Return the jobs somebody wanted, newest first; or all, the inspections of the sweep included."""
    user: Any = request.user
    shows = "all" if request.GET.get("show") == "all" else ""
    state = request.GET.get("state", "")
    found = jobs_visible_to(user) if shows == "all" else jobs_somebody_wanted(user)
    if state in State.values:
        found = found.filter(state=state)
    shown = Paginator(found.order_by("-created_at", "-pk"), PAGE_SIZE).get_page(request.GET.get("page"))
    context = {
        "jobs": shown,
        "page": shown,
        "shows": shows,
        "state": state,
        "states": State.values,
        "query": urlencode({"show": shows, "state": state}),
    }
    return live.show(request, "jobs/list.html", "jobs/_list.html", context)


@require_safe
@page("jobs.view")
def show_job(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Return one job, kept live while it is under way."""
    job = jobs_visible_to(request.user).filter(pk=pk).first()
    if job is None:
        raise NotFound()
    context = {
        "job": job,
        "title": " ".join(filter(None, (_kind(job), job.zone_name, "on", str(job.host)))),
        "lines": list(lines_of(job)),
        "next_step": step_after(job, request.user),
        "moments": _moments(job),
        "subject_path": _subject_path(job),
        "is_active": job.state in ACTIVE,
        "may_cancel": _can_be_cancelled(job) and has_permission(request.user, "jobs.cancel"),
        "events": events_about("job", job.pk)[:EVENTS_SHOWN],
    }
    return live.show(request, "jobs/page.html", "jobs/_live.html", context)


@require_POST
@page("jobs.cancel", noun="job", subject="pk")
def cancel(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Take the order back, as long as the agent has not begun."""
    job = cancel_job(pk, actor=request.user)  # type: ignore[arg-type]
    if job.state != State.CANCELLED:
        messages.warning(request, "It runs already; its agent was asked to take it back.")
    return redirect("job", pk=pk)


def _kind(job: Job) -> str:
    return f"dry run: {job.kind}" if job.args.get("dry_run") else job.kind


def _can_be_cancelled(job: Job) -> bool:
    return job.state in ACTIVE and KINDS[Kind(job.kind)].effect is not Effect.FORCED


def _moments(job: Job) -> list[Moment]:
    reached = [
        ("Inserted", job.created_at, ""),
        ("Signed", job.signed_at, ""),
        ("Sent", job.sent_at, f"{job.sent_count} times" if job.sent_count > 1 else ""),
        ("Running", job.started_at, ""),
        ("Ended", job.finished_at, job.get_state_display() if job.finished_at else ""),
    ]
    count = max((index for index, (_, at, _) in enumerate(reached) if at is not None), default=0) + 1
    return [
        Moment(label, _moment_state(index, count, job), at, note) for index, (label, at, note) in enumerate(reached)
    ]


def _moment_state(index: int, count: int, job: Job) -> str:
    if index < count - 1 or job.state == State.DONE:
        return "done"
    if index >= count:
        return "todo"
    return "now" if job.state in {*ACTIVE, State.UNKNOWN} else "failed"


def _subject_path(job: Job) -> str:
    place = {"conflict": "conflicts", "forced-action": "forced-actions", "zone": "zones", "host": "hosts"}.get(
        job.subject_kind
    )
    return f"/{place}/{job.subject_id}" if place else ""
