"""Which of a zone's devices it boots from."""

from __future__ import annotations

from typing import NamedTuple

from kernelzone.suri import normalise
from kernelzone.words import StorageUri
from kernelzone.zonecfg.model import Configuration


class BootStorage(NamedTuple):
    """One boot storage of a configuration: its normalised URI, the device's id and its place in the boot order."""

    uri: StorageUri
    id: int
    bootpri: int


def boot_storage(configuration: Configuration) -> list[BootStorage]:
    """Return the devices with a boot priority and a storage URI, in boot order: by bootpri, then id.

    The configuration is resolved (`resolve`): a URI that still has a token is refused.
    Raises: SuriError.
    """
    found = [
        BootStorage(normalise(uri), int(device.value("id") or 0), int(bootpri))
        for device in configuration.resources_of("device")
        if (bootpri := device.value("bootpri")) is not None and (uri := device.value("storage")) is not None
    ]
    return sorted(found, key=lambda one: (one.bootpri, one.id))
