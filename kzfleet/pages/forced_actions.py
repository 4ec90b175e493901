"""Forced actions: the list, and one as the letter it is, with its evidence, approvals, order and outcome."""

from __future__ import annotations

from typing import Any, Final, NamedTuple
from uuid import UUID

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from apps.accounts.pages import page
from apps.accounts.selectors import has_permission
from apps.base import live
from apps.base.errors import DomainError, NotFound
from apps.conflicts.evidence import differences
from apps.conflicts.models import EvidenceSheet
from apps.conflicts.selectors import sheet_progress
from apps.forced_actions.models import Approval, ForcedAction
from apps.forced_actions.selectors import (
    approvals_of,
    changes_of,
    command_of,
    forced_actions_visible_to,
    job_of,
    latest_warrant,
    people_who_approved,
    waiting_for,
)
from apps.forced_actions.services import (
    Decision,
    cancel_forced_action,
    comment_on_forced_action,
    decide_forced_action,
)
from apps.forced_actions.workflow import OPEN, State
from apps.history.refusals import record_refusal
from apps.history.selectors import events_about
from apps.jobs.models import Job
from apps.jobs.selectors import lines_of
from kzfleet.pages.door_words import PROBE_TITLES
from kzfleet.pages.letter import configurations_compared, loser_of, title_of, what_is_lost, who_else

PAGE_SIZE: Final = 50
EVENTS_SHOWN: Final = 30
_ENDED_BADLY: Final = {
    State.NOT_APPLIED,
    State.LOST,
    State.DENIED,
    State.EXPIRED,
    State.CANCELLED,
    State.VOIDED,
}


class Step(NamedTuple):
    """One step of the track at the top. `state`: done, now, todo or failed."""

    label: str
    state: str
    at: Any = None
    note: str = ""


@require_safe
@page("forced_actions.view")
def list_forced_actions(request: HttpRequest) -> HttpResponse:
    """Return the forced actions, those that are open first asked for, then the others, newest first."""
    found = forced_actions_visible_to(request.user)
    shows = "all" if request.GET.get("show") == "all" else "open"
    if shows == "open":
        found = found.filter(state__in=OPEN)
    shown = Paginator(found.order_by("-requested_at"), PAGE_SIZE).get_page(request.GET.get("page"))
    context = {"actions": shown, "page": shown, "shows": shows, "query": f"show={shows}"}
    return live.show(request, "forced_actions/list.html", "forced_actions/_list.html", context)


@require_safe
@page("forced_actions.view")
def show_forced_action(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Return one forced action, kept live."""
    context = _context(request, _action(request, pk))
    return live.show(request, "forced_actions/page.html", "forced_actions/_live.html", context)


@require_POST
@page("forced_actions.view")
def decide(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Approve or deny; what is refused is said on the page of the request itself."""
    decision = Decision(
        request.POST.get("verdict", ""),
        request.POST.get("evidence_sha256", ""),
        request.POST.get("second_factor", ""),
        request.POST.get("comment", ""),
    )
    try:
        decide_forced_action(pk, decision, actor=request.user)  # type: ignore[arg-type]
    except DomainError as refusal:
        return _refused(request, pk, refusal, action=decision.verdict[:16])
    return redirect("forced_action", pk=pk)


@require_POST
@page("forced_actions.view")
def cancel(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Take one's own request back."""
    try:
        cancel_forced_action(pk, actor=request.user)  # type: ignore[arg-type]
    except DomainError as refusal:
        return _refused(request, pk, refusal, action="cancel")
    return redirect("forced_action", pk=pk)


@require_POST
@page("forced_actions.view")
def comment(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Add a comment."""
    try:
        comment_on_forced_action(pk, actor=request.user, text=request.POST.get("text", ""))  # type: ignore[arg-type]
    except DomainError as refusal:
        return _refused(request, pk, refusal, action="comment")
    return redirect("forced_action", pk=pk)


def _refused(request: HttpRequest, pk: UUID, refusal: DomainError, *, action: str) -> HttpResponse:
    record_refusal(refusal, request, noun="forced-action", subject_id=pk, action=action)
    context = _context(request, _action(request, pk)) | {"refusal": refusal}
    context["refusal_changes"] = refusal.facts.get("difference", [])
    # what was typed is kept; a code is used up by being wrong too
    context["typed_comment"] = request.POST.get("comment", "")
    context["typed_text"] = request.POST.get("text", "")
    return render(request, "forced_actions/page.html", context, status=refusal.status)


def _action(request: HttpRequest, pk: UUID) -> ForcedAction:
    found = forced_actions_visible_to(request.user)
    action = found.select_related("conflict", "sheet", "release_sheet").filter(pk=pk).first()
    if action is None:
        raise NotFound()
    return action


def _context(request: HttpRequest, action: ForcedAction) -> dict[str, Any]:
    user: Any = request.user
    job = job_of(action)
    return {
        "action": action,
        "address": f"/forced-actions/{action.pk}",
        "zone": action.zone,
        "title": title_of(action),
        "probe_titles": PROBE_TITLES,
        "steps": _steps(action, job),
        "command": command_of(action),
        "loser": loser_of(action),
        "lost": what_is_lost(action),
        "who_else": who_else(action, timezone.now()),
        "compared": configurations_compared(action) if action.loser_hostid else None,
        "rows": list(action.sheet.rows.all()) if action.sheet else [],
        "observing": _observing(action),
        "changes": _changes(action),
        "approvals": list(approvals_of(action)),
        "missing": range(max(0, action.approvals_needed - len(people_who_approved(action)))),
        "approved": len(people_who_approved(action)),
        "comments": action.comments.select_related("person").order_by("made_at"),
        "warrant": latest_warrant(action),
        "job": job,
        "lines": list(lines_of(job)) if job else [],
        "events": events_about("forced-action", action.pk)[:EVENTS_SHOWN],
        "may_decide": waiting_for(user).filter(pk=action.pk).exists(),
        "may_veto": has_permission(user, "forced_actions.veto") and action.state in _CAN_BE_VETOED,
        "why_not": _why_not(user, action),
        "may_cancel": _may_cancel(user, action),
        "now": timezone.now(),
    }


_CAN_BE_VETOED: Final = {State.PENDING, State.RELEASING, State.EXECUTING}


def _may_cancel(user: Any, action: ForcedAction) -> bool:
    is_own = action.requested_by.person_id == user.person_id
    return is_own and action.state in {State.OBSERVING, State.PENDING}


def _why_not(user: Any, action: ForcedAction) -> str:
    """Return why this person cannot approve, said before they try; "" when they can, or need not be told."""
    if action.state != State.PENDING or not has_permission(user, "forced_actions.approve"):
        return ""
    if action.requested_by.person_id == user.person_id:
        return "You asked for this yourself: somebody else must approve it."
    if action.approvals.filter(person_id=user.person_id).exists():
        return "You have decided already."
    return ""


def _observing(action: ForcedAction) -> Job | None:
    """Return the job that gathers evidence for this action now."""
    for sheet in (action.release_sheet, action.sheet):
        if sheet is not None and sheet.state == EvidenceSheet.State.GATHERING:
            return sheet_progress(sheet)
    return None


def _changes(action: ForcedAction) -> list[Any]:
    """Return what differs between the evidence that was approved and what was found right before signing."""
    if action.difference:
        return list(changes_of(action))
    then, now = action.sheet, action.release_sheet
    if then is None or now is None or now.state != EvidenceSheet.State.COMPLETE:
        return []
    return list(differences(then, now))


def _steps(action: ForcedAction, job: Job | None) -> list[Step]:
    """Return the track: requested, evidence, approvals, released, carried out, settled."""
    decided = [row for row in approvals_of(action) if row.verdict == Approval.Verdict.APPROVE]
    labels: list[tuple[str, Any, str]] = [
        ("Requested", action.requested_at, str(action.requested_by)),
        ("Evidence frozen", action.sheet.completed_at if action.sheet else None, ""),
        (
            "Approved",
            decided[-1].made_at if len(decided) >= action.approvals_needed else None,
            f"{len(decided)} of {action.approvals_needed}",
        ),
        ("Signed", job.signed_at if job else None, ""),
        ("Carried out", job.finished_at if job else None, ""),
        ("Settled by a reading", action.ended_at if action.state == State.DONE else None, ""),
    ]
    reached = _REACHED[State(action.state)]
    if action.state in _ENDED_BADLY:
        reached = sum(1 for _, at, _ in labels if at is not None)
    return [
        Step(label, _step_state(index, reached, State(action.state)), at, note)
        for index, (label, at, note) in enumerate(labels)
    ]


def _step_state(index: int, reached: int, state: State) -> str:
    if index < reached:
        return "done"
    if index > reached or state == State.DONE:
        return "todo"
    return "failed" if state in _ENDED_BADLY else "now"


_REACHED: Final = {
    State.DRAFT: 0,
    State.OBSERVING: 1,
    State.PENDING: 2,
    State.RELEASING: 3,
    State.EXECUTING: 4,
    State.UNKNOWN: 5,
    State.DONE: 6,
    **dict.fromkeys(_ENDED_BADLY, 0),
}
