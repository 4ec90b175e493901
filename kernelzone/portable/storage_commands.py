"""`kz HOSTDIR create-storage | erase-storage`: boot storage made, and made empty again by a person who means it."""

from __future__ import annotations

import re
import sys
from typing import Final

from kernelzone import suri
from kernelzone.facts import BootDevice
from kernelzone.portable import asking, erasing, reading, storage, unused
from kernelzone.portable.errors import PortableError
from kernelzone.portable.guests import is_alive
from kernelzone.portable.host import Flag, Host
from kernelzone.portable.reading import Look

_SIZE: Final = re.compile(r"([0-9]{1,9})([KMGkmg]?)\Z")
_UNITS: Final = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}


def create(host: Host, uri: str, size: str | None) -> int:
    """Make new boot storage of `size` ("16M") and print where it is. Raises: PortableError, SuriError."""
    path = host.path_of(uri)
    storage.create(path, bytes_of(size) if size else storage.DEFAULT_BYTES)
    sys.stdout.write(f"{path}\n")
    return 0


def erase(host: Host, uri: str, *, is_meant: bool) -> int:
    """Make boot storage empty, whoever it names as its user; return the exit code.

    is_meant: without it the person at the terminal is shown what is lost, and types the URI again.
    Raises: PortableError, SuriError, HostDataError.
    """
    one = _seen(host, uri)
    _refuse_while_it_is_written(host, uri)
    lines = unused.what_is_on(host, one)
    sys.stderr.write("".join(f"{one.device.uri}: {line}\n" for line in lines or ["nothing is on it"]))
    if not is_meant and not _is_typed_again(one.device.uri):
        return 1
    erasing.erase(one, journal=host.directory / "erase.json", lock=host.directory / "erase.lock")
    sys.stdout.write(f"{one.device.uri}: erased\n")
    return 0


def bytes_of(text: str) -> int:
    """Return the size in bytes. Raises: PortableError STORAGE_SIZE."""
    found = _SIZE.match(text)
    if found is None:
        raise PortableError("STORAGE_SIZE", "a size is a number with K, M or G behind it")
    return int(found[1]) * _UNITS[found[2].lower()]


def _seen(host: Host, uri: str) -> Look:
    """Return a look at the storage, under the key of a zone of this host if one opens it."""
    if host.flag is Flag.DEAD:
        raise PortableError("HOST_DEAD", f"host {host.hostname} is dead; `kz {host.directory} flag up` starts it")
    device = BootDevice(suri.normalise(uri), suri.device_ids(uri), 0, 0)
    looks = [reading.look_at(host, device, None, None)]
    zones = {*unused.zones_on(host, uri), unused.zone_named_by(host, looks[0])}
    looks += [reading.look_at(host, device, host.placement(zone).key(), None) for zone in zones if zone]
    one = next((one for one in looks if one.region and one.region.record), looks[0])
    if one.path is None or one.pair is None:
        raise PortableError("NO_STORAGE", f"boot storage {device.uri} cannot be read: {one.status}")
    return one


def _refuse_while_it_is_written(host: Host, uri: str) -> None:
    for zone in unused.zones_on(host, uri):
        if is_alive(host.placement(zone).guest()):
            raise PortableError("BUSY", f"zone {zone} runs on this storage; halt it first")


def _is_typed_again(uri: str) -> bool:
    typed = asking.line("All of it will be lost, for every host. Type the URI of the storage to go on: ")
    if typed is None:
        raise PortableError("CONFIRM", "Input not from terminal and -F not specified: erase-storage not done.")
    if typed != uri:
        sys.stderr.write("That is not its URI: nothing was erased.\n")
    return typed == uri
