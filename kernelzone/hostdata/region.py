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
    ZoneKey,
    open_slot,
)
from kernelzone.hostdata.errors import HostDataError
from kernelzone.hostdata.record import Record, record_digest

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
    zone = ZoneKey.of(zone_key, zone_uuid)  # a key of a wrong length says nothing about the slots
    a, error_a = _opened(slot_a, SLOT_A, zone)
    b, error_b = _opened(slot_b, SLOT_B, zone, twin=a)
    errors = (error_a, error_b)
    if a and b:
        return _of_two(a, b, zone_uuid)
    if a:
        return _true(RegionStatus.SINGLE_A, a, zone_uuid, errors=errors)
    if b:
        return _true(RegionStatus.SINGLE_B, b, zone_uuid, errors=errors)
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
    zone = ZoneKey.of(zone_key, zone_uuid)
    return max(_generation(slot_a, SLOT_A, zone), _generation(slot_b, SLOT_B, zone))


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
    generation: int
    plaintext: bytes
    record: Record


_Errors = tuple[str | None, str | None]
_NO_ERRORS: Final = (None, None)


def _opened(image: bytes, slot: int, zone: ZoneKey, twin: _Opened | None = None) -> tuple[_Opened | None, str | None]:
    try:
        header, plaintext = open_slot(image, slot, zone)
        is_same = twin is not None and plaintext == twin.plaintext  # the usual case is read once
        record = twin.record if twin is not None and is_same else Record.decode(plaintext)
        return _Opened(header.generation, plaintext, record), None
    except HostDataError as error:
        return None, error.code


def _of_two(a: _Opened, b: _Opened, zone_uuid: UUID) -> Region:
    gap = a.generation - b.generation
    if gap == 0 and a.plaintext == b.plaintext:
        return _true(RegionStatus.CLEAN, a, zone_uuid)
    if gap == 1 and a.record.previous_digest == record_digest(b.plaintext):
        return _true(RegionStatus.CLAIM, b, zone_uuid, claim=a.record)
    highest = max(a.generation, b.generation)
    return Region(RegionStatus.SPLIT, highest, None, None, _NO_ERRORS, zone_uuid=zone_uuid)


def _true(
    status: RegionStatus,
    truth: _Opened,
    zone_uuid: UUID,
    *,
    claim: Record | None = None,
    errors: _Errors = _NO_ERRORS,
) -> Region:
    digest = record_digest(truth.plaintext)
    return Region(status, truth.generation, truth.record, claim, errors, digest, zone_uuid)


def _generation(image: bytes, slot: int, zone: ZoneKey) -> int:
    try:
        return open_slot(image, slot, zone)[0].generation
    except HostDataError:
        return 0
