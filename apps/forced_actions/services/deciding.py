"""Saying yes or no to a forced action, taking a request back, commenting."""

from __future__ import annotations

from typing import Final, NamedTuple
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from apps.accounts.models import User
from apps.accounts.policy import Role
from apps.accounts.second_factor import guessing, verify_totp
from apps.accounts.selectors import role_granted_at
from apps.base.errors import TransitionRefused
from apps.base.nudge import nudge
from apps.base.text import clean_text
from apps.conflicts.evidence import Change
from apps.forced_actions.errors import (
    AlreadyReviewed,
    DigestMissing,
    EvidenceChanged,
    GrantTooYoung,
    NotRequester,
    SelfApproval,
    VerdictUnknown,
)
from apps.forced_actions.models import Approval, Comment, ForcedAction
from apps.forced_actions.selectors import difference_to_shown, people_who_approved
from apps.forced_actions.services.moves import change, forced_action_for_update, move, subjects_of
from apps.forced_actions.services.names import ADVANCE
from apps.forced_actions.workflow import Move, State, next_state
from apps.history.actors import person
from apps.history.models import Event
from apps.history.services import append
from apps.jobs.models import Job
from apps.jobs.services import withdraw_job
from apps.jobs.workflow import ACTIVE

_PERMISSION: Final = {
    Approval.Verdict.APPROVE: "forced_actions.approve",
    Approval.Verdict.DENY: "forced_actions.veto",
}
_COMMENT_CHARACTERS: Final = 1000


class Decision(NamedTuple):
    """What a person decided. `evidence_sha256`: of the sheet they were shown; `second_factor`: a TOTP code.

    Both are needed to approve; to deny, `comment` says why and is all that is needed.
    """

    verdict: str
    evidence_sha256: str = ""
    second_factor: str = ""
    comment: str = ""


def decide_forced_action(
    forced_action_id: UUID, decision: Decision, *, actor: User, version: int | None = None
) -> ForcedAction:
    """Record `actor`'s decision. The last approval needed moves to releasing; one deny ends it, until INTENT.

    version: the one `actor` has read (If-Match), None when not said.
    Raises: VerdictUnknown, NotFound, NotAllowed, VersionMismatch, TransitionRefused, SelfApproval, GrantTooYoung,
    AlreadyReviewed, DigestMissing, EvidenceChanged, InvalidInput reason_*, SecondFactorNeeded, SecondFactorWrong,
    SecondFactorLocked.
    """
    if decision.verdict not in Approval.Verdict.values:
        raise VerdictUnknown()
    if decision.verdict == Approval.Verdict.DENY or not decision.second_factor:
        return _decide(forced_action_id, decision, actor, version)
    with guessing(actor):
        return _decide(forced_action_id, decision, actor, version)


@transaction.atomic(durable=True)
def _decide(forced_action_id: UUID, decision: Decision, actor: User, version: int | None) -> ForcedAction:
    permission = _PERMISSION[Approval.Verdict(decision.verdict)]
    action = forced_action_for_update(forced_action_id, actor=actor, permission=permission, version=version)
    if decision.verdict == Approval.Verdict.APPROVE:
        _approve(action, decision, actor)
    else:
        _deny(action, decision, actor)
    return action


@transaction.atomic(durable=True)
def cancel_forced_action(forced_action_id: UUID, *, actor: User, version: int | None = None) -> ForcedAction:
    """Return the forced action its requester took back.

    Raises: NotFound, NotAllowed, VersionMismatch, TransitionRefused, NotRequester.
    """
    action = forced_action_for_update(
        forced_action_id, actor=actor, permission="forced_actions.cancel", version=version
    )
    next_state(State(action.state), Move.CANCEL)
    if action.requested_by.person_id != actor.person_id:
        raise NotRequester()
    move(action, Move.CANCEL, actor=person(actor), why="cancelled", why_text="The requester took it back.")
    return action


@transaction.atomic(durable=True)
def comment_on_forced_action(forced_action_id: UUID, *, actor: User, text: str) -> Comment:
    """Return the comment: plain text, at most 4 KiB. Raises: NotFound, InvalidInput comment_*."""
    action = forced_action_for_update(forced_action_id, actor=actor, permission="forced_actions.view")
    text = clean_text(text, noun="comment", field="text")
    comment = Comment.objects.create(forced_action=action, person=actor, made_at=timezone.now(), text=text)
    append("forced-action.comment", actor=person(actor), subjects=subjects_of(action), data={"text": text})
    return comment


def _approve(action: ForcedAction, decision: Decision, actor: User) -> None:
    comment = clean_text(decision.comment, noun="reason", field="reason", empty_allowed=True)[:_COMMENT_CHARACTERS]
    _refuse_state(action, decision)
    _refuse_person(action, actor)
    _refuse_digest(action, decision)
    # last: a code is used up by being right, and no refusal above may cost one
    verify_totp(actor, decision.second_factor)
    data = {"evidence_sha256": action.evidence_sha256, "comment": comment or None, "account": actor.get_username()}
    subjects = [*subjects_of(action), ("person", str(actor.person_id))]
    event = append("forced-action.approve", actor=person(actor), subjects=subjects, data=data)
    _record(action, decision, actor, comment, event)
    change(action, "approve")
    if len(people_who_approved(action)) >= action.approvals_needed:
        move(action, Move.QUORUM, actor=person(actor))
        nudge(ADVANCE)


def _refuse_state(action: ForcedAction, decision: Decision) -> None:
    if action.state == State.VOIDED:
        raise _changed(action, decision)
    if action.state == State.PENDING and action.expires_at <= timezone.now():
        raise TransitionRefused(state=State.EXPIRED.value, move="approve", message="this request has expired")
    if action.state != State.PENDING:
        raise TransitionRefused(state=action.state, move="approve")


def _refuse_person(action: ForcedAction, actor: User) -> None:
    if action.requested_by.person_id == actor.person_id:
        raise SelfApproval()
    granted_at = role_granted_at(actor, Role.APPROVER)
    if granted_at is None or granted_at > action.requested_at:
        raise GrantTooYoung(granted_at=granted_at.isoformat() if granted_at else "")
    if action.approvals.filter(person_id=actor.person_id).exists():
        raise AlreadyReviewed()


def _refuse_digest(action: ForcedAction, decision: Decision) -> None:
    if not decision.evidence_sha256:
        raise DigestMissing()
    if decision.evidence_sha256 != action.evidence_sha256:
        raise _changed(action, decision)


def _changed(action: ForcedAction, decision: Decision) -> EvidenceChanged:
    difference: list[Change] = difference_to_shown(action, decision.evidence_sha256)
    return EvidenceChanged(
        shown=decision.evidence_sha256[:64],
        current=action.evidence_sha256,
        state=action.state,
        difference=[change._asdict() for change in difference],
    )


def _record(action: ForcedAction, decision: Decision, actor: User, comment: str, event: Event) -> None:
    Approval.objects.create(
        forced_action=action,
        verdict=decision.verdict,
        approver=actor,
        person_id=actor.person_id,
        evidence_sha256=action.evidence_sha256,
        comment=comment,
        second_factor="totp" if decision.verdict == Approval.Verdict.APPROVE else "",
        made_at=timezone.now(),
        event_seq=event.seq,
    )


def _deny(action: ForcedAction, decision: Decision, actor: User) -> None:
    comment = clean_text(decision.comment, noun="reason", field="reason")[:_COMMENT_CHARACTERS]
    if action.state != State.EXECUTING:
        next_state(State(action.state), Move.DENY)
    elif action.vetoed_at is not None:
        raise AlreadyReviewed(message="this was vetoed already")
    has_decided = action.approvals.filter(person_id=actor.person_id).exists()
    event = _say_no(action, actor, comment)
    if not has_decided:
        _record(action, decision, actor, comment, event)


def _say_no(action: ForcedAction, actor: User, comment: str) -> Event:
    """Return the event of the no. While it executes the agent is asked; its answer says whether that was in time."""
    said_no = {
        "vetoed_by": actor,
        "vetoed_at": timezone.now(),
        "why": "denied",
        "why_text": f"{actor}: {comment}"[:1000],
    }
    _withdraw(action, actor)
    if action.state != State.EXECUTING:
        return move(action, Move.DENY, actor=person(actor), data={"comment": comment}, **said_no)
    change(action, "veto", **said_no)
    nudge(ADVANCE)
    return append("forced-action.veto", actor=person(actor), subjects=subjects_of(action), data={"comment": comment})


def _withdraw(action: ForcedAction, actor: User) -> None:
    if action.job_id is None:
        return
    job = Job.objects.select_for_update(of=("self",)).select_related("host", "agent").get(pk=action.job_id)
    if job.state in ACTIVE:
        withdraw_job(job, actor=person(actor), requested_by=actor)
