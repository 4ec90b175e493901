"""How a zone comes to a host and leaves it: install, attach (forced too), detach."""

from __future__ import annotations

import secrets
import time
from typing import Final
from uuid import uuid4

from kernelzone import zoneadm
from kernelzone.facts import BootDevice
from kernelzone.hostdata import HostDataState, Record, RecordFlags, doubts
from kernelzone.portable import changes, storage
from kernelzone.portable.changes import Writer
from kernelzone.portable.host import Host
from kernelzone.portable.keys import settle_key, stage_new_key
from kernelzone.portable.placement import KEY_BYTES
from kernelzone.portable.reading import Look, device_guid
from kernelzone.portable.turn import Turn
from kernelzone.portable.unused import refuse_unless_unused
from kernelzone.portable.verdicts import (
    Refused,
    refuse_unless_ours_or_free,
    said,
    true_record,
    whole_records,
)
from kernelzone.states import AuxiliaryState, ZoneState
from kernelzone.zoneadm import Extended

__all__ = ["attach", "detach", "finish", "install", "settle_key", "stage_new_key"]

_INSTALLED_LINES: Final = ("Installation: Starting ...", "Installation: Succeeded")


def install(turn: Turn) -> tuple[str, ...]:
    """Write the first host data of a zone onto blank boot storage, under a new key; return the installer's lines."""
    began = time.monotonic()
    make_volumes(turn)
    looks = turn.look()
    refuse_unless_unused(turn.host, turn.placement, looks)
    turn.save(ZoneState.INCOMPLETE, zone_uuid=uuid4())
    written_anew(turn, looks)
    turn.save(ZoneState.INSTALLED)
    seconds = f"        Done: Installation completed in {time.monotonic() - began:.3f} seconds."
    lines = (*_INSTALLED_LINES, seconds)
    return (write_log(turn.host, turn.placement.zone, "install", lines), *lines)


def make_volumes(turn: Turn) -> None:
    """Make the ZFS volumes that the zone boots from and that are not there, as install does on Solaris."""
    for device in turn.placement.boot_devices():
        path = turn.host.path_of(device.uri)
        if storage.is_volume(device.uri) and not path.exists():
            storage.create(path)


def written_anew(turn: Turn, looks: list[Look]) -> None:
    """Give blank boot storage its first host data, under a new key: from then on it is this host's."""
    placement = turn.placement
    key, incarnation = secrets.token_bytes(KEY_BYTES), secrets.token_bytes(16)
    placement.stage_key(key)

    def record_of(device: BootDevice) -> Record:
        return changes.install_record(turn.host, device, turn.agent, incarnation)

    changes.initialise_all(Writer(turn.host, placement, key, turn.agent), record_of, looks)
    placement.promote_key()


def attach(turn: Turn, extended: Extended | None, warrant_digest: bytes | None) -> tuple[str, ...]:
    """Make this host the owner, in the way `extended` says; return warnings. What was said goes to the attach log."""
    zone = turn.placement.zone
    try:
        _ATTACHES[extended](turn, warrant_digest)
        lines = finish(turn)
    except Refused as refused:
        write_log(turn.host, zone, "attach", tuple(refused.text.splitlines()))
        raise
    write_log(turn.host, zone, "attach", (*lines, "Attach: Succeeded"))
    return lines


def finish(turn: Turn) -> tuple[str, ...]:
    """Make the zone installed here, now that host data names this host; a staged key that opens it is put in place.

    Raises: Refused when host data does not prove that this host owns the zone.
    """
    settle_key(turn.host, turn.placement)
    record = true_record(turn.placement, turn.look())
    if not changes.is_owner(turn.host, record):
        raise Refused("NOT_OWNER", said(turn.placement.zone, "host data does not name this host"))
    auxiliary = (str(AuxiliaryState.SUSPENDED),) if record.suspend_image_digest else ()
    turn.save(ZoneState.INSTALLED, auxiliary=auxiliary)
    return _lost_words(turn) if RecordFlags.INITIALISED in record.flags else ()


def _lost_words(turn: Turn) -> tuple[str, ...]:
    """Return the warnings about what an initialisation of host data has cost."""
    images = [str(path) for path in turn.placement.memory_paths() if path.exists()]
    return tuple(zoneadm.initialised_message(turn.placement.zone, images[0] if images else None).splitlines())


def detach(turn: Turn) -> tuple[str, ...]:
    """Release the zone; where another host owns it already, or nobody, only this host's own state changes."""
    ours = own_looks(turn)
    if ours:
        changes.claim_all(turn.writer(), changes.release_change(turn.host, turn.agent), ours)
    turn.save(ZoneState.CONFIGURED)
    return ()


def check_detach(turn: Turn) -> tuple[str, ...]:
    """Return what a detach would do, and change nothing (`detach -n`)."""
    ours = own_looks(turn)
    name = turn.placement.zone
    if ours:
        return (f"zone '{name}': would be released on {len(ours)} boot device{'s' if len(ours) > 1 else ''}",)
    return (f"zone '{name}': host data does not name this host; only its state here would change",)


def own_looks(turn: Turn) -> list[Look]:
    """Return the boot storage that names this host; the rest of a detach that was interrupted may be free already.

    Raises: as `true_record`.
    """
    looks = turn.look()
    records = whole_records(turn.placement, looks)
    ours = [one for one, record in zip(looks, records, strict=True) if changes.is_owner(turn.host, record)]
    if len(ours) < len(looks) and not is_free_or_ours(turn.host, looks):
        true_record(turn.placement, looks)
    return ours


def _attach_plain(turn: Turn, _warrant_digest: bytes | None) -> None:
    looks = turn.look()
    refuse_unless_ours_or_free(turn.host, turn.placement, looks)
    changes.claim_all(turn.writer(), changes.attach_change(turn.host, turn.agent), looks)


def _attach_forced(turn: Turn, warrant_digest: bytes | None) -> None:
    looks = turn.look()
    if is_free_or_ours(turn.host, looks) and not any(_is_copy(one) for one in looks):
        return _attach_plain(turn, warrant_digest)
    _refuse_unless_readable(turn, looks)
    change = changes.takeover_change(turn.host, turn.placement.zone, warrant_digest, turn.agent)
    return changes.claim_all(turn.writer(), change, looks, forced=True)


def _attach_initialised(turn: Turn, warrant_digest: bytes | None) -> None:
    looks = turn.look()
    if not looks or any(one.pair is None for one in looks):
        raise Refused("NO_STORAGE", said(turn.placement.zone, "a boot device of the zone cannot be read"))
    key = stage_new_key(turn.host, turn.placement)
    incarnation = secrets.token_bytes(16)

    def record_of(device: BootDevice) -> Record:
        return changes.initialise_record(turn.host, device, warrant_digest, turn.agent, incarnation)

    changes.initialise_all(Writer(turn.host, turn.placement, key, turn.agent), record_of, looks, forced=True)


_ATTACHES: Final = {
    None: _attach_plain,
    Extended.FORCE_TAKEOVER: _attach_forced,
    Extended.INITIALIZE_HOSTDATA: _attach_initialised,
}


def _is_copy(one: Look) -> bool:
    return one.region is not None and "CLONE_SUSPECTED" in doubts(one.region, device_guid=device_guid(one.device))


def is_free_or_ours(host: Host, looks: list[Look]) -> bool:
    """Return whether each boot storage is free or names this host, and none is in doubt."""
    records = [one.region.record for one in looks if one.region and one.status == "CLEAN"]
    return len(records) == len(looks) > 0 and all(
        record and (record.state is HostDataState.FREE or record.owner_hostid == host.owner_hostid)
        for record in records
    )


def _refuse_unless_readable(turn: Turn, looks: list[Look]) -> None:
    """Refuse a takeover of what the key does not open: nobody could tell what is taken over."""
    if not looks or any(one.region is None or one.region.zone_uuid is None for one in looks):
        true_record(turn.placement, looks)  # says which it is: wrong key, no host data, being written
        raise Refused("HD_NOT_CLEAN", said(turn.placement.zone, "host data cannot be read on every boot device"))


def write_log(host: Host, zone: str, operation: str, lines: tuple[str, ...]) -> str:
    """Keep what an operation said where Solaris keeps it, and return the line that says where."""
    name = f"zoneadm.{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}.{zone}.{operation}"
    line = f"Progress being logged to /var/log/zones/{name}"
    with (host.directory / "log" / name).open("a", encoding="utf-8") as file:
        file.writelines(f"{one}\n" for one in lines)
    return line
