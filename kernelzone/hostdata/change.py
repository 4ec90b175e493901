"""Every change of host data on a device, by a claim.

The caller decides whether the change is allowed; here it is only made sure that it is made once, on the
host data that was seen, or not at all.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Final, NamedTuple
from uuid import UUID

from kernelzone.hostdata.block import SLOT_A, SLOT_B, decode_slot, encode_slot
from kernelzone.hostdata.claim import (
    Intent,
    Outcome,
    Pair,
    recover,
    watch,
)
from kernelzone.hostdata.device import Device
from kernelzone.hostdata.errors import HostDataError
from kernelzone.hostdata.journal import ClaimJournal, zone_lock
from kernelzone.hostdata.perform import always, perform_all, perform_claim
from kernelzone.hostdata.record import NO_DIGEST, Record, record_digest
from kernelzone.hostdata.region import (
    ZERO_SLOT,
    Region,
    RegionStatus,
    raw_digest,
    read_region,
    verified_generation,
)

# A slot that is whole and somebody else's is no damage, even when it cannot be opened with this key.
_NOT_DAMAGE: Final = frozenset({"HD_KEYID", "HD_ZONE", "HD_SUITE"})


class ZoneSeal(NamedTuple):
    """What seals a zone's slots: its 16-byte key, its uuid, and the agent that writes."""

    zone_key: bytes
    zone_uuid: UUID
    agent: UUID

    def __repr__(self) -> str:
        return f"ZoneSeal({self.zone_uuid})"  # a traceback must not tell the key


class ExpectedRegion(NamedTuple):
    """The host data a person approved a change of. Digests: 32 bytes; record_digest None where there is no truth.

    accepts_rollback: the change was approved although the host data is older than the high-water mark.
    """

    status: RegionStatus
    generation: int
    record_digest: bytes | None
    raw_digest: bytes
    accepts_rollback: bool = False


class ClaimOutcome(NamedTuple):
    """How a change ended. generation, record, images: what was to be written, absent when CHANGED before that."""

    outcome: Outcome
    generation: int = 0
    record: Record | None = None
    images: Pair | None = None

    @property
    def code(self) -> str | None:
        """The stable code of an outcome that is not CLAIMED."""
        if self.outcome is Outcome.CLAIMED:
            return None
        return "HD_LOST_WRITE" if self.outcome is Outcome.LOST_WRITE else self.outcome.value

    @property
    def record_digest(self) -> bytes | None:
        """The digest of `record`, 32 bytes."""
        return record_digest(self.record.encode()) if self.record else None

    @property
    def raw_digest(self) -> bytes | None:
        """The digest of both new images, 32 bytes."""
        return raw_digest(*self.images) if self.images else None


def change_host_data(  # noqa: PLR0913 - one call per change, each input by its name
    device: Device,
    *,
    zone_key: bytes,
    zone_uuid: UUID,
    agent: UUID,
    change: Callable[[Record | None], Record],
    journal: ClaimJournal,
    lock_path: Path,
    expected: ExpectedRegion | None = None,
    high_water: int = 0,
    still_valid: Callable[[], bool] = always,
) -> ClaimOutcome:
    """Return how the change of host data from the truth to `change(truth)` ended.

    change: gets the true record (None for SPLIT and UNREADABLE) and returns the new one; it may raise to
    refuse, nothing is written then. Its `previous_digest` is set here.
    expected: for approved forced actions, the region they were approved for, in any status; any difference
    ends in CHANGED. Without it the region must be CLEAN and not below `high_water`.
    still_valid: asked directly before the first write.
    Raises: HostDataError HD_NOT_CLEAN, ROLLBACK, HD_BUSY, HD_UNSTABLE, HD_IO, HD_HEADER (generation at its
    limit), HD_RECORD; whatever `change` and the journal raise.
    """
    seal = ZoneSeal(zone_key, zone_uuid, agent)
    with zone_lock(lock_path):
        old = device.read_slots()
        region = read_region(*old, zone_key=zone_key, zone_uuid=zone_uuid)
        if expected is not None and not _is_as_expected(region, old, expected):
            return ClaimOutcome(Outcome.CHANGED)
        _refuse_doubtful(region, expected, high_water)
        # W1 makes sure that nothing moves between this reading and the first write.
        record = replace(change(region.record), previous_digest=region.record_digest or NO_DIGEST)
        generation = max(_seen(old, seal), high_water) + 1
        return _claimed(device, old, sealed(record, generation, seal), journal, still_valid)


def initialise_host_data(  # noqa: PLR0913 - one call per change, each input by its name
    device: Device,
    *,
    zone_key: bytes,
    zone_uuid: UUID,
    agent: UUID,
    record: Record,
    journal: ClaimJournal,
    lock_path: Path,
    expected_raw: bytes | None = None,
    high_water: int = 0,
    still_valid: Callable[[], bool] = always,
) -> ClaimOutcome:
    """Return how the first record of a zone was written, at generation 1 or above the high-water mark.

    Without `expected_raw` the region must be BLANK (install, clone). With it (the approved forced action) it
    must have exactly that raw digest, else CHANGED; `zone_key` is then the new key.
    Raises: HostDataError HD_NOT_BLANK, HD_BUSY, HD_UNSTABLE, HD_IO, HD_HEADER, HD_RECORD; what the journal raises.
    """
    seal = ZoneSeal(zone_key, zone_uuid, agent)
    with zone_lock(lock_path):
        old = device.read_slots()
        if expected_raw is not None and raw_digest(*old) != expected_raw:
            return ClaimOutcome(Outcome.CHANGED)
        if expected_raw is None and old != (ZERO_SLOT, ZERO_SLOT):
            raise HostDataError("HD_NOT_BLANK")
        generation = max(_seen(old, seal), high_water) + 1
        fresh = replace(record, previous_digest=NO_DIGEST)
        return _claimed(device, old, sealed(fresh, generation, seal), journal, still_valid)


def erase_host_data(device: Device, *, expected_raw: bytes, journal: ClaimJournal, lock_path: Path) -> Outcome:
    """Return how zeros were put in the place of host data, by a claim: afterwards the region is BLANK.

    expected_raw: 32 bytes, the raw digest it was decided on; any difference ends in CHANGED. Whether the host data
    may go is the caller's to know. Raises: HostDataError HD_BUSY, HD_UNSTABLE, HD_IO; what the journal raises.
    """
    with zone_lock(lock_path):
        old = device.read_slots()
        if raw_digest(*old) != expected_raw:
            return Outcome.CHANGED
        return perform_claim(Intent(old, (ZERO_SLOT, ZERO_SLOT)), device, journal, always)


def recover_host_data(
    device: Device, intent: Intent, *, journal: ClaimJournal, lock_path: Path, order_still_valid: bool
) -> Outcome:
    """Return how a claim that a crash interrupted is settled: CLAIMED, NOT_APPLIED, LOST or UNKNOWN.

    Raises: HostDataError HD_UNSTABLE, HD_IO (the intent then stays open), HD_BUSY; what the journal raises.
    """
    with zone_lock(lock_path):
        device.read_slots()  # a device that cannot be read settles nothing
        outcome = perform_all(recover(intent, order_still_valid=order_still_valid), device, journal)
        if outcome is not Outcome.CLAIMED:
            journal.closed(outcome)
        return outcome


def watch_host_data(device: Device, mine: Pair, *, zone_key: bytes, zone_uuid: UUID, lock_path: Path) -> Outcome:
    """Return how one look at a won claim ended, after repairing my own record where that is safe.

    To be called every 30 s for 10 min after CLAIMED, with `ClaimOutcome.images`; ends earlier when this host
    changes the record again. LOST: something newer, left as it is. Raises: HostDataError HD_BUSY.
    """

    def damaged_slot(seen: Pair) -> int | None:
        return repairable_slot(seen, mine, zone_key=zone_key, zone_uuid=zone_uuid)

    with zone_lock(lock_path):
        return perform_all(watch(mine, damaged_slot=damaged_slot), device, None)


def repairable_slot(seen: Pair, mine: Pair, *, zone_key: bytes, zone_uuid: UUID) -> int | None:
    """Return the slot the winner of `mine` may write again, or None.

    Only when the other slot is byte-equal to its own and this one is invalid or of the same generation.
    """
    for slot in (SLOT_A, SLOT_B):
        other = 1 - slot
        if seen[other] == mine[other] and seen[slot] != mine[slot]:
            won = decode_slot(mine[slot], slot=slot, zone_key=zone_key, zone_uuid=zone_uuid).generation
            try:
                found = decode_slot(seen[slot], slot=slot, zone_key=zone_key, zone_uuid=zone_uuid).generation
            except HostDataError as error:
                return None if error.code in _NOT_DAMAGE else slot
            return slot if found == won else None
    return None


class Sealed(NamedTuple):
    """A record with both of its slot images."""

    record: Record
    generation: int
    images: Pair


def sealed(record: Record, generation: int, seal: ZoneSeal) -> Sealed:
    """Return `record` sealed for both slots. Raises: HostDataError HD_HEADER, HD_RECORD, KEY_LENGTH."""
    a, b = (
        encode_slot(
            record,
            slot=slot,
            generation=generation,
            zone_key=seal.zone_key,
            zone_uuid=seal.zone_uuid,
            agent=seal.agent,
        )
        for slot in (SLOT_A, SLOT_B)
    )
    return Sealed(record, generation, (a, b))


def _is_as_expected(region: Region, old: Pair, expected: ExpectedRegion) -> bool:
    found = (region.status, region.generation, region.record_digest, raw_digest(*old))
    return found == (expected.status, expected.generation, expected.record_digest, expected.raw_digest)


def _refuse_doubtful(region: Region, expected: ExpectedRegion | None, high_water: int) -> None:
    if expected is None and region.status is not RegionStatus.CLEAN:
        raise HostDataError("HD_NOT_CLEAN", f"the host data is {region.status}, only CLEAN may be changed")
    accepts_rollback = expected is not None and expected.accepts_rollback
    if region.status is RegionStatus.CLEAN and region.generation < high_water and not accepts_rollback:
        raise HostDataError("ROLLBACK", f"generation {region.generation}, but {high_water} was seen before")


def _seen(old: Pair, seal: ZoneSeal) -> int:
    return verified_generation(*old, zone_key=seal.zone_key, zone_uuid=seal.zone_uuid)


def _claimed(
    device: Device, old: Pair, new: Sealed, journal: ClaimJournal, still_valid: Callable[[], bool]
) -> ClaimOutcome:
    outcome = perform_claim(Intent(old, new.images), device, journal, still_valid)
    return ClaimOutcome(outcome, new.generation, new.record, new.images)
