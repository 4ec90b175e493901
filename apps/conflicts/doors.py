"""The ways out of one conflict, safest first, each open, shut, tried or waived, with the reason in a sentence.

A rule per door, pure over what `survey` has read; adding a door is a function and a line in `LADDER`.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, NamedTuple

from django.db.models import Q

from apps.base.wording import age
from apps.conflicts.models import Conflict, EvidenceRow, EvidenceSheet, Waiver
from apps.conflicts.wording import clock, named, silence
from apps.fleet.models import Agent, Host
from apps.fleet.selectors import collided_hostids, is_silent
from apps.jobs.models import Job
from apps.jobs.workflow import OPEN
from apps.jobs.workflow import State as JobState
from apps.zones.models import Placement, Reading, Sighting
from kernelzone.facts import RegionStatus
from kernelzone.orders import Kind
from kernelzone.states import ACTIVE

# How long a sheet's "proves on" keeps a forced door shut; the freshness a policy asks of a reading by default.
FRESH: Final = timedelta(minutes=30)


class Door(StrEnum):
    """The names of the doors, safest first."""

    WAIT_FOR_OWNER = "wait-for-owner"
    DETACH_AND_ATTACH = "detach-and-attach"
    SHUTDOWN_AND_ATTACH = "shutdown-and-attach"
    CORRECT_CONFIGURATION = "correct-configuration"
    RESTORE_KEY = "restore-key"
    REPAIR_RECORD = "repair-record"
    FORCE_TAKEOVER = "force-takeover"
    INITIALIZE_HOSTDATA = "initialize-hostdata"


class DoorState(StrEnum):
    """Open: may be taken. Shut: cannot. Tried: was taken and did not help. Waived: a person gave it up."""

    OPEN = "open"
    SHUT = "shut"
    TRIED = "tried"
    WAIVED = "waived"


class Where(StrEnum):
    """On which host a step of a door runs."""

    OWNER = "owner"
    HERE = "here"


FORCED: Final = frozenset({Door.FORCE_TAKEOVER, Door.INITIALIZE_HOSTDATA})
STEPS: Final[dict[Door, tuple[tuple[Kind, Where], ...]]] = {
    Door.DETACH_AND_ATTACH: ((Kind.DETACH, Where.OWNER), (Kind.ATTACH, Where.HERE)),
    Door.SHUTDOWN_AND_ATTACH: (
        (Kind.SHUTDOWN, Where.OWNER),
        (Kind.DETACH, Where.OWNER),
        (Kind.ATTACH, Where.HERE),
    ),
}


class Way(NamedTuple):
    """One door of one conflict as it is now. `job`: what is being tried through it."""

    door: Door
    state: DoorState
    reason: str
    is_forced: bool = False
    is_taken_by_hand: bool = False
    job: Job | None = None

    @property
    def is_being_tried(self) -> bool:
        """Whether a job of this door has not ended yet."""
        return self.job is not None and self.job.state in OPEN


class Survey(NamedTuple):
    """All the rules look at, read once. `here`: the host that wants the zone; `readings`: newest, one a host."""

    conflict: Conflict
    now: datetime
    owner_hostid: str
    owner: Host | None
    here: Host | None
    at_owner: Placement | None
    at_here: Placement | None
    readings: tuple[tuple[Host, Reading], ...]
    sheet: EvidenceSheet | None
    rows: tuple[EvidenceRow, ...]
    collided: frozenset[str]

    @property
    def owner_answers(self) -> bool:
        """Whether the owner's agent has spoken for it of late."""
        return self.owner is not None and not is_silent(self.owner, self.now)


Verdict = tuple[DoorState, str]

# Why no other host is asked to give the zone up, where that would not help; and what would.
_NOT_HANDED_OVER: Final = {
    Conflict.Kind.DOUBLE_RUN: "Host data names one of the hosts that run it: shut it down on the other one, from the"
    " zone's page.",
    Conflict.Kind.FORCED_OUTSIDE: "It was taken already. Find out by whom; if that was wrong, shut it down and detach"
    " it there, then attach it where it belongs.",
    Conflict.Kind.KEY_WRONG: "Handing it over does not help before this host has the right key.",
    Conflict.Kind.TAMPERED: "Host data cannot be believed: nobody is asked to act on it.",
    Conflict.Kind.TORN: "A torn record lets nobody attach the zone, whoever gives it up.",
    Conflict.Kind.STALE_CONFIGURATION: "The zone is where it belongs: nothing has to be handed over.",
    Conflict.Kind.RETURN_PENDING: "It was handed over by force already. Its host confirms by itself within a minute;"
    " if it runs there, shut it down there, from the zone's page.",
    Conflict.Kind.STORAGE_SHARED: "Handing it over does not part two zones from one boot storage.",
    Conflict.Kind.HOSTID_COLLISION: "Host data names hosts by hostid alone: while two answer to it, nobody can be"
    " asked as the owner. Give one of them another hostid, or take it off the network.",
}


def doors(conflict: Conflict, now: datetime, here: Host | None = None) -> list[Way]:
    """Return the ladder of `conflict`, safest first. A forced door is open only when every safer one is not.

    here: the host that is to have the zone; the one the conflict is about when not said.
    """
    seen = survey(conflict, now, here or conflict.host)
    tried = _tried(conflict)
    waived = {Door(row.door): row for row in conflict.waivers.select_related("person")}
    ways: list[Way] = []
    for door, rule in LADDER.items():
        way = _way(door, rule(seen), tried.get(door), waived.get(door), seen)
        if door in FORCED and way.state is DoorState.OPEN:
            way = _forced(way, ways, seen)
        ways.append(way)
    return ways


def door_of(conflict: Conflict, door: Door, now: datetime, here: Host | None = None) -> Way:
    """Return one door of the ladder."""
    return next(way for way in doors(conflict, now, here) if way.door is door)


def survey(conflict: Conflict, now: datetime, here: Host | None) -> Survey:
    """Return what is known about the conflict's zone, its owner and the host that wants it."""
    zone = conflict.zone
    owner = Host.objects.select_related("agent").filter(owner_hostid=zone.owner_hostid or "-").first()
    placements = {row.host_id: row for row in Placement.objects.filter(zone=zone, gone_at=None)}
    sightings = Sighting.objects.filter(storage__zone=zone).select_related("host", "reading").order_by("confirmed_at")
    newest = {row.host_id: (row.host, row.reading) for row in sightings}
    sheet = conflict.zone.sheets.filter(state=EvidenceSheet.State.COMPLETE).order_by("-completed_at").first()
    return Survey(
        conflict,
        now,
        zone.owner_hostid,
        owner,
        here,
        placements.get(owner.pk) if owner else None,
        placements.get(here.pk) if here else None,
        tuple(newest.values()),
        sheet,
        tuple(sheet.rows.all()) if sheet else (),
        frozenset(collided_hostids()),
    )


# --- one rule a door --------------------------------------------------------------------------------------------------


def _wait_for_owner(seen: Survey) -> Verdict:
    if seen.conflict.kind != Conflict.Kind.HELD_ELSEWHERE:
        return _shut("Waiting changes nothing here: it is not the owner's absence that is wrong.")
    if seen.owner is None:
        return _shut(f"{named(None, seen.owner_hostid).capitalize()} is not known here: nobody can say when it comes.")
    if seen.owner_answers:
        return _shut(f"{named(seen.owner)} is up: there is nothing to wait for.")
    heard = seen.owner.last_heard_at
    if heard is None:
        return DoorState.TRIED, f"{named(seen.owner)} has never been heard from; nothing says that it will come."
    return DoorState.TRIED, f"{named(seen.owner)} has been waited for, for {age(seen.now - heard)}: it does not answer."


def _detach_and_attach(seen: Survey) -> Verdict:
    return _cannot_hand_over(seen) or _handed_over(seen, is_running=False)


def _shutdown_and_attach(seen: Survey) -> Verdict:
    return _cannot_hand_over(seen) or _handed_over(seen, is_running=True)


def _cannot_hand_over(seen: Survey) -> Verdict | None:
    """Return why the owner cannot be asked to give the zone up, None when it can."""
    if seen.conflict.kind != Conflict.Kind.HELD_ELSEWHERE:
        return _shut(_NOT_HANDED_OVER[Conflict.Kind(seen.conflict.kind)])
    if seen.owner is None:
        return _shut(f"{named(None, seen.owner_hostid).capitalize()} is not known here: it cannot be asked.")
    if seen.owner.agent is None or seen.owner.agent.state != Agent.State.TRUSTED:
        return _shut(f"No trusted agent speaks for {named(seen.owner)}: it cannot be asked.")
    if not seen.owner_answers:
        return _shut(_not_answered(seen))
    if seen.at_owner is None or seen.at_owner.state == "configured":
        return _shut(f"{named(seen.owner)} does not have the zone attached: it has nothing to detach.")
    return None


def _handed_over(seen: Survey, *, is_running: bool) -> Verdict:
    assert seen.at_owner is not None
    where, state = named(seen.owner), seen.at_owner.state
    if (state in ACTIVE) != is_running:
        return _shut(f"The zone is {state} on {where}: {'it is not running' if is_running else 'shut it down first'}.")
    return DoorState.OPEN, f"{where} answers, and the zone is {state} there."


def _not_answered(seen: Survey) -> str:
    assert seen.owner is not None
    asked = [
        row for row in seen.rows if row.probe == EvidenceRow.Probe.OWNERS_AGENT and row.source == seen.owner_hostid
    ]
    when = f" It was last asked at {clock(asked[-1].asked_at)}." if asked else ""
    return f"{silence(seen.owner, seen.now)}{when}"


def _correct_configuration(seen: Survey) -> Verdict:
    if seen.conflict.kind == Conflict.Kind.STORAGE_SHARED:
        return DoorState.OPEN, f"By hand on {named(seen.here)}: give one of the zones boot storage of its own."
    if seen.conflict.kind != Conflict.Kind.STALE_CONFIGURATION:
        return _shut("No configuration was found to be stale.")
    name = seen.at_here.name if seen.at_here else seen.conflict.zone.name
    return DoorState.OPEN, f"By hand on {named(seen.here)}: zonecfg -z {name} delete. The zone lives elsewhere."


def _restore_key(seen: Survey) -> Verdict:
    if seen.conflict.kind not in (Conflict.Kind.KEY_WRONG, Conflict.Kind.TORN, Conflict.Kind.TAMPERED):
        return _shut("The key opens the host data: there is nothing to restore.")
    return _shut("No key of this zone is in escrow.")


def _repair_record(seen: Survey) -> Verdict:
    if seen.conflict.kind != Conflict.Kind.TORN:
        return _shut("The record is whole: there is nothing to repair.")
    return _shut("Repairing a torn record needs the forced action repair-hostdata, which is not offered here yet.")


def _force_takeover(seen: Survey) -> Verdict:
    reading = _reading_here(seen)
    if seen.conflict.kind not in (Conflict.Kind.HELD_ELSEWHERE, Conflict.Kind.TORN):
        return _shut("A takeover does not solve a conflict of this kind.")
    if seen.here is None or reading is None:
        return _shut("No host that wants the zone has read its host data.")
    record = reading.facts.get("record")
    if record is None:
        return _shut(f"Host data is {reading.status}: there is no owner to take it from.")
    if record["state"] == "free":
        return _shut("The zone is free: a plain attach is enough.")
    if record["owner_hostid"] == seen.here.owner_hostid:
        return _shut(f"Host data names {named(seen.here)} itself: there is nobody to take it from.")
    return DoorState.OPEN, f"{named(seen.here)} takes the zone from {record['owner_hostname']}. Others must approve."


def _initialize_hostdata(seen: Survey) -> Verdict:
    if seen.conflict.kind not in (Conflict.Kind.KEY_WRONG, Conflict.Kind.TORN, Conflict.Kind.TAMPERED):
        return _shut("Host data can be opened: writing it anew would only lose who owns the zone.")
    opened = [host for host, reading in seen.readings if reading.facts.get("record") is not None]
    failed = [host for host, reading in seen.readings if reading.status == RegionStatus.UNREADABLE]
    if opened:
        return _shut(f"The key of {named(opened[0])} opens the host data: use that one.")
    if len(failed) < 2:
        return _shut("Only one host has failed to open the host data; a second one must fail too.")
    return DoorState.OPEN, f"No key at hand opens the host data, from {len(failed)} hosts. Others must approve."


LADDER: Final[dict[Door, Callable[[Survey], Verdict]]] = {
    Door.WAIT_FOR_OWNER: _wait_for_owner,
    Door.DETACH_AND_ATTACH: _detach_and_attach,
    Door.SHUTDOWN_AND_ATTACH: _shutdown_and_attach,
    Door.CORRECT_CONFIGURATION: _correct_configuration,
    Door.RESTORE_KEY: _restore_key,
    Door.REPAIR_RECORD: _repair_record,
    Door.FORCE_TAKEOVER: _force_takeover,
    Door.INITIALIZE_HOSTDATA: _initialize_hostdata,
}


# --- what holds for several -------------------------------------------------------------------------------------------


def _way(door: Door, verdict: Verdict, job: Job | None, waiver: Waiver | None, seen: Survey) -> Way:
    state, reason = verdict
    by_hand = door not in STEPS and door not in FORCED
    if job is not None and job.state in OPEN:
        return Way(door, DoorState.OPEN, f"Being tried: {job.kind} on {named(job.host)}.", job=job)
    if waiver is not None and state is DoorState.OPEN:
        reason = f"{waiver.person} gave this up: {waiver.reason}"
        return Way(door, DoorState.WAIVED, reason, is_taken_by_hand=by_hand)
    if job is not None and job.state != JobState.DONE and state is DoorState.OPEN:
        code = f" ({job.code})" if job.code else ""
        return Way(door, DoorState.TRIED, f"Tried: {job.kind} on {named(job.host)} ended {job.state}{code}.", job=job)
    return Way(door, state, reason, is_forced=door in FORCED, is_taken_by_hand=by_hand, job=job)


def _forced(way: Way, safer: list[Way], seen: Survey) -> Way:
    """Return the forced door as it really is: shut while a safer one is open, or something proves on."""
    still_open = [other.door.value for other in safer if other.state is DoorState.OPEN and not other.is_forced]
    proof = _proof_of_life(seen) or _two_answer(seen)
    if proof:
        return way._replace(state=DoorState.SHUT, reason=proof)
    if still_open:
        return way._replace(state=DoorState.SHUT, reason=f"A safer way is open: {', '.join(still_open)}.")
    return way


def _proof_of_life(seen: Survey) -> str:
    """Return the sentence that proves the zone on, "" when nothing fresh does."""
    if seen.owner_answers and seen.at_owner is not None and seen.at_owner.state in ACTIVE:
        return f"{named(seen.owner)} says that the zone is {seen.at_owner.state} there."
    if seen.sheet is None or seen.sheet.completed_at is None or seen.now - seen.sheet.completed_at > FRESH:
        return ""
    proving = [row for row in seen.rows if row.word == EvidenceRow.Word.PROVES_ON]
    return f"At {clock(seen.sheet.completed_at)}: {proving[0].sentence}" if proving else ""


def _two_answer(seen: Survey) -> str:
    """Return why nobody's word counts while two hosts answer under one hostid, "" when none does."""
    twice = {seen.owner_hostid, seen.here.owner_hostid if seen.here else ""} & seen.collided
    return f"Two hosts answer with hostid {min(twice)}: nobody can tell whose word it is." if twice else ""


def _reading_here(seen: Survey) -> Reading | None:
    return next((reading for host, reading in seen.readings if seen.here and host.pk == seen.here.pk), None)


def _tried(conflict: Conflict) -> dict[Door, Job]:
    """Return the newest job that was run through each door of this conflict."""
    jobs = Job.objects.filter(Q(subject_kind="conflict", subject_id=str(conflict.pk))).select_related("host")
    return {door_in(job): job for job in jobs.order_by("created_at", "pk")}


def door_in(job: Job) -> Door:
    """Return the door whose step this job is. Its key is `door:<conflict>:<door>:<attempt>:<step>`."""
    return Door(job.key.split(":")[2])


def _shut(reason: str) -> Verdict:
    return DoorState.SHUT, reason
