"""Reading and writing the two slots of one boot storage: an image file or a block device.

Source: host-data.md, parts "Read" and "Write"; open(2) for O_DIRECT and O_DSYNC.
"""

from __future__ import annotations

import errno
import fcntl
import mmap
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from kernelzone.hostdata.block import SLOT_A, SLOT_B, SLOT_BYTES
from kernelzone.hostdata.errors import HostDataError
from kernelzone.hostdata.region import REGION_BYTES, SLOT_OFFSETS, ZERO_SLOT

# Solaris has no O_DIRECT: there a raw device (/dev/rdsk) is direct by itself.
_DIRECT: Final = getattr(os, "O_DIRECT", 0)
_TRIES: Final = 3
_PAUSE_S: Final = 0.005
Pair = tuple[bytes, bytes]


class Device:
    """The region of host data at the beginning of one boot storage. Holds no file open between calls."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)

    def read_slots(self) -> Pair:
        """Return the images of slots A and B, read twice and equal; shorter ones when the device ends early.

        Raises: HostDataError HD_UNSTABLE after three tries (somebody is writing), HD_IO.
        """
        with _io(self.path, "read"), _opened_to_read(self.path) as fd, mmap.mmap(-1, 4 * SLOT_BYTES) as page:
            for attempt in range(_TRIES):
                if attempt:
                    time.sleep(_PAUSE_S)
                first, second = _read_pair(fd, page)
                if first == second:
                    return first
        raise HostDataError("HD_UNSTABLE")

    def write_slot(self, slot: int, image: bytes) -> None:
        """Write `image` to slot 0 (A) or 1 (B) in one call and flush it.

        A failed write or flush is not tried again: what is on the device then, only a new read can tell.
        Raises: HostDataError HD_LENGTH, HD_IO.
        """
        if len(image) != SLOT_BYTES:
            raise HostDataError("HD_LENGTH", f"a slot of {len(image)} bytes instead of {SLOT_BYTES}")
        self._write(image, SLOT_OFFSETS[slot])

    def tear_slot(self, slot: int, image: bytes) -> None:
        """Write only the first half of `image`: what a power loss leaves. For crash points, nothing else."""
        self._write(image[: SLOT_BYTES // 2], SLOT_OFFSETS[slot])

    def initialise_region(self) -> None:
        """Make the region whole and zero, extending a shorter image file.

        Raises: HostDataError HD_NOT_BLANK when a slot holds anything, HD_IO.
        """
        if any(image.strip(b"\x00") for image in self.read_slots()):
            raise HostDataError("HD_NOT_BLANK")
        self._write(bytes(REGION_BYTES), 0)

    def is_direct(self) -> bool:
        """Return whether reading bypasses the page cache here. Raises: HostDataError HD_IO."""
        with _io(self.path, "read"), _opened_to_read(self.path) as fd:
            return not _DIRECT or bool(fcntl.fcntl(fd, fcntl.F_GETFL) & _DIRECT)

    def is_blank(self) -> bool:
        """Return whether both slots are whole and zero: nothing was ever written."""
        return self.read_slots() == (ZERO_SLOT, ZERO_SLOT)

    def _write(self, content: bytes, offset: int) -> None:
        with _io(self.path, "write"), mmap.mmap(-1, len(content)) as page:
            page[:] = content
            fd = os.open(self.path, os.O_RDWR | os.O_DSYNC | os.O_CLOEXEC)
            try:
                written = os.pwrite(fd, page, offset)
                os.fsync(fd)
            finally:
                os.close(fd)
        if written != len(content):
            raise HostDataError("HD_IO", f"{self.path.name}: {written} of {len(content)} bytes were written")


def _read_pair(fd: int, page: mmap.mmap) -> tuple[Pair, Pair]:
    """Return two readings of both slots, the second begun after the first has ended."""
    with memoryview(page) as view:
        sizes = [
            os.preadv(fd, [view[place * SLOT_BYTES : (place + 1) * SLOT_BYTES]], SLOT_OFFSETS[slot])
            for place, slot in enumerate((SLOT_A, SLOT_B, SLOT_A, SLOT_B))
        ]
    read = [page[place * SLOT_BYTES : place * SLOT_BYTES + size] for place, size in enumerate(sizes)]
    return (read[0], read[1]), (read[2], read[3])


@contextmanager
def _opened_to_read(path: Path) -> Iterator[int]:
    """Yield a descriptor that bypasses the page cache where the file system can."""
    flags = os.O_RDONLY | os.O_CLOEXEC
    try:
        fd = os.open(path, flags | _DIRECT)
    except OSError as error:
        if not _DIRECT or not _refuses_direct(error):
            raise
        fd = os.open(path, flags)
    try:
        yield fd
    finally:
        os.close(fd)


def _refuses_direct(error: OSError) -> bool:
    return error.errno == errno.EINVAL  # this file system has no direct I/O (open(2))


@contextmanager
def _io(path: Path, verb: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise HostDataError("HD_IO", f"could not {verb} {path.name}: {reason}") from error
