"""`zoneadm verify` and `apply`: can the zone be used as configured; host data for boot devices added to it."""

from __future__ import annotations

import os
from dataclasses import replace

from kernelzone import zonecfg
from kernelzone.facts import BootDevice, RegionStatus
from kernelzone.hostdata import Record
from kernelzone.portable import changes, storage
from kernelzone.portable.reading import Look, device_guid
from kernelzone.portable.turn import Turn
from kernelzone.portable.unused import named_twice, refuse_unless_unused
from kernelzone.portable.verdicts import Refused, said, true_record
from kernelzone.states import ZoneState
from kernelzone.zonecfg import ZoneCfgError


def verify(turn: Turn) -> tuple[str, ...]:
    """Return no lines when the zone could be used as it is configured. Raises: Refused VERIFY, with every reason."""
    placement = turn.placement
    reasons = []
    try:
        zonecfg.verify(placement.resolved())
    except ZoneCfgError as error:
        reasons.append(f"{error.message} [{error.code}]")
    looks = turn.look()
    if not looks:
        reasons.append("no device of the zone has a bootpri")
    unread = [one.device.uri for one in looks if one.status is RegionStatus.NO_STORAGE]
    if turn.state.state is ZoneState.CONFIGURED:  # install makes missing volumes
        unread = [uri for uri in unread if not storage.is_volume(uri)]
    reasons += [f"boot storage {uri} cannot be read" for uri in unread]
    if twice := named_twice(looks):
        reasons.append(twice)
    path = placement.suspend_path()
    if path and not _can_be_made(str(path.parent)):
        reasons.append(f"the suspend image cannot be written to {path.parent}")
    if reasons:
        raise Refused("VERIFY", said(placement.zone, *reasons))
    return ()


def apply(turn: Turn, *, dry_run: bool) -> tuple[str, ...]:
    """Give boot devices that were added to the configuration their host data; return what Solaris prints.

    Each new device gets the record that the others have. It must be unused, and the others whole and this host's.
    """
    zone, looks = turn.placement.zone, turn.look()
    added = [one for one in looks if one.status is RegionStatus.BLANK]
    present = [one for one in looks if one not in added]
    if not added:
        return ()
    record = true_record(turn.placement, present)
    if not changes.is_owner(turn.host, record):
        raise Refused("NOT_OWNER", said(zone, "host data does not name this host; attach the zone first"))
    refuse_unless_unused(turn.host, turn.placement, added)
    lines = [f"zone '{zone}': Checking: Adding device id={one.device.id}" for one in added]
    if not dry_run:
        _initialise(turn, record, added)
        lines.append(f"zone '{zone}': Applying the changes")
    return tuple(lines)


def _initialise(turn: Turn, record: Record, added: list[Look]) -> None:
    def record_of(device: BootDevice) -> Record:
        return replace(record, device_guid=device_guid(device))

    changes.initialise_all(turn.writer(), record_of, added)


def _can_be_made(directory: str) -> bool:
    """Return whether files can be made in the directory, or it can be made itself."""
    while not os.path.exists(directory) and directory != "/":
        directory = os.path.dirname(directory)
    return os.path.isdir(directory) and os.access(directory, os.W_OK)
