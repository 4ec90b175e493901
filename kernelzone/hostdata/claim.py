"""The compare-and-swap on host data, as a sequence of steps without any I/O of its own.

        W0 WriteIntent -> W1 ReadSlots -> W2 WriteSlot A -> W3 ReadSlots -> W4 WriteSlot B
                       -> W5 ReadSlots -> W6 WriteCommitted -> CLAIMED

Why steps: `change.py` performs them on a device, and the tests perform the very same ones in every order
that two and three writers, crashes and torn writes can produce. At most one writer of a generation
reaches W6. Images are only ever compared for equality here.

Source: host-data.md, part "Write"; Lamport, "A fast mutual exclusion algorithm" (the splitter); agent.md,
"After a crash".
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from enum import StrEnum
from typing import Final, NamedTuple

from kernelzone.hostdata.block import SLOT_A, SLOT_B, peek_header
from kernelzone.hostdata.errors import HostDataError

Pair = tuple[bytes, bytes]
_SECTOR_BYTES: Final = 512


class Outcome(StrEnum):
    """How a claim, its recovery after a crash, or a look at a claim that was won, ended."""

    CLAIMED = "CLAIMED"  # the record is mine; only now act
    CHANGED = "CHANGED"  # it was not as expected; nothing written
    EXPIRED = "EXPIRED"  # the order ran out before anything was written
    NOT_APPLIED = "NOT_APPLIED"  # nothing of mine is on the device
    LOST = "LOST"  # another writer was there; never repaired and never tried again
    LOST_WRITE = "LOST_WRITE"  # the device confirmed a write and kept the old bytes
    UNKNOWN = "UNKNOWN"  # a person or a later reading must say


class Intent(NamedTuple):
    """The images of both slots as they were, and as they are meant to become."""

    old: Pair
    new: Pair


class WriteIntent(NamedTuple):
    """Store `intent` in the journal, flushed, before anything shared is written."""

    intent: Intent


class ReadSlots(NamedTuple):
    """Read both slots; the answer is the pair, or None if they could not be read for certain."""


class WriteSlot(NamedTuple):
    """Write one slot and flush it; the answer says whether the device confirmed all of it."""

    slot: int
    image: bytes


class WriteCommitted(NamedTuple):
    """Store in the journal, flushed, that the claim was won."""


Step = WriteIntent | ReadSlots | WriteSlot | WriteCommitted
Answer = Pair | bool | None
Steps = Generator[Step, Answer, Outcome]


def claim(intent: Intent, *, still_valid: Callable[[], bool]) -> Steps:
    """Return the steps that replace `intent.old` by `intent.new`, for at most one writer of a generation.

    still_valid: asked directly before the first write, by the monotonic clock (a paused agent wakes up late).
    """
    old, new = intent
    yield WriteIntent(intent)
    seen = yield ReadSlots()
    if seen != old:
        return Outcome.NOT_APPLIED if seen is None else Outcome.CHANGED
    if not still_valid():
        return Outcome.EXPIRED
    confirmed = yield WriteSlot(SLOT_A, new[SLOT_A])
    half = (new[SLOT_A], old[SLOT_B])
    seen = yield ReadSlots()
    if seen != half:  # B still old: nobody who came before me has passed this point
        return _failed(seen, confirmed, before=old, untouched=Outcome.NOT_APPLIED)
    confirmed = yield WriteSlot(SLOT_B, new[SLOT_B])
    seen = yield ReadSlots()
    if seen != new:  # A still mine: nobody who came after me has begun
        return _failed(seen, confirmed, before=half, untouched=Outcome.UNKNOWN)
    yield WriteCommitted()
    return Outcome.CLAIMED


def _failed(seen: Answer, confirmed: Answer, *, before: Pair, untouched: Outcome) -> Outcome:
    """Return how a claim ended whose re-read was not what it must be."""
    if seen is None:
        return Outcome.UNKNOWN
    if seen == before:
        return Outcome.LOST_WRITE if confirmed else untouched
    return Outcome.LOST if confirmed else Outcome.UNKNOWN


def recover(intent: Intent, *, order_still_valid: bool) -> Steps:
    """Return the steps that settle an INTENT found without COMMITTED after a restart.

    Slot B is never set back to the old image: another writer may already have counted on it.
    """
    old, new = intent
    seen = yield ReadSlots()
    if not isinstance(seen, tuple):
        return Outcome.UNKNOWN
    if seen == new:
        yield WriteCommitted()
        return Outcome.CLAIMED
    if seen == old:
        return Outcome.NOT_APPLIED
    if seen[SLOT_B] == old[SLOT_B] and _is_mine_or_torn(seen, intent, SLOT_A):
        return (yield from _restore_a(old))
    if seen[SLOT_A] == new[SLOT_A] and is_torn(seen[SLOT_B], old[SLOT_B], new[SLOT_B]):
        return (yield from _finish_b(new)) if order_still_valid else Outcome.UNKNOWN
    return Outcome.LOST if _is_anothers(seen, intent) else Outcome.UNKNOWN


def _restore_a(old: Pair) -> Steps:
    yield WriteSlot(SLOT_A, old[SLOT_A])
    seen = yield ReadSlots()
    return Outcome.NOT_APPLIED if seen == old else Outcome.UNKNOWN


def _finish_b(new: Pair) -> Steps:
    yield WriteSlot(SLOT_B, new[SLOT_B])
    seen = yield ReadSlots()
    if seen != new:
        return Outcome.UNKNOWN
    yield WriteCommitted()
    return Outcome.CLAIMED


def watch(mine: Pair, *, damaged_slot: Callable[[Pair], int | None]) -> Steps:
    """Return the steps of one look at a claim that was won, repairing my own record at most.

    damaged_slot: which slot may be repaired (`repairable_slot` with the zone's key).
    Ends CLAIMED (intact or repaired), LOST (something newer, or not mine to touch) or UNKNOWN.
    """
    seen = yield ReadSlots()
    if not isinstance(seen, tuple):
        return Outcome.UNKNOWN
    if seen == mine:
        return Outcome.CLAIMED
    slot = damaged_slot(seen)
    if slot is None:
        return Outcome.LOST
    yield WriteSlot(slot, mine[slot])
    seen = yield ReadSlots()
    return Outcome.CLAIMED if seen == mine else Outcome.UNKNOWN


def is_torn(seen: bytes, old: bytes, new: bytes) -> bool:
    """Return whether `seen` is an unfinished write of `new` over `old`: every 512-byte sector is one of theirs."""
    if len(seen) != len(old) or len(seen) != len(new) or seen in (old, new):
        return False
    sectors = (slice(at, at + _SECTOR_BYTES) for at in range(0, len(seen), _SECTOR_BYTES))
    return all(seen[part] in (old[part], new[part]) for part in sectors)


def _is_mine_or_torn(seen: Pair, intent: Intent, slot: int) -> bool:
    old, new = intent.old[slot], intent.new[slot]
    return seen[slot] == new or is_torn(seen[slot], old, new)


def _is_anothers(seen: Pair, intent: Intent) -> bool:
    """Return whether a whole slot is there that is neither the old one nor mine."""
    foreign = [image for slot, image in enumerate(seen) if image not in (intent.old[slot], intent.new[slot])]
    return any(_is_whole(image) for image in foreign)


def _is_whole(image: bytes) -> bool:
    try:
        peek_header(image)
    except HostDataError:
        return False
    return True
