"""Reading and writing the two slots of one boot storage: an image file or a block device.

Source: host-data.md, parts "Read" and "Write"; open(2) for O_DIRECT and O_DSYNC.
"""

from __future__ import annotations

import errno
import fcntl
import mmap
import os
import threading
import time
from pathlib import Path
from typing import Final

from kernelzone.hostdata.block import SLOT_BYTES
from kernelzone.hostdata.errors import HostDataError
from kernelzone.hostdata.region import REGION_BYTES, SLOT_OFFSETS, ZERO_SLOT

# Solaris has no O_DIRECT: there a raw device (/dev/rdsk) is direct by itself.
_DIRECT: Final = getattr(os, "O_DIRECT", 0)
# Shared pages, mmap's default, would be one buffer for all processes forked from this one.
_OWN_PAGES: Final = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
_TRIES: Final = 3
_PAUSE_S: Final = 0.005
Pair = tuple[bytes, bytes]


class Device:
    """The region of host data at the beginning of one boot storage. Holds no file open between calls."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = path if isinstance(path, Path) else Path(path)

    def read_slots(self) -> Pair:
        """Return the images of slots A and B, read twice and equal; shorter ones when the device ends early.

        Raises: HostDataError HD_UNSTABLE after three tries (somebody is writing), HD_IO.
        """
        try:
            fd = _open_to_read(self.path)
            try:
                return _read_twice_equal(fd)
            finally:
                os.close(fd)
        except OSError as error:
            raise _io_fault(self.path, "read", error) from error

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
        try:
            fd = _open_to_read(self.path)
        except OSError as error:
            raise _io_fault(self.path, "read", error) from error
        try:
            return not _DIRECT or bool(fcntl.fcntl(fd, fcntl.F_GETFL) & _DIRECT)
        finally:
            os.close(fd)

    def is_blank(self) -> bool:
        """Return whether both slots are whole and zero: nothing was ever written."""
        return self.read_slots() == (ZERO_SLOT, ZERO_SLOT)

    def _write(self, content: bytes, offset: int) -> None:
        try:
            written = _write_flushed(self.path, content, offset)
        except OSError as error:
            raise _io_fault(self.path, "write", error) from error
        if written != len(content):
            raise HostDataError("HD_IO", f"{self.path.name}: {written} of {len(content)} bytes were written")


class _Buffer(threading.local):
    """Aligned memory for four slots, one for each thread: direct reading needs it, and a new one costs more
    than the reading itself."""

    def __init__(self) -> None:
        self.page = mmap.mmap(-1, 4 * SLOT_BYTES, flags=_OWN_PAGES)
        view = memoryview(self.page)
        self.parts = [view[at : at + SLOT_BYTES] for at in range(0, 4 * SLOT_BYTES, SLOT_BYTES)]


_buffer: Final = _Buffer()


def _read_twice_equal(fd: int) -> Pair:
    """Return both slots as two readings, one after the other, saw them alike."""
    for attempt in range(_TRIES):
        if attempt:
            time.sleep(_PAUSE_S)
        page, parts = _buffer.page, _buffer.parts
        a, b, again_a, again_b = (os.preadv(fd, [part], SLOT_OFFSETS[place % 2]) for place, part in enumerate(parts))
        first = (page[:a], page[SLOT_BYTES : SLOT_BYTES + b])
        third = 2 * SLOT_BYTES
        if first == (page[third : third + again_a], page[third + SLOT_BYTES : third + SLOT_BYTES + again_b]):
            return first
    raise HostDataError("HD_UNSTABLE")


def _open_to_read(path: Path) -> int:
    """Return a descriptor that bypasses the page cache where the file system can."""
    flags = os.O_RDONLY | os.O_CLOEXEC
    try:
        return os.open(path, flags | _DIRECT)
    except OSError as error:
        if not _DIRECT or error.errno != errno.EINVAL:  # EINVAL: no direct I/O on this file system
            raise
        return os.open(path, flags)


def _write_flushed(path: Path, content: bytes, offset: int) -> int:
    """Write `content` in one call and flush it; return how many bytes the device took."""
    with mmap.mmap(-1, len(content), flags=_OWN_PAGES) as page:
        page[:] = content
        fd = os.open(path, os.O_RDWR | os.O_DSYNC | os.O_CLOEXEC)
        try:
            written = os.pwrite(fd, page, offset)
            os.fsync(fd)
        finally:
            os.close(fd)
    return written


def _io_fault(path: Path, verb: str, error: OSError) -> HostDataError:
    reason = error.strerror or type(error).__name__
    return HostDataError("HD_IO", f"could not {verb} {path.name}: {reason}")
