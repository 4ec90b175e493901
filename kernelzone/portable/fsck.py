"""`kz HOSTDIR fsck ZONE`: is what the guests wrote one sequence, or did two of them write at once?"""

from __future__ import annotations

import os
from collections import defaultdict
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from kernelzone.portable import blocks
from kernelzone.portable.blocks import Block

_MOST_SHOWN = 5


class Fork(NamedTuple):
    """Blocks that cannot all be true: of one sequence number, each by another guest."""

    sequence: int
    blocks: tuple[Block, ...]


class Findings(NamedTuple):
    """What a storage holds. gaps: (last before, first after); breaks: blocks whose predecessor is another one than
    the block before them; torn: places of the storage; foreign: blocks of another zone."""

    blocks: int
    first: int
    last: int
    guests: int
    forks: tuple[Fork, ...]
    gaps: tuple[tuple[int, int], ...]
    breaks: tuple[Block, ...]
    torn: tuple[int, ...]
    foreign: int

    @property
    def is_clean(self) -> bool:
        """Return whether the blocks are one whole sequence."""
        return not (self.forks or self.gaps or self.breaks or self.torn or self.foreign)


def check(path: Path, zone_uuid: bytes | None = None) -> Findings:
    """Return what the storage at `path` holds. zone_uuid: whose it should be; the newest block's without it.

    Raises: OSError when it cannot be read.
    """
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        placed = list(blocks.walk(fd))
    finally:
        os.close(fd)
    whole = [one.block for one in placed if one.block]
    if zone_uuid is None and whole:
        zone_uuid = max(whole, key=lambda block: block.at_ms).zone_uuid
    own = [block for block in whole if block.zone_uuid == zone_uuid]
    torn = tuple(one.position for one in placed if one.block is None)
    return _findings(own, torn, len(whole) - len(own))


def words(name: str, found: Findings) -> list[str]:
    """Return the findings as lines for a person; the last one is the verdict."""
    lines = [f"{name}: {_counted(found)}"]
    lines += [line for fork in found.forks[:_MOST_SHOWN] for line in _fork_words(name, fork)]
    for before, after in found.gaps[:_MOST_SHOWN]:
        lines.append(f"{name}: GAP: block {after} follows block {before}")
    for block in found.breaks[:_MOST_SHOWN]:
        lines.append(f"{name}: BREAK: block {block.sequence} of {_guest(block)} does not continue the one before it")
    if found.torn:
        places = ", ".join(str(place) for place in found.torn[:_MOST_SHOWN])
        lines.append(f"{name}: TORN: {len(found.torn)} blocks are not whole, at places {places}")
    if found.foreign:
        lines.append(f"{name}: FOREIGN: {found.foreign} blocks belong to another zone")
    return [*lines, f"{name}: {_verdict(found)}"]


def _counted(found: Findings) -> str:
    if not found.blocks:
        return "no guest has written to it yet"
    return f"{found.blocks} blocks, numbers {found.first} to {found.last}, written by {found.guests} guests"


def _verdict(found: Findings) -> str:
    if found.is_clean:
        return "clean"
    counted = f"{len(found.forks)} forked numbers, {len(found.gaps)} gaps, {len(found.breaks)} breaks"
    return f"CORRUPT: {counted}, {len(found.torn)} torn blocks, {found.foreign} foreign blocks"


def _findings(own: list[Block], torn: tuple[int, ...], foreign: int) -> Findings:
    by_number: dict[int, list[Block]] = defaultdict(list)
    for block in own:
        by_number[block.sequence].append(block)
    numbers = sorted(by_number)
    return Findings(
        blocks=len(own),
        first=numbers[0] if numbers else 0,
        last=numbers[-1] if numbers else 0,
        guests=len({block.guest for block in own}),
        forks=tuple(Fork(number, tuple(by_number[number])) for number in numbers if len(by_number[number]) > 1),
        gaps=tuple((before, after) for before, after in pairwise(numbers) if after != before + 1),
        breaks=tuple(_breaks(by_number)),
        torn=torn,
        foreign=foreign,
    )


def _breaks(by_number: dict[int, list[Block]]) -> list[Block]:
    """Return the blocks that name a predecessor which is not there, though one of its number is."""
    return [
        block
        for number, same in sorted(by_number.items())
        for block in same
        if number - 1 in by_number and block.previous not in {before.digest for before in by_number[number - 1]}
    ]


def _fork_words(name: str, fork: Fork) -> list[str]:
    shared = {block.previous for block in fork.blocks}
    after = f" after the same block {fork.sequence - 1}" if len(shared) == 1 else ""
    writers = " and ".join(_guest(block) for block in fork.blocks)
    return [f"{name}: FORK: block {fork.sequence} was written {len(fork.blocks)} times{after}: by {writers}"]


def _guest(block: Block) -> str:
    return f"guest {block.guest.hex()[:8]} on host {block.owner_hostid.hex()}"
