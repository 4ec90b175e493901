"""The steps of a claim, performed on a device: each answer is what really came of the step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from kernelzone.crashpoints import crashpoint, is_armed
from kernelzone.hostdata.block import SLOT_B
from kernelzone.hostdata.claim import (
    Answer,
    Intent,
    Outcome,
    Pair,
    ReadSlots,
    Step,
    Steps,
    WriteIntent,
    WriteSlot,
    claim,
)
from kernelzone.hostdata.device import Device
from kernelzone.hostdata.errors import HostDataError
from kernelzone.hostdata.journal import ClaimJournal

_SLOT_LETTER: Final = ("a", "b")
# UNKNOWN and LOST_WRITE stay open for the recovery: half of the claim may be on the device, or get there late.
_ENDED: Final = frozenset({Outcome.CHANGED, Outcome.EXPIRED, Outcome.NOT_APPLIED, Outcome.LOST})


def always() -> bool:
    """Return True: an action that has no time limit of its own."""
    return True


def perform_claim(
    intent: Intent, device: Device, journal: ClaimJournal, still_valid: Callable[[], bool] = always
) -> Outcome:
    """Return how the claim of `intent` on `device` ended. The caller holds the zone's lock."""
    outcome = perform_all(claim(intent, still_valid=still_valid), device, journal)
    if outcome in _ENDED:
        journal.closed(outcome)
    return outcome


def perform_all(steps: Steps, device: Device, journal: ClaimJournal | None) -> Outcome:
    """Return how `steps` ended on `device`. The caller holds the zone's lock."""
    answer: Answer = None
    trusted = True
    while True:
        try:
            step = steps.send(answer)
        except StopIteration as end:
            outcome: Outcome = end.value
            return outcome
        answer = _performed(step, device, journal, trusted)
        if isinstance(step, WriteSlot):
            trusted = answer is True


def _performed(step: Step, device: Device, journal: ClaimJournal | None, trusted: bool) -> Answer:
    if isinstance(step, ReadSlots):
        return _read(device, trusted)
    if isinstance(step, WriteSlot):
        return _written(device, step)
    assert journal is not None  # only a claim and its recovery have entries to make
    if isinstance(step, WriteIntent):
        crashpoint("claim.before-intent")
        journal.intent(*step.intent.old, *step.intent.new)
        crashpoint("claim.after-intent")
    else:
        crashpoint("claim.before-committed")
        journal.committed()
        crashpoint("claim.after-committed")
    return None


def _read(device: Device, trusted: bool) -> Pair | None:
    """Return both slots, or None. After a failed write a page cache proves nothing: it may hold what the disk lost."""
    try:
        return device.read_slots() if trusted or device.is_direct() else None
    except HostDataError:
        return None


def _written(device: Device, step: WriteSlot) -> bool:
    """Return whether the device confirmed the write. It is not tried again: the next read tells."""
    letter = _SLOT_LETTER[step.slot]
    if step.slot == SLOT_B:
        crashpoint("claim.before-slot-b")
    if is_armed(f"claim.inside-slot-{letter}"):
        device.tear_slot(step.slot, step.image)
        crashpoint(f"claim.inside-slot-{letter}")
    try:
        device.write_slot(step.slot, step.image)
    except HostDataError:
        return False
    crashpoint(f"claim.after-slot-{letter}")
    return True
