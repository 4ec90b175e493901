"""What the signer checks again, from the rows, before it signs: nothing of this is taken from the web process."""

from __future__ import annotations

import hashlib
from typing import Final
from uuid import UUID

from django.utils import timezone

from apps.accounts.models import User
from apps.accounts.policy import Role
from apps.accounts.selectors import permissions, role_granted_at
from apps.conflicts.evidence import digest_of_rows
from apps.conflicts.models import EvidenceRow, EvidenceSheet
from apps.fleet.models import Agent
from apps.fleet.selectors import collided_hostids
from apps.forced_actions.models import Approval, ForcedAction, Warrant
from apps.forced_actions.recount import has_denial, is_request_told, is_told
from apps.forced_actions.services.moves import locked, move, subjects_of
from apps.forced_actions.services.names import SUBJECT
from apps.forced_actions.warrants import NothingToBind, build_warrant, counted_approvals, readings_of_sheet
from apps.forced_actions.workflow import Move, State
from apps.history.actors import Actor, part
from apps.history.services import append
from apps.jobs.models import Job
from apps.jobs.workflow import State as JobState
from kernelzone import strict
from kernelzone.orders import KINDS, Effect, Kind
from kernelzone.words import WordError, canonical_uuid

SIGNER: Final[Actor] = part("signer")
# Whoever asked for a plain job must still have one of these; a safe verb needs somebody who asked.
_MAY_ASK: Final = frozenset({"zones.run"})
_MAY_LOOK: Final = frozenset(
    {"fleet.inspect", "conflicts.sample", "forced_actions.request", "zones.run", "configs.upload", "configs.download"}
)
_MAY_WITHDRAW: Final = frozenset({"jobs.cancel", "forced_actions.veto", "forced_actions.cancel"})


class Refused(Exception):
    """The signer does not sign this. `code` is stable and stays on the job; the message is a sentence."""

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code


def check_plain(job: Job) -> None:
    """Do nothing if this order may be signed: its agent is trusted, its requester still permitted. Raises: Refused."""
    if job.agent.state != Agent.State.TRUSTED or job.host.agent_id != job.agent_id:
        raise Refused("AGENT", "the agent is not trusted, or does not speak for the host any more")
    rules = KINDS[Kind(job.kind)]
    if job.requested_by is None:
        if rules.effect is not Effect.READ_ONLY and job.kind != Kind.WITHDRAW:
            raise Refused("REQUESTER", "nobody asked for this")
        return
    allowed = _MAY_LOOK if rules.effect is Effect.READ_ONLY else _MAY_ASK
    if job.kind == Kind.WITHDRAW:
        allowed = _MAY_WITHDRAW
    if not permissions(job.requested_by) & allowed:
        raise Refused("REQUESTER", "who asked for this may not any more")


def lock_release(job_id: UUID) -> tuple[ForcedAction | None, Job | None]:
    """Return the forced action that wants this order, and the order, locked in that order of locks.

    No job: it is not new any more. No forced action: nobody we know wants it.
    """
    wanted_by = Job.objects.filter(pk=job_id, subject_kind=SUBJECT).values_list("subject_id", flat=True).first()
    action_id = _uuid(wanted_by)
    is_known = action_id is not None and ForcedAction.objects.filter(pk=action_id).exists()
    action = locked(action_id) if action_id and is_known else None
    rows = Job.objects.select_for_update(of=("self",)).select_related("host", "agent", "requested_by")
    return action, rows.filter(pk=job_id, state=JobState.NEW).first()


def _uuid(text: str | None) -> UUID | None:
    try:
        return canonical_uuid(text)
    except WordError:
        return None


def check_release(action: ForcedAction, job: Job) -> Warrant:
    """Return the warrant row this order may be signed under. Raises: Refused with the first rule that said no."""
    warrant = Warrant.objects.filter(forced_action=action, job_id=job.pk).first()
    if warrant is None or action.job_id != job.pk or warrant.attempt != action.issued - 1:
        raise Refused("FIELD", "the order is not the newest one of this forced action")
    _check_state(action, job)
    _check_hostids(action)
    _check_evidence(action)
    _check_people(action)
    try:
        built = build_warrant(action, warrant_id=warrant.pk, attempt=warrant.attempt, zone_name=job.zone_name)
    except NothingToBind:
        raise Refused("STALE_READING", "there is no reading to bind the warrant to") from None
    if strict.write(built) != job.warrant:
        raise Refused("FIELD", "the warrant of the order is not what the rows say")
    return warrant


def note_quorum(action: ForcedAction, warrant: Warrant) -> None:
    """Append that the quorum was counted again and reached."""
    approvals = counted_approvals(action)
    data = {
        "warrant": str(warrant.pk),
        "attempt": warrant.attempt,
        "evidence_sha256": action.evidence_sha256,
        "quorum": action.approvals_needed,
        "approvers": [{"person": str(one.person_id), "event": one.event_seq} for one in approvals],
    }
    append("forced-action.quorum-reached", actor=SIGNER, subjects=subjects_of(action), data=data)


def note_signed(action: ForcedAction, job: Job, warrant: Warrant) -> None:
    """Keep the digest of what was signed, and move the action to executing."""
    warrant.payload_sha256, warrant.signed_at, warrant.not_after = job.payload_sha256, job.signed_at, job.not_after
    warrant.save(update_fields=["payload_sha256", "signed_at", "not_after"])
    data = {"warrant": str(warrant.pk), "payload_sha256": job.payload_sha256, "job": str(job.pk)}
    move(action, Move.SEND, actor=SIGNER, data=data)


def _check_state(action: ForcedAction, job: Job) -> None:
    if action.state != State.RELEASING or action.vetoed_at is not None:
        raise Refused("STATE", f"the forced action is {action.state}")
    if action.expires_at <= timezone.now():
        raise Refused("EXPIRED", "the time to approve and release is over")
    if job.kind != action.kind or job.host_id != action.target_id:
        raise Refused("AUDIENCE", "the order is not for the approved kind and target")
    if job.agent.state != Agent.State.TRUSTED or job.host.agent_id != job.agent_id:
        raise Refused("AGENT", "the target's agent is not trusted any more")


def _check_hostids(action: ForcedAction) -> None:
    """That the owner's agent says the zone is off proves nothing while somebody else answers as the owner too."""
    twice = {action.loser_hostid, action.target.owner_hostid} & set(collided_hostids())
    if twice:
        raise Refused("HOSTID_COLLISION", f"two hosts answer with hostid {min(twice)}")


def _check_evidence(action: ForcedAction) -> None:
    sheets = (action.sheet, action.release_sheet)
    if any(sheet is None or sheet.state != EvidenceSheet.State.COMPLETE for sheet in sheets):
        raise Refused("STALE_READING", "the evidence is not complete")
    assert action.sheet is not None
    assert action.release_sheet is not None
    digests = {digest for sheet in (action.sheet, action.release_sheet) for digest in _digests(sheet)}
    if digests != {action.evidence_sha256}:
        raise Refused("CHANGED", "the evidence is not what was approved")
    if action.release_sheet.rows.filter(word=EvidenceRow.Word.PROVES_ON).exists():
        raise Refused("PROVED_ON", "a probe proves that the zone is in use")
    age = timezone.now() - min(
        (reading.recorded_at for reading in readings_of_sheet(action.release_sheet)), default=timezone.now()
    )
    if age.total_seconds() > action.max_reading_age_s:
        raise Refused("STALE_READING", "the newest reading is older than the policy allows")


def _digests(sheet: EvidenceSheet) -> set[str]:
    """Return the digest a sheet names, that of its facts, and that of the rows people were shown: one and the same."""
    return {sheet.facts_sha256, hashlib.sha256(bytes(sheet.facts or b"")).hexdigest(), digest_of_rows(sheet)}


def _check_people(action: ForcedAction) -> None:
    requester = User.objects.get(pk=action.requested_by_id)
    if "forced_actions.request" not in permissions(requester):
        raise Refused("QUORUM", f"{requester} may not request this any more")
    persons = {approval.person_id for approval in counted_approvals(action) if _still_counts(approval, action)}
    needed = max(1, action.approvals_needed, action.policy.approvals_needed)
    if len(persons) < needed:
        raise Refused("QUORUM", f"{len(persons)} of {needed} approvals still count")
    if has_denial(action):
        raise Refused("STATE", "somebody said no")
    if not is_request_told(action):
        raise Refused("FIELD", "the request is not the one the history tells of")


def _still_counts(approval: Approval, action: ForcedAction) -> bool:
    """Return whether the account is active, still of the same person, was approver before the request was made, and
    the history tells of this very approval.
    """
    account = approval.approver
    granted_at = role_granted_at(account, Role.APPROVER)
    return (
        account.is_active
        and account.person_id == approval.person_id
        and granted_at is not None
        and granted_at <= action.requested_at
        and is_told(approval)
    )
