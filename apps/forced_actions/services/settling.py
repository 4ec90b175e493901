"""How a forced action ends: by a reading, never by an exit status alone."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from django.utils import timezone

from apps.conflicts.models import Conflict
from apps.conflicts.obligations import Loss, open_obligation
from apps.fleet.models import Agent
from apps.forced_actions.models import ForcedAction, Warrant
from apps.forced_actions.selectors import job_of, latest_warrant
from apps.forced_actions.services.moves import change, move, subjects_of
from apps.forced_actions.services.names import SUBJECT
from apps.forced_actions.workflow import MAX_ISSUES, Move
from apps.forced_actions.workflow import State as ActionState
from apps.history.actors import Actor, part
from apps.history.services import append, events_last
from apps.jobs.models import Job
from apps.jobs.services import WHOLE, insert_job
from apps.jobs.workflow import ACTIVE, State
from apps.zones.models import Sighting
from kernelzone.facts import NAMES_OWNER, RegionStatus
from kernelzone.orders import Kind

CONTROL: Final[Actor] = part("control")
# How long after `not_after` a silent agent may still be at work: zoneadm is waited for, never killed.
SILENCE: Final = timedelta(minutes=15)
# An agent's clock may be behind by so much, and still begin.
CLOCKS_DIFFER: Final = timedelta(seconds=120)
_DEEDS: Final = {"force-takeover": "forced takeover", "initialize-hostdata": "initialised host data"}
_WITHDRAWAL: Final = "withdrawal"

# what reads: `Sighting` rows of the target
Sightings = list[Sighting]


def settle_executing(action: ForcedAction, now: datetime) -> None:
    """Move on what the agent reported, and the reading after it, allow."""
    job, warrant = job_of(action), latest_warrant(action)
    if job is None or warrant is None or job.state in ACTIVE:
        return
    if is_applied(action, warrant):
        _succeed(action)
        return
    _ENDINGS.get(State(job.state), _wait)(action, job, now)


def settle_unknown(action: ForcedAction, now: datetime) -> None:
    """Move an unknown outcome on, if a reading after the order's time settles it."""
    job, warrant = job_of(action), latest_warrant(action)
    if job is None or warrant is None:
        return
    if is_applied(action, warrant):
        _succeed(action)
    elif _is_untouched(action, job):
        _end(action, Move.NOT_APPLY, "not_applied", "A later reading shows host data as it was before.")
    elif _is_anothers(action, job):
        _end(action, Move.LOSE, "lost", "A later reading shows that another change was made instead.")


def is_applied(action: ForcedAction, warrant: Warrant) -> bool:
    """Return whether the target, after the order was signed, read host data that carries this very warrant."""
    if warrant.signed_at is None or not warrant.payload_sha256:
        return False
    seen = _seen(action, after=warrant.signed_at)
    return bool(seen) and all(_carries(sighting, action, warrant) for sighting in seen)


def issue_again(action: ForcedAction, job: Job, sentence: str) -> None:
    """Go back to releasing after an order that changed nothing; after the third, the action was not applied."""
    if action.issued >= MAX_ISSUES:
        _end(action, Move.NOT_APPLY, "not_applied", sentence)
        return
    if action.state == ActionState.EXECUTING:
        move(action, Move.ISSUE_AGAIN, actor=CONTROL, data={"reason": sentence}, job_id=None, release_sheet_id=None)
    else:
        change(action, "issue-again", job_id=None, release_sheet_id=None)
    action.release_sheet = None


def _carries(sighting: Sighting, action: ForcedAction, warrant: Warrant) -> bool:
    reading = sighting.reading
    record = reading.facts.get("record") or {}
    return (
        reading.status in NAMES_OWNER
        and record.get("owner_hostid") == action.target.owner_hostid
        and record.get("warrant_sha256") == warrant.payload_sha256
    )


def _seen(action: ForcedAction, *, after: datetime) -> Sightings:
    """Return what the target has read of the zone's boot storage, as confirmed since `after`."""
    rows = Sighting.objects.filter(storage__zone=action.zone, host=action.target, confirmed_at__gte=after)
    return list(rows.select_related("reading").order_by("storage"))


def _seen_afterwards(action: ForcedAction, job: Job) -> Sightings:
    """Return what the target read of the zone once the order could not begin any more; nothing while it has not.

    A report may wait in the agent's outbox for hours: when it came in proves nothing. What an inspection found that
    was ordered after that time does.
    """
    looks = Job.objects.filter(host=action.target, kind=Kind.INSPECT, state=State.DONE)
    over = looks.filter(created_at__gt=job.not_after + CLOCKS_DIFFER).order_by("finished_at").first()
    return _seen(action, after=over.finished_at) if over is not None and over.finished_at is not None else []


def _is_untouched(action: ForcedAction, job: Job) -> bool:
    """Return whether a reading, made when the order could not begin any more, shows what was there before."""
    seen = _seen_afterwards(action, job)
    before = _expected(job)
    return bool(seen) and all(before.get(row.reading.facts["device"]) == row.reading.raw_sha256 for row in seen)


def _is_anothers(action: ForcedAction, job: Job) -> bool:
    """Return whether host data is whole, newer than what was to be replaced, and does not carry our warrant."""
    seen = _seen_afterwards(action, job)
    expected = (job.warrant or {}).get("expect", {}).get("generation", 0)
    return bool(seen) and all(
        row.reading.status == RegionStatus.CLEAN and row.reading.generation > expected for row in seen
    )


def _expected(job: Job) -> dict[str, str]:
    regions = (job.warrant or {}).get("expect", {}).get("regions", ())
    return {region["device"]: region["raw_sha256"] for region in regions}


# --- what the agent's last word leads to --------------------------------------------------------------------------


def _done(action: ForcedAction, job: Job, now: datetime) -> None:
    """The agent says done, and no reading shows it yet: ask for one, and believe nothing meanwhile."""
    asked = Job.objects.filter(key=_settle_key(job)).first()
    if asked is None and _has_agent(action):
        _ask_for_reading(action, job)
    elif asked is None or asked.state not in ACTIVE:
        _end(action, Move.LOSE_SIGHT, "unclear", "The agent says done, and no reading shows it.")


def _refused(action: ForcedAction, job: Job, now: datetime) -> None:
    if action.vetoed_at is not None:
        _vetoed(action)
        return
    issue_again(action, job, f"The agent refused the order: {job.code or 'no reason given'}.")


def _not_applied(action: ForcedAction, job: Job, now: datetime) -> None:
    if action.vetoed_at is not None:
        _vetoed(action)
        return
    _end(
        action, Move.NOT_APPLY, "not_applied", f"The agent reports that nothing was changed ({job.code or 'no code'})."
    )


def _lost(action: ForcedAction, job: Job, now: datetime) -> None:
    _end(action, Move.LOSE, "lost", "Another writer changed host data first.")


def _unclear(action: ForcedAction, job: Job, now: datetime) -> None:
    _end(
        action, Move.LOSE_SIGHT, "unclear", f"The order ended {job.state} ({job.code or 'no code'}): a reading decides."
    )


def _expired(action: ForcedAction, job: Job, now: datetime) -> None:
    if job.sent_count == 0 and job.send_again_at is None:
        _refused(action, job, now)
    elif now > job.not_after + SILENCE:
        _unclear(action, job, now)


def _cancelled(action: ForcedAction, job: Job, now: datetime) -> None:
    """An order that was taken back: it is certain only when it never left, or the agent says it was in time."""
    if job.sent_count == 0 and job.send_again_at is None:
        _refused(action, job, now)
        return
    withdrawal = Job.objects.filter(subject_kind=_WITHDRAWAL, subject_id=str(job.pk)).first()
    if withdrawal is not None and withdrawal.state == State.DONE and withdrawal.code in ("", "DONE", "WITHDRAWN"):
        _refused(action, job, now)
    elif now > job.not_after + SILENCE:
        _unclear(action, job, now)


def _wait(action: ForcedAction, job: Job, now: datetime) -> None:
    """Nothing is known yet that would move anything."""


_ENDINGS: Final[dict[State, Callable[[ForcedAction, Job, datetime], None]]] = {
    State.DONE: _done,
    State.REFUSED: _refused,
    State.NOT_APPLIED: _not_applied,
    State.LOST: _lost,
    State.FAILED: _unclear,
    State.UNKNOWN: _unclear,
    State.EXPIRED: _expired,
    State.CANCELLED: _cancelled,
}


def _vetoed(action: ForcedAction) -> None:
    """The veto came in time: back to releasing, and denied from there."""
    move(action, Move.ISSUE_AGAIN, actor=CONTROL, data={"reason": "vetoed before INTENT"})
    move(action, Move.DENY, actor=CONTROL)


def _succeed(action: ForcedAction) -> None:
    with events_last():  # the conflict is locked after something was said
        if action.vetoed_at is not None:
            append("forced-action.veto-too-late", actor=CONTROL, subjects=subjects_of(action), data={})
        _end(action, Move.SUCCEED, "done", f"A reading by {action.target} after the act names it as the owner.")
        if action.conflict_id is not None:
            _close_conflict(action, action.conflict_id)
        _oblige_loser(action)


def _oblige_loser(action: ForcedAction) -> None:
    """The host that lost the zone has to confirm that it neither runs it nor will boot it."""
    seen = Sighting.objects.filter(storage__zone=action.zone, host=action.target).select_related("reading")
    generation = max((row.reading.generation for row in seen), default=0)
    if action.job_id is not None:
        target = action.target.owner_hostid
        open_obligation(Loss(action.zone, action.loser_hostid, target, generation, action.job_id), timezone.now())


def _close_conflict(action: ForcedAction, conflict_id: UUID) -> None:
    """The conflict says what closed it, also when the reading of the act had closed it a moment before."""
    how = f"{_DEEDS[action.kind]} {action.pk}"
    conflict = Conflict.objects.select_for_update(no_key=True).get(pk=conflict_id)
    if conflict.resolved_at is not None and conflict.resolved_at < action.requested_at:
        return
    conflict.resolved_at = conflict.resolved_at or action.ended_at
    conflict.resolved_how = how
    conflict.save(update_fields=["resolved_at", "resolved_how"])
    subjects = [("conflict", str(conflict.pk)), ("zone", str(conflict.zone_id)), (SUBJECT, str(action.pk))]
    append("conflict.resolve", actor=CONTROL, subjects=subjects, data={"kind": conflict.kind, "how": how})


def _end(action: ForcedAction, by: Move, why: str, sentence: str) -> None:
    move(action, by, actor=CONTROL, why=why, why_text=sentence[:1000])


def _settle_key(job: Job) -> str:
    return f"settle:{job.pk}"


def _has_agent(action: ForcedAction) -> bool:
    agent = action.target.agent
    return agent is not None and agent.state == Agent.State.TRUSTED


def _ask_for_reading(action: ForcedAction, job: Job) -> None:
    insert_job(
        key=_settle_key(job),
        kind=Kind.INSPECT,
        host=action.target,
        args=WHOLE,
        subject_kind=SUBJECT,
        subject_id=str(action.pk),
        validity=timedelta(minutes=2),
    )
