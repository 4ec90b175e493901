"""`zoneadm rename`: another name for a zone on this host. Host data knows zones by their uuid and stays as it is."""

from __future__ import annotations

import os

from kernelzone import words
from kernelzone.portable import files
from kernelzone.portable.placement import Placement, resolved
from kernelzone.portable.turn import Turn
from kernelzone.portable.verdicts import Refused, said
from kernelzone.words import ZoneName


def rename(turn: Turn, name: str) -> tuple[str, ...]:
    """Give the zone another name; return no lines.

    Raises: Refused RENAME_EXISTS; RENAME_PATHS when its boot storage or suspend image is found by the zone's name.
    """
    old, new = turn.placement, turn.host.placement(name)
    if new.directory.exists():
        raise Refused("RENAME_EXISTS", f"zoneadm: zone '{old.zone}': zone {new.zone} is there already.\n")
    if _places(old, new.zone) != _places(old, old.zone):
        lines = ("its storage is found by the zone's name (%{zonename}), and would not be found any more",)
        raise Refused("RENAME_PATHS", said(old.zone, *lines))
    os.rename(old.directory, new.directory)
    files.flush_directory(old.directory.parent)
    return ()


def _places(placement: Placement, name: ZoneName) -> tuple[object, ...]:
    """Return where the zone's boot storage and its suspend image are when it is called `name`."""
    configuration = resolved(placement.configuration(), words.zone_name(name))
    image = configuration.value_of("suspend", "path") if placement.state().auxiliary else None
    devices = [device.value("storage") for device in configuration.resources_of("device")]
    return (tuple(devices), image)
