"""Two slots to one status: what the host data of a zone proves, and what it does not.

Source: host-data.md, parts "Region" and "Read".
"""

from __future__ import annotations

import hashlib
from enum import StrEnum
from typing import Final, NamedTuple
from uuid import UUID

from kernelzone.hostdata.block import (
    SLOT_A,
    SLOT_B,
    SLOT_BYTES,
    Slot,
    key_id,
    open_slot,
    slot_of,
)
from kernelzone.hostdata.errors import HostDataError
from kernelzone.hostdata.record import Record

REGION_BYTES: Final = 1024 * 1024
SLOT_OFFSETS: Final = (0, 524_288)
ZERO_SLOT: Final = bytes(SLOT_BYTES)


class RegionStatus(StrEnum):
    """What two slots together prove. Only CLEAN lets the owner act, only BLANK lets install initialise."""

    CLEAN = "CLEAN"
    CLAIM = "CLAIM"
    SINGLE_A = "SINGLE_A"
    SINGLE_B = "SINGLE_B"
    SPLIT = "SPLIT"
    UNREADABLE = "UNREADABLE"
    BLANK = "BLANK"


class Region(NamedTuple):
    """The host data of one zone as read.

    generation, record: the truth. SPLIT: the highest generation and no record; UNREADABLE, BLANK: 0 and none.
    claim: the unfinished claim's record (CLAIM only).
    slot_errors: per slot, the code of HostDataError or None.
    record_digest: 32 bytes, of `record`; zone_uuid: as proven by a tag, or None.
    """

    status: RegionStatus
    generation: int
    record: Record | None
    claim: Record | None
    slot_errors: tuple[str | None, str | None]
    record_digest: bytes | None = None
    zone_uuid: UUID | None = None


def read_region(slot_a: bytes, slot_b: bytes, *, zone_key: bytes, zone_uuid: UUID) -> Region:
    """Return what the two slot images prove together; never raises for what an image holds.

    Raises: HostDataError KEY_LENGTH.
    """
    key_id(zone_key)  # a key of a wrong length says nothing about the slots
    a, error_a = _opened(slot_a, SLOT_A, zone_key, zone_uuid)
    b, error_b = _opened(slot_b, SLOT_B, zone_key, zone_uuid, twin=a)
    errors = (error_a, error_b)
    if a and b:
        return _of_two(a, b)
    if a or b:
        valid = a or b
        assert valid is not None
        status = RegionStatus.SINGLE_A if a else RegionStatus.SINGLE_B
        return _true(status, valid.slot, None, errors)
    blank = slot_a == slot_b == ZERO_SLOT
    return Region(RegionStatus.BLANK if blank else RegionStatus.UNREADABLE, 0, None, None, errors)


def raw_digest(slot_a: bytes, slot_b: bytes) -> bytes:
    """Return the 32-byte digest of both slot images, whatever they hold."""
    return hashlib.sha256(slot_a + slot_b).digest()


def verified_generation(slot_a: bytes, slot_b: bytes, *, zone_key: bytes, zone_uuid: UUID) -> int:
    """Return the highest generation among slots whose tag verifies, or 0.

    A header can be forged without the key, so a slot that does not authenticate counts for nothing;
    a slot whose record alone is malformed does count.
    """
    return max(_generation(image, slot, zone_key, zone_uuid) for slot, image in enumerate((slot_a, slot_b)))


def doubts(region: Region, *, high_water: int = 0, device_guid: str | None = None) -> tuple[str, ...]:
    """Return the reasons not to believe `region` although it may read well.

    ROLLBACK: older than `high_water`. CLONE_SUSPECTED: written for a device other than `device_guid`.
    KEY_UNKNOWN: a slot is under a key that is not the configured one.
    """
    written_for = region.record.device_guid if region.record else None
    found = {
        "ROLLBACK": region.generation < high_water,
        "CLONE_SUSPECTED": bool(device_guid and written_for and device_guid != written_for),
        "KEY_UNKNOWN": "HD_KEYID" in region.slot_errors,
    }
    return tuple(name for name, is_so in found.items() if is_so)


class _Opened(NamedTuple):
    slot: Slot
    plaintext: bytes


def _opened(
    image: bytes, slot: int, zone_key: bytes, zone_uuid: UUID, twin: _Opened | None = None
) -> tuple[_Opened | None, str | None]:
    try:
        header, plaintext = open_slot(image, slot=slot, zone_key=zone_key, zone_uuid=zone_uuid)
        if twin and plaintext == twin.plaintext:  # the usual case: one record, read once
            same = twin.slot._replace(generation=header.generation, agent=header.agent)
            return _Opened(same, plaintext), None
        return _Opened(slot_of(header, plaintext, Record.decode(plaintext)), plaintext), None
    except HostDataError as error:
        return None, error.code


def _of_two(a: _Opened, b: _Opened) -> Region:
    gap = a.slot.generation - b.slot.generation
    if gap == 0 and a.plaintext == b.plaintext:
        return _true(RegionStatus.CLEAN, a.slot, None, (None, None))
    if gap == 1 and a.slot.record.previous_digest == b.slot.record_digest:
        return _true(RegionStatus.CLAIM, b.slot, a.slot.record, (None, None))
    highest = max(a.slot.generation, b.slot.generation)
    return Region(RegionStatus.SPLIT, highest, None, None, (None, None), zone_uuid=a.slot.zone_uuid)


def _true(status: RegionStatus, truth: Slot, claim: Record | None, errors: tuple[str | None, str | None]) -> Region:
    return Region(status, truth.generation, truth.record, claim, errors, truth.record_digest, truth.zone_uuid)


def _generation(image: bytes, slot: int, zone_key: bytes, zone_uuid: UUID) -> int:
    try:
        return open_slot(image, slot=slot, zone_key=zone_key, zone_uuid=zone_uuid)[0].generation
    except HostDataError:
        return 0
