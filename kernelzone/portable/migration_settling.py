"""What a migration that was cut off leaves, put right on each host. Host data alone says which of them has the zone.

    source, host data names the source    the zone runs on there, from the memory it had handed over
    source, host data names another host  configured: the zone has moved
    target, host data names the target    installed, suspended: the next boot resumes it
    target, host data names another host  configured: the zone never came

Host data that is not whole settles nothing: a claim that was cut off is first settled on the host that began it. Of
several boot devices the first one says which host has the zone; the target takes the others over.
"""

from __future__ import annotations

from kernelzone.hostdata import HostDataState, Record
from kernelzone.portable import changes, guests, migration_marks, running, suspension
from kernelzone.portable.host import Host
from kernelzone.portable.migration_marks import Side
from kernelzone.portable.placement import Placement
from kernelzone.portable.turn import Turn
from kernelzone.portable.verdicts import Refused, true_record, whole_records
from kernelzone.states import AuxiliaryState, ZoneState
from kernelzone.words import HostId


def settle(host: Host, placement: Placement) -> None:
    """Put the zone right on this side of the migration. The caller holds the zone's verb lock.

    Raises: Refused when host data is not whole; PortableError GUEST, HostDataError.
    """
    mark = migration_marks.read(placement)
    if mark is None:
        return
    turn = Turn(host, placement, placement.stored_state(), host.agent)
    try:
        if mark.side is Side.TARGET:
            _finish_handover(turn, mark.other)
        record = true_record(placement, turn.look())
    except Refused as refused:  # of this zone here nothing is known that could make it unavailable
        raise Refused(refused.code, refused.text) from refused
    settle_side = settle_source if mark.side is Side.SOURCE else settle_target
    settle_side(turn, record)


def _finish_handover(turn: Turn, source: HostId) -> None:
    """Take the boot storage that is left when the handover was cut off between two devices of the zone.

    The first device decides: once it names the target, the source never acts on the zone again.
    """
    looks = turn.look()
    records = whole_records(turn.placement, looks)
    first = records[0]
    left = [look for look, record in zip(looks, records, strict=True) if record.owner_hostid == source]
    if left and changes.is_owner(turn.host, first) and first.previous_owner_hostid == source:
        incarnation, digest = first.incarnation, first.suspend_image_digest
        change = changes.handover_change(source, turn.host, incarnation=incarnation, memory_digest=digest)
        changes.claim_all(turn.writer(), change, left)


def settle_source(turn: Turn, record: Record) -> None:
    """Put the source right; the zone runs on here when host data still names this host."""
    if not changes.is_owner(turn.host, record):
        guests.kill(turn.state.guest)
        turn.save(ZoneState.CONFIGURED)
        migration_marks.forget(turn.placement)
        return
    if turn.state.state is ZoneState.RUNNING:
        _run_on(turn, record)
    elif record.state is HostDataState.MIGRATING_OUT:  # the host was started anew meanwhile
        running.change_state(turn, HostDataState.INSTALLED)
    elif record.suspend_image_digest:  # taken back by force, with the memory that it had handed over
        migration_marks.clear(turn.placement)
        return
    migration_marks.forget(turn.placement)


def settle_target(turn: Turn, record: Record) -> None:
    """Put the target right; nothing is booted here, what came is installed."""
    if _is_running_here(turn, record):
        turn.save(ZoneState.RUNNING, **running_fields(turn))
        migration_marks.forget(turn.placement)
        return
    guests.kill(turn.state.guest)
    if not changes.is_owner(turn.host, record):
        turn.save(ZoneState.CONFIGURED)
        migration_marks.forget(turn.placement)
        return
    if record.state is HostDataState.RUNNING:  # the guest was never told to go
        running.change_state(turn, HostDataState.INSTALLED)
    is_suspended = record.suspend_image_digest is not None
    turn.save(ZoneState.INSTALLED, auxiliary=(str(AuxiliaryState.SUSPENDED),) if is_suspended else ())
    (migration_marks.clear if is_suspended else migration_marks.forget)(turn.placement)


def running_fields(turn: Turn) -> dict[str, object]:
    """Return what only a running zone has, as it is."""
    state = turn.placement.stored_state()
    return {"guest": state.guest, "zone_id": state.zone_id, "incarnation": state.incarnation}


def _is_running_here(turn: Turn, record: Record) -> bool:
    """Return whether the zone runs here: a guest that was never told to write is about to end, whatever is said."""
    if not changes.is_owner(turn.host, record) or record.state is not HostDataState.RUNNING:
        return False
    guest = turn.state.guest
    return guest is not None and guests.is_alive(guest) and not guests.is_waiting(guest)


def _run_on(turn: Turn, record: Record) -> None:
    if record.state is HostDataState.MIGRATING_OUT:
        running.change_state(turn, HostDataState.RUNNING)
    if guests.is_alive(turn.state.guest):
        turn.save(ZoneState.RUNNING, **running_fields(turn))
    else:
        running.start_guest(turn, str(turn.state.incarnation), _memory(turn), turn.state.zone_id)


def _memory(turn: Turn) -> bytes:
    """Return what the zone had handed over, empty when it had not come to that."""
    image = turn.placement.handover
    zone_uuid = turn.placement.stored_state().zone_uuid
    if not image.exists() or zone_uuid is None:
        return b""
    return suspension.unseal(image.read_bytes(), zone_key=turn.writer().zone_key, zone_uuid=zone_uuid.bytes)
