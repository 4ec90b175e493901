"""Is boot storage in use? Asked before an install or a clone writes to it.

Solaris does not look and overwrites (11.2 release notes). Here three things keep storage from being taken: host data
of any zone, whether its key is known or not; what a guest wrote, though its host data is gone; and another zone of
this host that is configured on it, by whatever URI.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING
from uuid import UUID

from kernelzone import suri
from kernelzone.facts import BootDevice, RegionStatus
from kernelzone.hostdata import HostDataError, SlotHeader, peek_header
from kernelzone.portable import erasing
from kernelzone.portable.errors import PortableError
from kernelzone.portable.placement import Placement
from kernelzone.portable.reading import Look
from kernelzone.portable.verdicts import Refused, in_use_text, not_whole, said
from kernelzone.words import ZoneName

if TYPE_CHECKING:
    from kernelzone.portable.host import Host


def refuse_unless_unused(host: Host, placement: Placement, looks: list[Look]) -> None:
    """Return when nobody uses the boot storage: only then may install or clone take it.

    Raises: Refused IN_USE, STORAGE_IN_USE, STORAGE_TWICE, NO_STORAGE, HD_UNSTABLE.
    """
    zone = placement.zone
    if twice := named_twice(looks):
        raise Refused("STORAGE_TWICE", said(zone, twice))
    if not looks:
        raise Refused("NO_STORAGE", said(zone, "no device of the zone has a bootpri"))
    for one in looks:
        if one.status is RegionStatus.NO_STORAGE:
            raise Refused("NO_STORAGE", said(zone, f"boot storage {one.device.uri} cannot be read"))
        if one.status is RegionStatus.UNSTABLE:
            raise not_whole(zone, [one])
        use = _use(host, zone, one)
        if use is not None:
            raise use


def named_twice(looks: list[Look]) -> str | None:
    """Return which two boot devices of the zone are one storage, in words, None when each has its own."""
    seen: dict[str, BootDevice] = {}
    for one in looks:
        first = seen.setdefault(os.path.realpath(one.path), one.device) if one.path else one.device
        if first != one.device:
            return f"boot devices {first.uri} and {one.device.uri} are one storage; give each its own"
    return None


def zones_on(host: Host, uri: str) -> Iterator[ZoneName]:
    """Yield the zones of this host that boot from the storage, by whatever URI they name it."""
    wanted = suri.identity(uri)
    for zone in host.zones():
        with suppress(PortableError):
            if any(suri.identity(device.uri) == wanted for device in host.placement(zone).boot_devices()):
                yield zone


def zone_named_by(host: Host, one: Look) -> ZoneName | None:
    """Return the zone of this host whose uuid the slots of the storage name, None without one; it proves nothing."""
    header = _header(one)
    return _zone_of_uuid(host, header.zone_uuid) if header else None


def what_is_on(host: Host, one: Look) -> list[str]:
    """Return what the storage holds, in lines for a person; none when it is empty."""
    if one.status is RegionStatus.BLANK:
        written_by = erasing.zone_of_blocks(one.path) if one.path else None
        return [f"no host data, but a guest of zone uuid {UUID(bytes=written_by)} wrote to it"] if written_by else []
    header = _header(one)
    if header is None:
        return [f"host data that cannot be read: {one.status}"]
    known = _zone_of_uuid(host, header.zone_uuid)
    lines = [f"host data of zone {known or 'uuid'} {header.zone_uuid}, generation {header.generation}"]
    record = one.region.record if one.region else None
    if record is None:
        return [*lines, f"it cannot be opened here: sealed under key id {header.key_id.hex()} by agent {header.agent}"]
    return [
        *lines,
        f"last known state {record.state.name.lower()}, host {record.owner_hostid} ({record.owner_hostname})",
    ]


def _use(host: Host, zone: str, one: Look) -> Refused | None:
    record = one.region.record if one.region else None
    if record and one.status is RegionStatus.CLEAN and record.owner_hostid != host.owner_hostid:
        return Refused("IN_USE", in_use_text(zone, record))
    found = what_is_on(host, one)
    others = [other for other in zones_on(host, one.device.uri) if other != zone]
    if not found and not others:
        return None
    lines = [f"boot storage {one.device.uri} is in use"]
    lines += [f"  {line}" for line in found]
    lines += [f"  zone {other} of this host is configured on it" for other in others]
    lines.append("To use that zone, attach it; to install a new one, give it empty boot storage")
    if found:
        lines.append(f"To lose what is on it for good: kz {host.directory} erase-storage {one.device.uri}")
    return Refused("STORAGE_IN_USE", said(zone, *lines))


def _header(one: Look) -> SlotHeader | None:
    for image in one.pair or ():
        with suppress(HostDataError):
            return peek_header(image)
    return None


def _zone_of_uuid(host: Host, zone_uuid: UUID) -> ZoneName | None:
    for zone in host.zones():
        stored = host.placement(zone).stored_or_none()
        if stored and stored.zone_uuid == zone_uuid:
            return zone
    return None
