"""Write samples: does anybody write to boot storage right now? Read-only, and no proof that nobody will."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from kernelzone.facts import Sample
from kernelzone.portable.blocks import FIRST_BYTE

SAMPLED_BYTES: Final = 4096
_CHUNK_BYTES: Final = 1024 * 1024
_HOLE: Final = b""

Digests = dict[int, bytes]


def watch(devices: list[tuple[str, Path]], *, window_s: float, interval_s: float) -> Iterator[Sample]:
    """Yield one sample per device and interval until `window_s` has passed; the first of a device shows no change.

    devices: (uri, path). What lies before the guest's part, the host data, is not looked at.
    Raises: OSError when a device cannot be read.
    """
    began = time.monotonic()
    seen: dict[str, Digests] = {}
    while True:
        for uri, path in devices:
            now = _digests(path)
            before = seen.get(uri, now)
            at_ms = int((time.monotonic() - began) * 1000)
            yield Sample(at_ms=at_ms, device=uri, blocks=_blocks(path), changed_blocks=_changed(before, now))
            seen[uri] = now
        left_s = began + window_s - time.monotonic()
        if left_s <= 0:
            return
        time.sleep(min(interval_s, left_s))


def _blocks(path: Path) -> int:
    """Return how many blocks are looked at: a hole is known to hold zeros, and a write to it is seen."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return max(0, os.lseek(fd, 0, os.SEEK_END) - FIRST_BYTE) // SAMPLED_BYTES
    finally:
        os.close(fd)


def _changed(before: Digests, now: Digests) -> int:
    return sum(before.get(block, _HOLE) != now.get(block, _HOLE) for block in before.keys() | now.keys())


def _digests(path: Path) -> Digests:
    """Return the digest of every 4 096-byte block that is not in a hole of the file, by its number."""
    digests: Digests = {}
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        for begin, end in _data_ranges(fd):
            for offset in range(begin, end, _CHUNK_BYTES):
                _add(digests, offset, os.pread(fd, min(_CHUNK_BYTES, end - offset), offset))
    finally:
        os.close(fd)
    return digests


def _add(digests: Digests, offset: int, chunk: bytes) -> None:
    for at in range(0, len(chunk), SAMPLED_BYTES):
        piece = chunk[at : at + SAMPLED_BYTES]
        if piece.count(0) != len(piece):
            digests[(offset + at) // SAMPLED_BYTES] = hashlib.blake2b(piece, digest_size=16).digest()


def _data_ranges(fd: int) -> Iterator[tuple[int, int]]:
    """Yield the parts of the guest's area that hold data; all of it where the file system does not tell."""
    size = os.lseek(fd, 0, os.SEEK_END)
    at = FIRST_BYTE
    while at < size:
        try:
            begin = os.lseek(fd, at, os.SEEK_DATA)
            end = os.lseek(fd, begin, os.SEEK_HOLE)
        except OSError:
            return  # ENXIO: only a hole is left
        yield begin - begin % SAMPLED_BYTES, end
        at = end
