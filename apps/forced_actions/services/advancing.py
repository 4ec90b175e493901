"""Carrying forced actions on: what is observed is frozen, what was approved is looked at again and issued.

The rows are the work list. Each function takes one locked action and moves it at most once.
"""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import structlog
from django.db import transaction
from django.utils import timezone

from apps.base.errors import DomainError
from apps.base.ids import uuid7
from apps.base.nudge import nudge
from apps.conflicts.evidence import Change, Subject, differences, make_evidence_sheet
from apps.conflicts.evidence.asking import has_ended
from apps.conflicts.models import EvidenceRow, EvidenceSheet
from apps.forced_actions.models import ForcedAction, Warrant
from apps.forced_actions.selectors import job_of
from apps.forced_actions.services.moves import change, locked, move, subjects_of
from apps.forced_actions.services.names import ADVANCE, SUBJECT
from apps.forced_actions.services.settling import issue_again, settle_executing, settle_unknown
from apps.forced_actions.warrants import build_warrant, readings_of_sheet
from apps.forced_actions.workflow import Move, State
from apps.history.actors import Actor, part
from apps.history.services import append
from apps.jobs.models import Job
from apps.jobs.services import insert_job, move_job
from apps.jobs.workflow import Move as JobMove
from apps.jobs.workflow import State as JobState
from apps.zones.models import Placement, Reading, Sighting
from kernelzone import strict
from kernelzone.orders import MAX_WARRANT_VALIDITY_S, Kind

logger = structlog.get_logger(__name__)

CONTROL: Final[Actor] = part("control")
_MOVING: Final = [State.OBSERVING, State.PENDING, State.RELEASING, State.EXECUTING, State.UNKNOWN]


def forced_actions_to_advance() -> list[UUID]:
    """Return the open forced actions, oldest first."""
    rows = ForcedAction.objects.filter(state__in=_MOVING).order_by("requested_at")
    return list(rows.values_list("pk", flat=True))


@transaction.atomic(durable=True)
def advance_forced_action(forced_action_id: UUID) -> bool:
    """Return whether the action moved: by its sheets, its job and the readings there are."""
    action = locked(forced_action_id)
    steps = {
        State.OBSERVING: _freeze,
        State.PENDING: _void_if_changed,
        State.RELEASING: _release,
        State.EXECUTING: settle_executing,
        State.UNKNOWN: settle_unknown,
    }
    step = steps.get(State(action.state))
    before = action.version
    if step is not None:
        step(action, timezone.now())
    return action.version != before


@transaction.atomic(durable=True)
def expire_forced_action(forced_action_id: UUID) -> bool:
    """Return whether the action expired now: nobody decided in time, or it could not be issued in time."""
    action = locked(forced_action_id)
    if action.state not in (State.PENDING, State.RELEASING) or action.expires_at > timezone.now():
        return False
    _drop_unsigned(action)
    move(action, Move.EXPIRE, actor=CONTROL, why="expired", why_text="The time to approve and release it is over.")
    return True


def forced_actions_to_expire() -> list[UUID]:
    """Return the requests whose time is over."""
    late = ForcedAction.objects.filter(state__in=[State.PENDING, State.RELEASING], expires_at__lte=timezone.now())
    return list(late.values_list("pk", flat=True))


def job_moved(job: Job) -> None:
    """Wake the reconciler once the order of a forced action has ended."""
    if has_ended(job):
        nudge(ADVANCE)


def sheet_completed(sheet: EvidenceSheet) -> None:
    """Wake the reconciler: the evidence it waits for is there."""
    nudge(ADVANCE)


# --- observing: freeze what was found -----------------------------------------------------------------------------


def _freeze(action: ForcedAction, now: datetime) -> None:
    sheet = action.sheet
    if sheet is None or sheet.state != EvidenceSheet.State.COMPLETE:
        return
    why = _why_not(action, sheet)
    if why is not None:
        move(action, Move.CANNOT_OBSERVE, actor=CONTROL, why=why[0], why_text=why[1][:1000])
        return
    data = {"evidence_sha256": sheet.facts_sha256, "sheet": str(sheet.pk)}
    move(action, Move.FREEZE, actor=CONTROL, data=data, evidence_sha256=sheet.facts_sha256)


def _why_not(action: ForcedAction, sheet: EvidenceSheet) -> tuple[str, str] | None:
    """Return code and sentence of why this evidence is not put before anybody, None when it is."""
    proving = sheet.rows.filter(word=EvidenceRow.Word.PROVES_ON).first()
    if proving is not None:
        return "proved_on", f"The zone is in use: {proving.sentence}"
    readings = readings_of_sheet(sheet)
    if not readings or not all(reading.raw_sha256 for reading in readings):
        return "cannot_observe", f"{action.target} could not read host data: nothing can be decided on."
    record = readings[0].facts.get("record")
    if action.kind == ForcedAction.Kind.INITIALIZE_HOSTDATA:
        return ("not_needed", "Host data can be opened; it is not initialised.") if record else None
    return _why_no_takeover(action, readings[0].status, record)


def _why_no_takeover(action: ForcedAction, status: str, record: dict[str, Any] | None) -> tuple[str, str] | None:
    if record is None:
        return "no_owner", f"Host data is {status}: there is no owner to take it from."
    if record["state"] == "free" or record["owner_hostid"] == action.target.owner_hostid:
        return "not_needed", "The zone is free or belongs to the target: a plain attach is enough."
    if record["owner_hostid"] != action.loser_hostid:
        return "owner_changed", f"Host data names {record['owner_hostid']} now, not {action.loser_hostid}."
    return None


# --- pending: a newer reading may void it -------------------------------------------------------------------------


def _void_if_changed(action: ForcedAction, now: datetime) -> None:
    difference = _newer_host_data(action)
    if difference:
        void(action, difference, "Host data has changed since it was shown to the approvers.")


def void(action: ForcedAction, difference: list[Change], sentence: str, why: str = "evidence_changed") -> None:
    """End the request: what people approved, or were to approve, is not so any more."""
    _drop_unsigned(action)
    move(
        action,
        Move.VOID,
        actor=CONTROL,
        data={"difference": [change._asdict() for change in difference[:50]]},
        why=why,
        why_text=sentence[:1000],
        difference=[list(change) for change in difference],
    )


def _newer_host_data(action: ForcedAction) -> list[Change]:
    """Return how the target's newest readings differ from the frozen ones."""
    sheet = action.sheet
    if sheet is None or sheet.completed_at is None:
        return []
    shown = {row["device"]: row for row in _regions(sheet)}
    newer = Sighting.objects.filter(
        storage__zone=action.zone, host=action.target, reading__recorded_at__gt=sheet.completed_at
    )
    found: list[Change] = []
    for sighting in newer.select_related("reading", "storage"):
        found += _region_changes(shown.get(sighting.reading.facts["device"], {}), sighting.reading)
    return found


def _regions(sheet: EvidenceSheet) -> list[dict[str, Any]]:
    facts = json.loads(bytes(sheet.facts or b"{}"))
    rows = [row for row in facts.get("rows", ()) if row["probe"] == EvidenceRow.Probe.HOST_DATA_FROM_HERE]
    return [region for row in rows for region in row["value"].get("regions", ())]


def _region_changes(shown: dict[str, Any], reading: Reading) -> list[Change]:
    now = {
        "status": reading.status,
        "generation": reading.generation,
        "owner_hostid": (reading.facts.get("record") or {}).get("owner_hostid", ""),
        "raw_sha256": reading.raw_sha256,
    }
    where = f"host data of {reading.facts['device']}"
    return [
        Change(f"{where}: {name.replace('_', ' ')}", str(shown.get(name, "not there")), str(value))
        for name, value in now.items()
        if shown.get(name) != value
    ]


# --- releasing: look again, then issue ----------------------------------------------------------------------------


def _release(action: ForcedAction, now: datetime) -> None:
    if action.job_id is not None:
        _reissue_if_dropped(action)
    elif action.release_sheet is None:
        _look_again(action)
    elif action.release_sheet.state == EvidenceSheet.State.COMPLETE:
        _issue_if_equal(action, now)


def _look_again(action: ForcedAction) -> None:
    """Ask the target for the reading that the warrant will bind, and all other probes with it."""
    assert action.sheet is not None
    try:
        sheet = make_evidence_sheet(
            action.zone,
            action.target,
            actor=None,
            window_s=action.quiet_window_s,
            conflict=action.conflict,
            subject=Subject(SUBJECT, str(action.pk), action.sheet.begun_at),
        )
    except DomainError as refusal:
        _wait(action, refusal)
        return
    change(action, "look-again", release_sheet_id=sheet.pk, why="", why_text="")
    action.release_sheet = sheet


def _wait(action: ForcedAction, refusal: DomainError) -> None:
    """Say on the request why it is not released yet: the target's agent is gone for now. It waits until it expires."""
    if action.why != refusal.stable_code:
        logger.warning("release waits", forced_action=str(action.pk), code=refusal.stable_code)
        sentence = f"It is approved and waits: {refusal.message}. {refusal.hint}"
        change(action, "wait", why=refusal.stable_code, why_text=sentence[:1000])


def _issue_if_equal(action: ForcedAction, now: datetime) -> None:
    assert action.sheet is not None
    assert action.release_sheet is not None
    if action.release_sheet.facts_sha256 != action.evidence_sha256:
        changed = differences(action.sheet, action.release_sheet)
        void(action, changed, "The evidence has changed since it was approved.")
        return
    _issue(action)


def _issue(action: ForcedAction) -> None:
    placement = Placement.objects.filter(zone=action.zone, host=action.target, gone_at=None).first()
    if placement is None:
        void(action, [], f"The zone is not configured on {action.target} any more.", why="not_configured_there")
        return
    warrant = Warrant(id=uuid7(), forced_action=action, attempt=action.issued)
    built = build_warrant(action, warrant_id=warrant.pk, attempt=warrant.attempt, zone_name=placement.name)
    try:
        job = insert_job(
            key=f"forced:{action.pk}:{warrant.attempt}",
            kind=Kind(action.kind),
            host=action.target,
            zone_name=placement.name,
            zone_uuid=zone_uuid_of(action),
            args={"quiet_window_s": action.quiet_window_s},
            warrant=strict.write(built),
            subject_kind=SUBJECT,
            subject_id=str(action.pk),
            requested_by=action.requested_by,
            validity=timedelta(seconds=MAX_WARRANT_VALIDITY_S),
        )
    except DomainError as refusal:
        _wait(action, refusal)
        return
    warrant.job_id = job.pk
    warrant.save(force_insert=True)
    change(action, "issue", job_id=job.pk, issued=action.issued + 1, why="", why_text="")
    data = {"attempt": warrant.attempt, "warrant": str(warrant.pk), "job": str(job.pk)}
    append("forced-action.issue", actor=CONTROL, subjects=subjects_of(action), data=data)


def zone_uuid_of(action: ForcedAction) -> UUID | None:
    """Return the zone's uuid as the target itself read it; None where it could not."""
    sheet = action.release_sheet
    uuid = sheet.reading.facts.get("zone_uuid") if sheet and sheet.reading else None
    return UUID(uuid) if uuid else None


def _reissue_if_dropped(action: ForcedAction) -> None:
    """A job that expired before it was signed is no reason to end anything: look again, and issue anew."""
    job = job_of(action)
    if job is None or job.state not in (JobState.EXPIRED, JobState.CANCELLED):
        return
    issue_again(action, job, f"Its order was {job.state} before it was signed.")


def _drop_unsigned(action: ForcedAction) -> None:
    """Cancel the order of an action that ends before the signer has seen it."""
    if action.job_id is None:
        return
    job = Job.objects.select_for_update(of=("self",)).select_related("host").get(pk=action.job_id)
    if job.state == JobState.NEW:
        move_job(job, JobMove.CANCEL, actor=CONTROL)
