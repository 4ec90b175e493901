"""Boot storage made empty again: zeros instead of its host data, by a claim, then nothing of what guests wrote."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from kernelzone.facts import RegionStatus
from kernelzone.hostdata import Device, FileJournal, HostDataError, Outcome, erase_host_data, raw_digest
from kernelzone.portable import blocks
from kernelzone.portable.reading import Look


def erase(one: Look, *, journal: Path, lock: Path) -> None:
    """Make the boot storage of `one` empty: exactly the host data that was looked at goes, or nothing does.

    Raises: HostDataError CHANGED, LOST, ...: what the claim ended as; OSError.
    """
    assert one.path is not None
    assert one.pair is not None
    if one.status is not RegionStatus.BLANK:
        outcome = erase_host_data(
            Device(one.path), expected_raw=raw_digest(*one.pair), journal=FileJournal(journal), lock_path=lock
        )
        if outcome is not Outcome.CLAIMED:
            raise HostDataError(str(outcome), f"host data on {one.device.uri} was not erased; look at it again")
    wipe(one.path)


def wipe(path: Path) -> None:
    """Remove all that guests wrote to the storage; its host data stays. Raises: OSError."""
    fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        size = os.lseek(fd, 0, os.SEEK_END)
        if stat.S_ISREG(os.fstat(fd).st_mode):
            os.ftruncate(fd, min(size, blocks.FIRST_BYTE))
            os.ftruncate(fd, size)
        else:  # a block device keeps its size: every block that was written is written over
            for placed in list(blocks.walk(fd)):
                os.pwrite(fd, bytes(blocks.BLOCK_BYTES), blocks.FIRST_BYTE + placed.position * blocks.BLOCK_BYTES)
        os.fsync(fd)
    finally:
        os.close(fd)


def zone_of_blocks(path: Path) -> bytes | None:
    """Return the zone uuid in the first whole block that a guest wrote, None when none did. Raises: OSError."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return next((placed.block.zone_uuid for placed in blocks.walk(fd) if placed.block), None)
    finally:
        os.close(fd)
