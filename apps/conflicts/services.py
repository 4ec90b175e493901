"""What people do about a conflict short of forcing anything."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from django.db import IntegrityError, transaction
from django.utils import timezone

from apps.accounts.models import User
from apps.base.errors import DomainError
from apps.base.text import clean_reason, clean_text
from apps.conflicts.doors import FORCED, STEPS, Door, DoorState, Where, door_in, doors
from apps.conflicts.errors import (
    AlreadyWaived,
    ConflictResolved,
    DoorShut,
    DoorUnknown,
    ForcedDoor,
    NotConfiguredThere,
    OwnerUnknown,
)
from apps.conflicts.evidence import make_evidence_sheet
from apps.conflicts.models import Conflict, EvidenceSheet, PersonsWord, Waiver
from apps.conflicts.selectors import conflict_for_update
from apps.fleet.models import Host
from apps.history.actors import Actor, part, person
from apps.history.services import append
from apps.jobs.models import Job
from apps.jobs.services import insert_job
from apps.jobs.workflow import State as JobState
from apps.zones.models import Placement
from apps.zones.services.verbs import refuse_blocked
from kernelzone.orders import Kind
from kernelzone.words import shown

DEFAULT_WINDOW_S: Final = 60
LONGEST_WINDOW_S: Final = 400
_CONTROL: Final[Actor] = part("control")


@transaction.atomic(durable=True)
def acknowledge_conflict(conflict_id: UUID, *, actor: User) -> Conflict:
    """Return the conflict, acknowledged; by the first who did it. Raises: NotFound, NotAllowed, ConflictResolved."""
    conflict = _open_conflict(conflict_id, actor, "conflicts.acknowledge")
    if conflict.acknowledged_at is None:
        conflict.acknowledged_at, conflict.acknowledged_by = timezone.now(), actor
        conflict.save(update_fields=["acknowledged_at", "acknowledged_by"])
        append("conflict.acknowledge", actor=person(actor), subjects=_subjects(conflict), data={})
    return conflict


@transaction.atomic(durable=True)
def gather_evidence(conflict_id: UUID, *, actor: User, window_s: int = DEFAULT_WINDOW_S) -> EvidenceSheet:
    """Return a new sheet about the conflict, its questions on their way.

    Raises: NotFound, NotAllowed, ConflictResolved, NotConfiguredThere, AgentMissing.
    """
    conflict = _open_conflict(conflict_id, actor, "conflicts.sample")
    if conflict.host is None:
        raise NotConfiguredThere(host="", zone=conflict.zone.name)
    window_s = max(1, min(window_s, LONGEST_WINDOW_S))
    sheet = make_evidence_sheet(conflict.zone, conflict.host, actor=actor, window_s=window_s, conflict=conflict)
    data = {"sheet": str(sheet.pk), "target": conflict.host.owner_hostid, "window_s": sheet.window_s}
    append("evidence-sheet.make", actor=person(actor), subjects=_subjects(conflict), data=data)
    return sheet


@transaction.atomic(durable=True)
def assert_word(conflict_id: UUID, *, actor: User, text: str, how: str) -> PersonsWord:
    """Return what `actor` asserts about the owner: kept with the name, never shown as proved.

    text: what is asserted; how: how they know. At most 1000 characters each are kept.
    Raises: NotFound, NotAllowed, ConflictResolved, OwnerUnknown, InvalidInput.
    """
    conflict = _open_conflict(conflict_id, actor, "conflicts.assert")
    if not conflict.zone.owner_hostid:
        raise OwnerUnknown()
    word = PersonsWord.objects.create(
        zone=conflict.zone,
        owner_hostid=conflict.zone.owner_hostid,
        person=actor,
        said_at=timezone.now(),
        text=clean_text(text, noun="word", field="text")[:1000],
        how=clean_text(how, noun="how", field="how")[:1000],
    )
    data = {"owner_hostid": word.owner_hostid, "text": word.text, "how": word.how}
    append("persons-word.assert", actor=person(actor), subjects=_subjects(conflict), data=data)
    return word


@transaction.atomic(durable=True)
def waive_door(conflict_id: UUID, door: str, *, actor: User, reason: str) -> Waiver:
    """Return the waiver: `actor` gives one safe door up for this conflict.

    Raises: NotFound, NotAllowed, ConflictResolved, DoorUnknown, ForcedDoor, AlreadyWaived, InvalidInput.
    """
    conflict = _open_conflict(conflict_id, actor, "forced_actions.request")
    known = _door(door)
    if known in FORCED:
        raise ForcedDoor(door=door)
    text = clean_reason(reason)[:1000]
    try:
        with transaction.atomic():
            waiver = Waiver.objects.create(
                conflict=conflict, door=known, person=actor, waived_at=timezone.now(), reason=text
            )
    except IntegrityError:
        raise AlreadyWaived(door=door) from None
    append("door.waive", actor=person(actor), subjects=_subjects(conflict), data={"door": known.value, "reason": text})
    return waiver


@transaction.atomic(durable=True)
def take_door(conflict_id: UUID, door: str, *, actor: User) -> Job:
    """Return the first job of a safe door; the next one follows when it is done.

    Raises: NotFound, NotAllowed, ConflictResolved, DoorUnknown, ForcedDoor, DoorShut, ZoneBlocked, AgentMissing.
    """
    conflict = _open_conflict(conflict_id, actor, "zones.run")
    known = _door(door)
    if known in FORCED:
        raise ForcedDoor(door=door)
    if known not in STEPS:
        raise DoorUnknown(door=door, message="this way out is not one click", hint="Do what its sentence says.")
    way = next(way for way in doors(conflict, timezone.now()) if way.door is known)
    if way.state is DoorState.SHUT or way.is_being_tried:
        raise DoorShut(door=door, reason=way.reason)
    refuse_blocked(conflict.zone)
    attempt = Job.objects.filter(subject_kind="conflict", subject_id=str(conflict.pk)).count()
    job = _insert_step(conflict, known, attempt, 0, actor)
    append(
        "door.take", actor=person(actor), subjects=_subjects(conflict), data={"door": known.value, "job": str(job.pk)}
    )
    return job


def job_moved(job: Job) -> None:
    """Insert the next step of a door whose job is done. Called in the transaction that moved the job."""
    if job.state != JobState.DONE:
        return
    _, conflict_id, _, attempt, step = job.key.split(":")
    door, following = door_in(job), int(step) + 1
    if following < len(STEPS[door]):
        conflict = Conflict.objects.select_related("zone", "host").get(pk=conflict_id)
        _follow(conflict, door, (int(attempt), following), job.requested_by)


def _follow(conflict: Conflict, door: Door, step: tuple[int, int], actor: User | None) -> None:
    try:
        with transaction.atomic():
            _insert_step(conflict, door, *step, actor)
    except DomainError as refusal:
        # the report that led here is true whatever comes of the door: it must not be refused with it
        data = {"door": door.value, "step": step[1], "code": refusal.stable_code}
        append("door.stuck", actor=_CONTROL, subjects=_subjects(conflict), data=data)


def contradict_words() -> int:
    """Return how many words about a silent owner were contradicted now, by a sign of life that came later."""
    return sum(_contradict(word) for word in PersonsWord.objects.filter(contradicted_at=None).select_for_update())


def _contradict(word: PersonsWord) -> bool:
    owner = Host.objects.filter(owner_hostid=word.owner_hostid, last_heard_at__gt=word.said_at).first()
    if owner is None:
        return False
    word.contradicted_at = timezone.now()
    word.contradicted_by = f"{owner} was heard from at {owner.last_heard_at:%Y-%m-%d %H:%M:%S} UTC"
    word.save(update_fields=["contradicted_at", "contradicted_by"])
    subjects = [("zone", str(word.zone_id)), ("host", word.owner_hostid), ("person", str(word.person.person_id))]
    append("persons-word.contradict", actor=_CONTROL, subjects=subjects, data={"by": word.contradicted_by})
    return True


def _insert_step(conflict: Conflict, door: Door, attempt: int, step: int, actor: User | None) -> Job:
    kind, where = STEPS[door][step]
    host = _host_of(conflict, where)
    placement = Placement.objects.filter(zone=conflict.zone, host=host, gone_at=None).first()
    if placement is None:
        raise NotConfiguredThere(host=host.owner_hostid, zone=conflict.zone.name)
    return insert_job(
        key=f"door:{conflict.pk}:{door.value}:{attempt}:{step}",
        kind=Kind(kind),
        host=host,
        zone_name=placement.name,
        zone_uuid=conflict.zone.zone_uuid,
        subject_kind="conflict",
        subject_id=str(conflict.pk),
        requested_by=actor,
    )


def _host_of(conflict: Conflict, where: Where) -> Host:
    wanted = conflict.zone.owner_hostid if where is Where.OWNER else getattr(conflict.host, "owner_hostid", "")
    host = Host.objects.filter(owner_hostid=wanted).first()
    if host is None:
        raise NotConfiguredThere(host=wanted, zone=conflict.zone.name)
    return host


def _open_conflict(conflict_id: UUID, actor: User, permission: str) -> Conflict:
    conflict = conflict_for_update(conflict_id, actor=actor, permission=permission)
    if conflict.resolved_at is not None:
        raise ConflictResolved(resolved_how=conflict.resolved_how)
    return conflict


def _door(name: str) -> Door:
    try:
        return Door(name)
    except ValueError:
        raise DoorUnknown(door=shown(name)) from None


def _subjects(conflict: Conflict) -> list[tuple[str, str]]:
    return [("conflict", str(conflict.pk)), ("zone", str(conflict.zone_id))]
