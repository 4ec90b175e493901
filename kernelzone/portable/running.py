"""How a zone runs and stops: ready, boot (resumes a suspended zone), halt, shutdown, suspend.

Order of a boot: the record says `running`, the guest is noted, then it writes. Order of a halt: the guest is gone,
then the record says `installed`. So host data never calls a zone idle while its guest writes.
"""

from __future__ import annotations

import os
import signal
from typing import Final

from kernelzone.hostdata import HostDataState, Record
from kernelzone.portable import blocks, changes, guests, suspension
from kernelzone.portable.errors import PortableError
from kernelzone.portable.guest import memory_of
from kernelzone.portable.guests import GuestProcess
from kernelzone.portable.turn import Turn, refuse_panicked
from kernelzone.portable.verdicts import Refused, said, true_record, usable_record
from kernelzone.states import ACTIVE, AuxiliaryState, ZoneState

SUSPEND_S: Final = 15.0


def ready(turn: Turn) -> tuple[str, ...]:
    """Take the zone's storage into use without running it."""
    if turn.state.state is ZoneState.INSTALLED:
        record = _own_record(turn)
        digest = record.suspend_image_digest
        change_state(turn, HostDataState.READY, suspend_image_digest=digest)
        turn.save(ZoneState.READY, auxiliary=turn.state.auxiliary, zone_id=free_zone_id(turn))
    return ()


def boot(turn: Turn, *, fresh: bool, options: tuple[str, ...] = ()) -> tuple[str, ...]:
    """Run the zone: from its suspend image where there is one and `fresh` is not asked for."""
    record = _own_record(turn)
    memory = b"" if fresh or not record.suspend_image_digest else _memory(turn, record)
    change_state(turn, HostDataState.RUNNING)
    if options:
        guests.say(turn.placement.console, f"Boot options: {' '.join(options)}")
    try:
        start_guest(turn, record.incarnation.hex(), memory, turn.state.zone_id or free_zone_id(turn))
    except (PortableError, OSError):
        is_suspended = bool(memory) and not _has_written_since(turn, memory)
        _save_stopped(turn, record.suspend_image_digest if is_suspended else None)
        raise
    if record.suspend_image_digest:
        for path in turn.placement.memory_paths():
            path.unlink(missing_ok=True)  # consumed, or given up by `boot -R`
    return ()


def halt(turn: Turn) -> tuple[str, ...]:
    """End the guest. A zone that another host has taken meanwhile is left unavailable here, its host data alone.

    Return why host data was left alone, as warnings. What is suspended stays so: a zone that was ready never ran.
    """
    refused = _stop(turn)
    return tuple(refused.text.splitlines()) if refused else ()


def _stop(turn: Turn) -> Refused | None:
    """End the guest and let host data say so; return why it does not. Raises: Refused GUEST, HostDataError."""
    guest = turn.state.guest
    if not guests.end(guest) and not guests.kill(guest):
        raise Refused("GUEST", said(turn.placement.zone, "the zone does not stop"))
    # Whatever host data says, the guest is gone: that is what the next verb must find.
    turn.save(ZoneState.INSTALLED)
    try:
        record = _own_record(turn)
    except Refused as refused:
        if refused.unavailable:
            turn.save(ZoneState.UNAVAILABLE)
        return refused
    _save_stopped(turn, record.suspend_image_digest)
    return None


def _save_stopped(turn: Turn, digest: bytes | None) -> None:
    """Let host data and this host say that no guest runs; digest: of the memory that the next boot resumes from."""
    change_state(turn, HostDataState.SUSPENDED if digest else HostDataState.INSTALLED, suspend_image_digest=digest)
    turn.save(ZoneState.INSTALLED, auxiliary=(str(AuxiliaryState.SUSPENDED),) if digest else ())


def shutdown(turn: Turn) -> tuple[str, ...]:
    """Ask the guest to end: what a halt does, of a guest that can still be asked."""
    refuse_panicked(turn)
    return halt(turn)


def restart(turn: Turn) -> tuple[str, ...]:
    """Ask the guest to end and boot the zone anew."""
    refuse_panicked(turn)
    return reboot(turn)


def reboot(turn: Turn) -> tuple[str, ...]:
    """End the guest and boot the zone anew."""
    refused = _stop(turn)
    if refused:
        raise refused
    return boot(turn, fresh=True)


def suspend(turn: Turn) -> tuple[str, ...]:
    """End the guest with its memory sealed in the suspend image, and name the image in host data."""
    refuse_panicked(turn)
    zone, path = turn.placement.zone, turn.placement.suspend_path()
    if path is None:
        raise Refused("NO_SUSPEND", said(zone, "the configuration has no suspend resource"))
    _own_record(turn)  # an image that host data cannot name would be memory lost
    path.unlink(missing_ok=True)  # an old image must not be taken for the new one
    if not guests.end(turn.state.guest, signal.SIGUSR1, wait_s=SUSPEND_S):
        raise Refused("NO_SUSPEND", said(zone, f"the zone was not suspended and runs on: {path} cannot be written"))
    turn.save(ZoneState.INSTALLED)
    digest = suspension.digest_of(path)
    if digest is None:
        raise Refused("NO_SUSPEND", said(zone, "the zone stopped without a suspend image"))
    change_state(turn, HostDataState.SUSPENDED, suspend_image_digest=digest)
    turn.save(ZoneState.INSTALLED, auxiliary=(str(AuxiliaryState.SUSPENDED),))
    return ()


def start_guest(turn: Turn, incarnation: str, memory: bytes, zone_id: int | None) -> None:
    """Start the zone's guest; the zone is noted as running before the guest may write.

    Raises: PortableError GUEST, OSError.
    """

    def note(guest: GuestProcess) -> None:
        turn.save(ZoneState.RUNNING, guest=guest, zone_id=zone_id, incarnation=incarnation)

    guests.start(guest_arguments(turn, incarnation), memory=memory, console=turn.placement.console, note=note)


def guest_arguments(turn: Turn, incarnation: str) -> list[str]:
    """Return what the zone's guest is started with. incarnation: 32 hex digits."""
    host, placement = turn.host, turn.placement
    device = placement.boot_devices()[0]
    return [
        f"--zone={placement.zone}",
        f"--storage={host.path_of(device.uri)}",
        f"--zone-uuid={placement.stored_state().zone_uuid}",
        f"--incarnation={incarnation}",
        f"--owner-hostid={host.owner_hostid}",
        f"--key-file={placement.directory / 'key'}",
        f"--suspend={placement.suspend_path() or ''}",
        f"--interval={host.guest_interval_s}",
    ]


def _own_record(turn: Turn) -> Record:
    """Return the record when CLEAN host data names this host, and only then."""
    record = usable_record(turn.host, turn.placement, turn.look())
    if not changes.is_owner(turn.host, record):
        text = said(turn.placement.zone, "host data says that no host uses the zone; attach it first")
        raise Refused("NOT_OWNER", text, unavailable=True)
    return record


def change_state(turn: Turn, state: HostDataState, *, suspend_image_digest: bytes | None = None) -> None:
    """Write the zone's state into the host data that this host owns. Raises: Refused, HostDataError."""
    looks = turn.look()
    true_record(turn.placement, looks)
    change = changes.state_change(turn.host, state, turn.agent, suspend_image_digest=suspend_image_digest)
    changes.claim_all(turn.writer(), change, looks)


def _memory(turn: Turn, record: Record) -> bytes:
    """Return what the suspended guest remembers.

    Raises: Refused SUSPEND_IMAGE when it is not the image host data names; the zone stays suspended.
    """
    paths = turn.placement.memory_paths()
    path = next((one for one in paths if suspension.digest_of(one) == record.suspend_image_digest), None)
    if path is None:
        lines = ("the suspend image is not the one host data names", "To give the suspended memory up, boot with -R")
        raise Refused("SUSPEND_IMAGE", said(turn.placement.zone, *lines))
    zone_uuid = turn.placement.stored_state().zone_uuid
    assert zone_uuid is not None
    return suspension.unseal(path.read_bytes(), zone_key=turn.writer().zone_key, zone_uuid=zone_uuid.bytes)


def _has_written_since(turn: Turn, memory: bytes) -> bool:
    """Return whether a guest wrote more than `memory` knows of; one that resumed from it would write over that.

    What cannot be read or is torn may be such a block.
    """
    known = memory_of(memory).sequence
    try:
        fd = os.open(turn.host.path_of(turn.placement.boot_devices()[0].uri), os.O_RDONLY | os.O_CLOEXEC)
        try:
            return any(one.block is None or one.block.sequence > known for one in blocks.walk(fd))
        finally:
            os.close(fd)
    except (PortableError, OSError):
        return True


def free_zone_id(turn: Turn) -> int:
    """Return a zone id that no zone of the host has."""
    stored = (turn.host.placement(zone).stored_or_none() for zone in turn.host.zones())
    return 1 + max((one.zone_id or 0 for one in stored if one and one.state in ACTIVE), default=0)
