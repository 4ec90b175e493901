"""What must hold before a zone is migrated: a cipher both know, storage both reach, configurations that fit.

The cipher message is Solaris' own. The words about storage and differences are ours: Solaris publishes none.
Source: Oracle Solaris 11.4 kernel zones guide, "Requirements for All Kernel Zone Migration Methods".
"""

from __future__ import annotations

import os
from typing import Final

from kernelzone import suri, zonecfg
from kernelzone.hostdata import Record
from kernelzone.portable import suspension
from kernelzone.portable.errors import PortableError
from kernelzone.portable.host import Host
from kernelzone.portable.placement import Placement
from kernelzone.portable.verdicts import Refused
from kernelzone.zonecfg import Configuration, Difference

CIPHERS: Final = ("aes-128-ccm", "aes-128-gcm")
_KNOWN_CIPHERS: Final = (*CIPHERS, "none")
# The first release whose zonecfg knows the property `host-compatible`.
_HOST_COMPATIBLE_SINCE: Final = "11.4"


def told(zone: str, *lines: str) -> str:
    """Return lines as `zoneadm` itself prints them."""
    return "".join(f"zoneadm: zone '{zone}': {line}\n" for line in lines)


def refuse_cipher(zone: str, cipher: str | None) -> None:
    """Return when both hosts know the cipher. Raises: Refused CIPHER."""
    if cipher is not None and cipher not in _KNOWN_CIPHERS:
        lines = (f"cipher {cipher} not supported by destination", f"destination supports: {' '.join(CIPHERS)}")
        raise Refused("CIPHER", told(zone, *lines))


def refuse_local_storage(source: Host, target: Host, placement: Placement) -> None:
    """Return when both hosts reach every device of the zone under the same URI. Raises: Refused NOT_SHARED."""
    for device in placement.resolved().resources_of("device"):
        uri, number = device.value("storage"), device.value("id")
        if uri is None or not _is_same(source, target, uri):
            what = f"device {number}: {uri or 'a device without storage'}"
            lines = (f"{what} is not storage that both hosts reach", "Only nfs, iscsi and lu storage can be migrated")
            raise Refused("NOT_SHARED", told(placement.zone, *lines))


def refuse_memory_out_of_reach(source: Host, placement: Placement, record: Record) -> None:
    """Return when the target can resume what host data says is suspended. Raises: Refused SUSPEND_IMAGE, NOT_SHARED."""
    digest, path = record.suspend_image_digest, placement.suspend_path()
    if digest is None or suspension.digest_of(placement.handover) == digest:
        return  # nothing is suspended, or the memory came with a migration and goes on with this one
    if path is None or suspension.digest_of(path) != digest:
        lines = ("the suspend image is not the one host data names", "To give the suspended memory up, boot with -R")
        raise Refused("SUSPEND_IMAGE", told(placement.zone, *lines))
    if source.directory in path.parents:
        text = f"the suspend image {path} is on storage of {source.hostname} alone"
        raise Refused("NOT_SHARED", told(placement.zone, text))


def refuse_difference(zone: str, here: Placement, there: Placement) -> None:
    """Return when nothing differs that a migration depends on. Raises: Refused INCOMPATIBLE."""
    found = [one for one in zonecfg.compare(here.resolved(), there.resolved()) if one.matters]
    if found:
        lines = ("the zone configurations are not compatible:", *map(_sentence, found))
        raise Refused("INCOMPATIBLE", told(zone, *lines))


def refused_line(target: Host, text: str) -> str | None:
    """Return what a target of an older release says of a configuration it cannot take, None when it can."""
    if _release(target.release) >= _release(_HOST_COMPATIBLE_SINCE):
        return None
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith("set host-compatible="):
            return f"On line {number}:\n{line.partition('=')[2]}: Invalid argument\n"
    return None


def configuration_failed(zone: str, configuration: Configuration, why: str) -> str:
    """Return what Solaris prints when the target refuses the configuration; the zone key is left out of it."""
    text = zonecfg.write(zonecfg.redact(configuration))
    block = f"-----BEGIN CONFIGURATION-----\n{text}-----END CONFIGURATION-----\n"
    return f"{told(zone, 'configuration failed:')}{block}Error received from the target machine:\n{why}"


def _is_same(source: Host, target: Host, uri: str) -> bool:
    try:
        return suri.is_shareable(uri) and os.path.samefile(source.path_of(uri), target.path_of(uri))
    except (suri.SuriError, PortableError, OSError):
        return False


def _sentence(difference: Difference) -> str:
    name = f" {difference.name}" if difference.name else ""
    here, there = difference.left or "nothing", difference.right or "nothing"
    return f"  {difference.where}{name}: {here} on source host, {there} on destination"


def _release(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(".") if part.isdigit())
