"""What a guest writes to its storage: numbered, checksummed blocks, each naming the one before it.

Behind the host data (the first 1 MiB) the storage is cut into segments of 64 blocks. A guest fills one segment after
the other and takes a free or the oldest one next, by chance among equals: so two guests on one storage seldom hit the
same block, and both their histories stay for `fsck` to find. A block is 512 bytes, all integers big-endian:

    0 magic 8 | 8 zone uuid 16 | 24 guest 16 | 40 incarnation 16 | 56 owner hostid 4 | 60 zero 4
    64 sequence u64 | 72 time u64, posix ms | 80 digest of the previous block 32 | 112 zero 368 | 480 SHA-256 of 0..479

Imports little: guests are many, and this is what each of them loads.
"""

from __future__ import annotations

import hashlib
import os
import struct
from collections.abc import Iterator
from typing import Final, NamedTuple

FIRST_BYTE: Final = 1024 * 1024
BLOCK_BYTES: Final = 512
SEGMENT_BLOCKS: Final = 64
SEGMENT_BYTES: Final = BLOCK_BYTES * SEGMENT_BLOCKS
NO_DIGEST: Final = bytes(32)

_MAGIC: Final = b"KZBLOCK1"
_BODY: Final = struct.Struct(">8s16s16s16s4s4xQQ32s368x")
_DIGEST_AT: Final = BLOCK_BYTES - 32


class Block(NamedTuple):
    """One block. guest: random for each start of a guest process; digest: names this block to the next one."""

    zone_uuid: bytes
    guest: bytes
    incarnation: bytes
    owner_hostid: bytes
    sequence: int
    at_ms: int
    previous: bytes
    digest: bytes


class Placed(NamedTuple):
    """What stands at one place of the storage. `block` is None when it is torn: begun, but not whole."""

    position: int
    block: Block | None


def pack(block: Block) -> bytes:
    """Return the 512 bytes of `block`; its `digest` field is not looked at."""
    body = _BODY.pack(_MAGIC, *block[:7])
    return body + hashlib.sha256(body).digest()


def unpack(image: bytes) -> Block | None:
    """Return the block in 512 bytes, or None when it is torn or no block."""
    digest = image[_DIGEST_AT:]
    if not image.startswith(_MAGIC) or hashlib.sha256(image[:_DIGEST_AT]).digest() != digest:
        return None
    zone_uuid, guest, incarnation, owner_hostid, sequence, at_ms, previous = _BODY.unpack(image[:_DIGEST_AT])[1:]
    return Block(zone_uuid, guest, incarnation, owner_hostid, sequence, at_ms, previous, digest)


def segments(fd: int) -> int:
    """Return how many whole segments the storage has behind its host data."""
    return max(0, (os.lseek(fd, 0, os.SEEK_END) - FIRST_BYTE) // SEGMENT_BYTES)


def walk(fd: int) -> Iterator[Placed]:
    """Yield everything a guest wrote, in the order of the storage; places never written are left out."""
    for segment in range(segments(fd)):
        image = os.pread(fd, SEGMENT_BYTES, segment_offset(segment))
        if image.count(0) != len(image):
            yield from _in_segment(segment, image)


def segment_offset(segment: int) -> int:
    """Return where a segment begins, in bytes."""
    return FIRST_BYTE + segment * SEGMENT_BYTES


def _in_segment(segment: int, image: bytes) -> Iterator[Placed]:
    for place in range(len(image) // BLOCK_BYTES):
        piece = image[place * BLOCK_BYTES : (place + 1) * BLOCK_BYTES]
        if piece.count(0) != BLOCK_BYTES:
            yield Placed(segment * SEGMENT_BLOCKS + place, unpack(piece))
