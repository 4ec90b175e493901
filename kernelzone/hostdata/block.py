"""One slot: 4 096 bytes to a record and back, sealed under the zone's key.

Source: host-data.md, part "Slot", format KZHD 1. Known answers: tests/data/kzhd/vectors.json.
"""

from __future__ import annotations

import hashlib
import os
import struct
from typing import Final, NamedTuple
from uuid import UUID

from kernelzone.hostdata import ccm
from kernelzone.hostdata.errors import HostDataError
from kernelzone.hostdata.record import RECORD_BYTES, Record, record_digest

SLOT_BYTES: Final = 4096
SLOT_A: Final = 0
SLOT_B: Final = 1
LAST_GENERATION: Final = 2**64 - 1
_MAGIC: Final = b"KZHDATA1"
_VERSION: Final = 1
_SUITE: Final = 1
_HEADER_BYTES: Final = 128
_TAG_AT: Final = _HEADER_BYTES + RECORD_BYTES
_SEALED_END: Final = _TAG_AT + ccm.TAG_BYTES
_CHECKSUM_AT: Final = SLOT_BYTES - 32
_HEADER: Final = struct.Struct(">8sHBBIQ16s16s16s13sBH16s24s")
_NONCE_START: Final = struct.Struct(">QB")
_KEY_ID_TYPE: Final = b"kzfleet/key-id/v1\x00"
_KEY_PURPOSE: Final = b"kzfleet/kzhd/1/aes-128-ccm\x00"
_NO_RESERVED: Final = bytes(24)
_NO_PADDING: Final = bytes(_CHECKSUM_AT - _SEALED_END)


class Slot(NamedTuple):
    """One verified slot. record_digest: 32 bytes; agent: who wrote it; key_id: 16 bytes."""

    generation: int
    record: Record
    record_digest: bytes
    agent: UUID
    key_id: bytes
    zone_uuid: UUID


class SlotHeader(NamedTuple):
    """What a slot says of itself without the key: nothing in it is proven before the tag is."""

    generation: int
    zone_uuid: UUID
    key_id: bytes
    agent: UUID


class Header(NamedTuple):
    """The first 128 bytes of a slot, field by field."""

    magic: bytes
    version: int
    slot: int
    suite: int
    header_bytes: int
    generation: int
    zone_uuid: bytes
    key_id: bytes
    salt: bytes
    nonce: bytes
    tag_bytes: int
    plaintext_bytes: int
    agent: bytes
    reserved: bytes


def decode_slot(image: bytes, *, slot: int, zone_key: bytes, zone_uuid: UUID) -> Slot:
    """Return the verified slot that `image` holds at position `slot` (0 = A, 1 = B).

    Raises: HostDataError HD_LENGTH HD_MAGIC HD_CHECKSUM HD_SUITE HD_SLOT HD_ZONE HD_KEYID HD_HEADER
    HD_PADDING HD_TAG HD_RECORD, the first that applies in this order; KEY_LENGTH before all of them.
    """
    header, plaintext = open_slot(image, slot, ZoneKey.of(zone_key, zone_uuid))
    record = Record.decode(plaintext)
    agent = UUID(bytes=header.agent)
    return Slot(header.generation, record, record_digest(plaintext), agent, header.key_id, zone_uuid)


class ZoneKey(NamedTuple):
    """A zone's key with what every slot is compared with, worked out once for both slots."""

    key: bytes
    key_id: bytes
    zone_uuid: bytes

    def __repr__(self) -> str:
        return f"ZoneKey({self.key_id.hex()})"  # a traceback must not tell the key

    @classmethod
    def of(cls, zone_key: bytes, zone_uuid: UUID) -> ZoneKey:
        """Return the key of the zone `zone_uuid`. Raises: HostDataError KEY_LENGTH."""
        return cls(zone_key, key_id(zone_key), zone_uuid.bytes)


def open_slot(image: bytes, slot: int, zone: ZoneKey) -> tuple[Header, bytes]:
    """Return the header and the plaintext of a slot whose tag verified, the record not yet looked at.

    Raises: HostDataError as `decode_slot`, without HD_RECORD.
    """
    header = _checked_header(image)
    if header.slot != slot:
        raise HostDataError("HD_SLOT")
    if header.zone_uuid != zone.zone_uuid:
        raise HostDataError("HD_ZONE")
    if header.key_id != zone.key_id:
        raise HostDataError("HD_KEYID")
    _check_rest(header, image)
    key = ccm.derived_key(zone.key, salt=header.salt, purpose=_purpose(zone, slot, header.generation))
    ciphertext, tag = image[_HEADER_BYTES:_TAG_AT], image[_TAG_AT:_SEALED_END]
    plaintext = ccm.unseal(key, header.nonce, ciphertext, tag, image[:_HEADER_BYTES])
    if plaintext is None:
        raise HostDataError("HD_TAG")
    return header, plaintext


def peek_header(image: bytes) -> SlotHeader:
    """Return what a slot says of itself, for a host that does not yet know the zone's uuid.

    Everything that needs no key is checked; nothing returned is proven: accept the uuid only
    after `decode_slot` took it. Raises: HostDataError as `decode_slot`, up to HD_PADDING.
    """
    header = _checked_header(image)
    if header.slot not in (SLOT_A, SLOT_B):
        raise HostDataError("HD_SLOT")
    _check_rest(header, image)
    zone_uuid, agent = UUID(bytes=header.zone_uuid), UUID(bytes=header.agent)
    return SlotHeader(header.generation, zone_uuid, header.key_id, agent)


def encode_slot(  # noqa: PLR0913 - the format's own inputs, each by its name
    record: Record,
    *,
    slot: int,
    generation: int,
    zone_key: bytes,
    zone_uuid: UUID,
    agent: UUID,
    salt: bytes | None = None,
    nonce_random: bytes | None = None,
) -> bytes:
    """Return the 4 096-byte image of `record` for position `slot` (0 = A, 1 = B).

    salt (16 bytes), nonce_random (4 bytes): for known answers only; fresh random bytes otherwise.
    Raises: HostDataError HD_HEADER for a generation outside 1..2**64-2, HD_RECORD, HD_SLOT, KEY_LENGTH.
    """
    if slot not in (SLOT_A, SLOT_B):
        raise HostDataError("HD_SLOT", "a slot is 0 or 1")
    if not 1 <= generation < LAST_GENERATION:
        raise HostDataError("HD_HEADER", "the generation is outside 1..2**64-2")
    salt = os.urandom(16) if salt is None else salt
    random = os.urandom(4) if nonce_random is None else nonce_random
    nonce = _NONCE_START.pack(generation, slot) + random
    zone = ZoneKey.of(zone_key, zone_uuid)
    fields = Header(
        _MAGIC, _VERSION, slot, _SUITE, _HEADER_BYTES, generation, zone.zone_uuid, zone.key_id, salt,
        nonce, ccm.TAG_BYTES, RECORD_BYTES, agent.bytes, _NO_RESERVED,
    )  # fmt: skip
    header = _HEADER.pack(*fields)
    key = ccm.derived_key(zone_key, salt=salt, purpose=_purpose(zone, slot, generation))
    ciphertext, tag = ccm.seal(key, nonce, record.encode(), header)
    body = header + ciphertext + tag + _NO_PADDING
    return body + hashlib.sha256(body).digest()


def key_id(zone_key: bytes) -> bytes:
    """Return the 16 bytes that name a zone key without telling it. Raises: HostDataError KEY_LENGTH."""
    if len(zone_key) != ccm.KEY_BYTES:
        raise HostDataError("KEY_LENGTH")
    return hashlib.sha256(_KEY_ID_TYPE + zone_key).digest()[:16]


def _checked_header(image: bytes) -> Header:
    """Return the header of an image whose length, magic, checksum, version and suite are right."""
    if len(image) != SLOT_BYTES:
        raise HostDataError("HD_LENGTH", f"a slot of {len(image)} bytes instead of {SLOT_BYTES}")
    if not image.startswith(_MAGIC):
        raise HostDataError("HD_MAGIC")
    if hashlib.sha256(image[:_CHECKSUM_AT]).digest() != image[_CHECKSUM_AT:]:
        raise HostDataError("HD_CHECKSUM")
    header = Header._make(_HEADER.unpack_from(image))
    if (header.version, header.suite, header.header_bytes) != (_VERSION, _SUITE, _HEADER_BYTES):
        raise HostDataError("HD_SUITE")
    return header


def _check_rest(header: Header, image: bytes) -> None:
    """Check the header against itself, then the padding: the last checks that need no key."""
    if (header.tag_bytes, header.plaintext_bytes) != (ccm.TAG_BYTES, RECORD_BYTES):
        raise HostDataError("HD_HEADER")
    if header.generation == 0 or header.nonce[:9] != _NONCE_START.pack(header.generation, header.slot):
        raise HostDataError("HD_HEADER")
    if header.reserved != _NO_RESERVED or image[_SEALED_END:_CHECKSUM_AT] != _NO_PADDING:
        raise HostDataError("HD_PADDING")


def _purpose(zone: ZoneKey, slot: int, generation: int) -> bytes:
    return _KEY_PURPOSE + zone.zone_uuid + bytes((slot,)) + generation.to_bytes(8, "big")
