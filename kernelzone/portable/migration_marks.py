"""`migrating.json` of a placement: a migration works on the zone, and on which side of it this host is.

It is there from before the first change until after the last one; found without its command at work, it says that the
migration was cut off (`migration_settling`).
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final, NamedTuple

from kernelzone.portable import files
from kernelzone.portable.errors import PortableError
from kernelzone.portable.placement import Placement
from kernelzone.words import HostId, WordError, host_id

_NAME: Final = "migrating.json"


class Side(StrEnum):
    """Which end of the migration a host is."""

    SOURCE = "source"
    TARGET = "target"


class Mark(NamedTuple):
    """The side of this host, and the hostid of the host at the other end."""

    side: Side
    other: HostId


def read(placement: Placement) -> Mark | None:
    """Return the mark, None where no migration works on the zone. Raises: PortableError FILE."""
    try:
        kept = files.read_json(placement.directory / _NAME)
    except FileNotFoundError:
        return None
    try:
        return Mark(Side(kept["side"]), host_id(kept["other"]))
    except (KeyError, ValueError, WordError) as error:
        raise PortableError("FILE", f"{_NAME} is damaged; look at host data, then remove the file") from error


def keep(placement: Placement, mark: Mark) -> None:
    """Store the mark, durably."""
    files.write_json(placement.directory / _NAME, {"side": str(mark.side), "other": mark.other})


def forget(placement: Placement) -> None:
    """Take the mark away, durably, and with it the memory that was handed over."""
    placement.handover.unlink(missing_ok=True)
    (placement.directory / _NAME).unlink(missing_ok=True)
    files.flush_directory(placement.directory)


def clear(placement: Placement) -> None:
    """Take the mark away and leave the memory: host data names it, and the next boot resumes from it."""
    (placement.directory / _NAME).unlink(missing_ok=True)
    files.flush_directory(placement.directory)
