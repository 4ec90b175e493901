"""`zoneadm migrate`: a zone goes to another host, at rest (cold, or warm with its suspended memory) or live.

Live, in the words that Solaris prints:

    Importing or using the zone configuration    on the target; taken back when the rest fails
    Attaching zone                               its key opens host data, which names the source: nothing is written
    Booting zone in 'migrating-in' mode          the guest there waits, and ends when nobody lets it write
    Starting migration                           host data: migrating-out, owner still the source
    Suspending zone on source host               the guest seals its memory and ends: from here on nobody writes
    Waiting for migration to complete            host data: the target owns it (one claim), runs; the guest there goes
    Halting and detaching zone on source host    configured

The one claim by which host data goes from source to target is the moment of the migration: before it the zone is the
source's, after it the target's, and at rest it is the only change there is. What a crash leaves on either side is put
right from host data alone (`migration_settling`).
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from typing import Final, NamedTuple

from kernelzone import zoneadm
from kernelzone.crashpoints import crashpoint
from kernelzone.hostdata import HostDataError, HostDataState, Record
from kernelzone.portable import (
    changes,
    configuring,
    files,
    guests,
    maintenance,
    migration_checks,
    migration_marks,
    migration_settling,
    peers,
    running,
    suspension,
)
from kernelzone.portable.errors import PortableError
from kernelzone.portable.guest import HAND_OVER
from kernelzone.portable.guests import Waiting
from kernelzone.portable.host import Host
from kernelzone.portable.migration_checks import told
from kernelzone.portable.migration_marks import Mark, Side
from kernelzone.portable.placement import Placement
from kernelzone.portable.turn import Turn, refuse_panicked
from kernelzone.portable.verdicts import Refused, true_record, usable_record
from kernelzone.states import AuxiliaryState, ZoneState
from kernelzone.suri import SuriError
from kernelzone.words import HostId

Say = Callable[[str], None]
_MAY_COME: Final = frozenset({ZoneState.CONFIGURED, ZoneState.UNAVAILABLE})
_NOT_SETTLED: Final = (Refused, PortableError, HostDataError, SuriError, OSError)


@dataclass(frozen=True, slots=True)
class Options:
    """How to migrate. `cipher`: None for the default. `live_only`: `-t live`. `overwrite`: `-w`.

    target_hostid: the host that is meant, where the one who asks knows it; the hostname may have become another's.
    """

    dry_run: bool = False
    overwrite: bool = False
    live_only: bool = False
    cipher: str | None = None
    target_hostid: HostId | None = None


class Trip(NamedTuple):
    """One zone on its way: the turn on the source, the target, and its placement there."""

    here: Turn
    target: Host
    there: Placement
    options: Options
    say: Say

    @property
    def zone(self) -> str:
        """The zone."""
        return self.here.placement.zone

    def turn_there(self) -> Turn:
        """Return the turn on the target, with the state that the zone has there now."""
        return Turn(self.target, self.there, self.there.stored_state(), self.target.agent)


def migrate(turn: Turn, *, target: str, options: Options, say: Say) -> tuple[str, ...]:
    """Take the zone to the host that `target` (`ssh://user@host`, or a host) names. `say` gets the lines."""
    other = peers.find(turn.host, zoneadm.target_hostname(target))
    trip = Trip(turn, other, other.placement(turn.placement.zone), options, say)
    record = _refuse(trip)
    with ExitStack() as undo:
        _configure(trip, undo)
        crashpoint("migrate.after-configured")
        with files.held(trip.there.verb_lock, wait=False):
            _settle_there(trip)
            is_live = turn.state.state is ZoneState.RUNNING
            (_live if is_live else _at_rest)(trip, record)
        if not options.dry_run:
            undo.pop_all()
    return ()


# --- before anything is changed --------------------------------------------------------------------------------------


def _refuse(trip: Trip) -> Record:
    """Return what host data says, when the zone may be migrated at all. Raises: Refused."""
    turn, zone, meant = trip.here, trip.zone, trip.options.target_hostid
    if meant not in (None, trip.target.owner_hostid):
        text = f"{trip.target.hostname} is host {trip.target.owner_hostid}, but host {meant} is meant"
        raise Refused("TARGET_OTHER", told(zone, text))
    refuse_panicked(turn)
    if trip.options.live_only and turn.state.state is not ZoneState.RUNNING:
        raise Refused("WRONG_STATE", told(zone, "must be running before migrate -t live."))
    message = maintenance.message(trip.target.directory)
    if message is not None:
        raise Refused("MAINTENANCE", told(zone, f"{trip.target.hostname} is in maintenance: {message}"))
    migration_checks.refuse_cipher(zone, trip.options.cipher)
    migration_checks.refuse_local_storage(turn.host, trip.target, turn.placement)
    record = usable_record(turn.host, turn.placement, turn.look())
    if not changes.is_owner(turn.host, record):
        raise Refused("NOT_OWNER", told(zone, "host data says that no host uses the zone; attach it first"))
    migration_checks.refuse_memory_out_of_reach(turn.host, turn.placement, record)
    return record


def _configure(trip: Trip, undo: ExitStack) -> None:
    """Leave the zone configured on the target; what was imported is taken back when `undo` is closed."""
    where = "" if trip.options.dry_run else " on destination"
    exists = trip.there.exists()
    if exists:
        with files.held(trip.there.verb_lock, wait=False):
            _settle_there(trip)
    if exists and not trip.options.overwrite:
        trip.say(f"Using existing zone configuration{where}.")
        return
    trip.say(f"Importing zone configuration{where}.")
    configuration = trip.here.placement.configuration()
    before = configuring.export_text(trip.there) if exists else None
    undo.callback(_put_back, trip, before)
    if why := migration_checks.refused_line(trip.target, trip.here.placement.text()):
        raise Refused("CONFIG_FAILED", migration_checks.configuration_failed(trip.zone, configuration, why))
    text = configuring.export_text(trip.here.placement)
    session = configuring.run(trip.target, trip.zone, _overwriting(text) if exists else text)
    if session.exit_code:
        text = migration_checks.configuration_failed(trip.zone, configuration, session.errors)
        raise Refused("CONFIG_FAILED", text)


def _refuse_active_there(trip: Trip) -> None:
    state = trip.there.state().state
    if state not in _MAY_COME:
        text = f"the zone is {state} on {trip.target.hostname}; it must be configured there"
        raise Refused("TARGET_STATE", told(trip.zone, text))


def _put_back(trip: Trip, before: str | None) -> None:
    """Take an imported configuration away again, unless the zone has come to use it."""
    if trip.there.exists() and trip.there.state().state in _MAY_COME:
        configuring.run(trip.target, trip.zone, "delete -F" if before is None else _overwriting(before))


def _overwriting(text: str) -> str:
    return text.replace("create -b", "create -b -F", 1)


def _settle_there(trip: Trip) -> None:
    """Settle what a crash left on the target, then refuse a zone that is in use there."""
    changes.recover(trip.target, trip.there)
    migration_settling.settle(trip.target, trip.there)
    _refuse_active_there(trip)


def _attach_there(trip: Trip) -> None:
    """Make sure that the target could attach: its key opens host data, which says what it says to the source."""
    trip.say("Attaching zone.")
    try:
        record = true_record(trip.there, trip.turn_there().look())
    except Refused as refused:  # the zone stays what it is on both hosts
        raise Refused(refused.code, refused.text) from refused
    if not changes.is_owner(trip.here.host, record):
        raise Refused("NOT_OWNER", told(trip.zone, "host data does not name the source host"))


# --- at rest: cold and warm ------------------------------------------------------------------------------------------


def _at_rest(trip: Trip, record: Record) -> None:
    _attach_there(trip)
    migration_checks.refuse_difference(trip.zone, trip.here.placement, trip.there)
    if trip.options.dry_run:
        trip.say("Dry-run migration successful.")
        trip.say("Cleaning up.")
        return
    with _settled_if_it_fails(trip):
        _mark(trip)
        _carry_memory(trip, record)
        crashpoint("migrate.before-handed-over")
        _hand_over(trip, secrets.token_bytes(16), record.suspend_image_digest)
        crashpoint("migrate.after-handed-over")
        _settle_both(trip)
    trip.say("Migration successful.")
    trip.say("Detaching zone on source host.")


def _carry_memory(trip: Trip, record: Record) -> None:
    """Take along the memory that itself came with a migration: it lies on the source host alone."""
    handover = trip.here.placement.handover
    if record.suspend_image_digest and suspension.digest_of(handover) == record.suspend_image_digest:
        suspension.store(trip.there.handover, handover.read_bytes())


# --- live ------------------------------------------------------------------------------------------------------------


def _live(trip: Trip, _record: Record) -> None:
    _attach_there(trip)
    incarnation = secrets.token_bytes(16)
    with _settled_if_it_fails(trip), _migrating_in(trip, incarnation) as waiting:
        trip.say("Checking migration compatibility.")
        migration_checks.refuse_difference(trip.zone, trip.here.placement, trip.there)
        if not trip.options.dry_run:
            _move(trip, waiting, incarnation)
    if trip.options.dry_run:
        trip.say("Cleaning up.")
        trip.say("Dry-run migration successful.")


@contextmanager
def _migrating_in(trip: Trip, incarnation: bytes) -> Iterator[Waiting]:
    """Yield the guest on the target, which waits for the word to write; it is gone unless it got it."""
    trip.say("Booting zone in 'migrating-in' mode.")
    migration_marks.keep(trip.there, Mark(Side.TARGET, trip.here.host.owner_hostid))
    turn = trip.turn_there()
    waiting = guests.begin(running.guest_arguments(turn, incarnation.hex()), trip.there.console)
    try:
        fields = {"zone_id": running.free_zone_id(turn), "incarnation": incarnation.hex()}
        auxiliary = (str(AuxiliaryState.MIGRATING_IN),)
        turn.save(ZoneState.RUNNING, auxiliary=auxiliary, guest=waiting.process, **fields)
        crashpoint("migrate.after-booted-in")
        yield waiting
    finally:
        if waiting.child.returncode is None:
            guests.give_up(waiting)
        if trip.options.dry_run:
            turn.save(turn.state.state)
            migration_marks.forget(trip.there)


def _move(trip: Trip, waiting: Waiting, incarnation: bytes) -> None:
    trip.say("Starting migration.")
    _mark_out(trip)
    crashpoint("migrate.after-marked-out")
    trip.say("Suspending zone on source host.")
    image = _suspended(trip)
    crashpoint("migrate.after-suspended")
    peers.demand_answer(trip.here.host, trip.target)
    suspension.store(trip.there.handover, image)
    crashpoint("migrate.before-handed-over")
    _hand_over(trip, incarnation, suspension.digest_of(trip.there.handover))
    crashpoint("migrate.after-handed-over")
    trip.say("Waiting for migration to complete.")
    there = trip.turn_there()
    running.change_state(there, HostDataState.RUNNING)
    crashpoint("migrate.before-going")
    guests.go(waiting, _opened(there, image))
    crashpoint("migrate.after-going")
    trip.say("Migration successful.")
    trip.say("Halting and detaching zone on source host.")
    _settle_both(trip)


def _mark_out(trip: Trip) -> None:
    """Let the source and host data say that the zone is on its way out; it runs on meanwhile."""
    here = trip.here
    here.placement.handover.unlink(missing_ok=True)  # an old memory must not be taken for the new one
    migration_marks.keep(here.placement, Mark(Side.SOURCE, trip.target.owner_hostid))
    fields = migration_settling.running_fields(here)
    here.save(ZoneState.RUNNING, auxiliary=(str(AuxiliaryState.MIGRATING_OUT),), **fields)
    running.change_state(here, HostDataState.MIGRATING_OUT)


def _suspended(trip: Trip) -> bytes:
    """Return the sealed memory of the source's guest, which has ended."""
    placement = trip.here.placement
    if not guests.end(trip.here.state.guest, HAND_OVER, wait_s=running.SUSPEND_S):
        raise Refused("NO_HANDOVER", told(trip.zone, "the zone did not hand its memory over, and runs on"))
    if not placement.handover.exists():
        raise Refused("NO_HANDOVER", told(trip.zone, "the zone ended without handing its memory over"))
    return placement.handover.read_bytes()


def _opened(turn: Turn, image: bytes) -> bytes:
    zone_uuid = turn.placement.stored_state().zone_uuid
    assert zone_uuid is not None
    return suspension.unseal(image, zone_key=turn.writer().zone_key, zone_uuid=zone_uuid.bytes)


# --- both ------------------------------------------------------------------------------------------------------------


def _mark(trip: Trip) -> None:
    migration_marks.keep(trip.there, Mark(Side.TARGET, trip.here.host.owner_hostid))
    migration_marks.keep(trip.here.placement, Mark(Side.SOURCE, trip.target.owner_hostid))


def _hand_over(trip: Trip, incarnation: bytes, memory_digest: bytes | None) -> None:
    """Make the target the owner in host data, by one claim that only the source's own record allows."""
    there = trip.turn_there()
    change = changes.handover_change(
        trip.here.host.owner_hostid, trip.target, incarnation=incarnation, memory_digest=memory_digest
    )  # fmt: skip
    changes.claim_all(there.writer(), change, there.look())


def _settle_both(trip: Trip) -> None:
    """Leave both hosts as host data says. Raises: Refused and faults of the reading."""
    if trip.target.is_reachable:
        changes.recover(trip.target, trip.there)
        migration_settling.settle(trip.target, trip.there)
    migration_settling.settle(trip.here.host, trip.here.placement)


@contextmanager
def _settled_if_it_fails(trip: Trip) -> Iterator[None]:
    """Settle both hosts when the block fails; what cannot be settled now, the next command on that host settles."""
    try:
        yield
    except BaseException:
        with suppress(*_NOT_SETTLED):
            _settle_both(trip)
        raise
