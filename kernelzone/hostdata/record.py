"""The record: what host data says, and its 2 048 bytes of tag, length, value.

Source: host-data.md, part "Record", format KZHD 1.
"""

from __future__ import annotations

import hashlib
import re
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import IntEnum, IntFlag
from functools import lru_cache
from typing import Any, Final
from uuid import UUID

from kernelzone.hostdata.errors import HostDataError
from kernelzone.words import BootEnvironment

RECORD_BYTES: Final = 2048
NO_DIGEST: Final = bytes(32)
_DIGEST_TYPE: Final = b"kzfleet/record/v1\x00"
_VERSION: Final = b"\x00\x01"
_HEAD: Final = struct.Struct(">HH")
_KEPT_UNKNOWN: Final = 0x8000
_ZEROS: Final = bytes(RECORD_BYTES)


class HostDataState(IntEnum):
    """What the owner was doing with the zone when the record was written."""

    FREE = 0
    INSTALLED = 1
    READY = 2
    RUNNING = 3
    SUSPENDED = 4
    MIGRATING_OUT = 5
    UNAVAILABLE = 6


class RecordFlags(IntFlag):
    """How the record came to be, when not in the ordinary way."""

    NONE = 0
    FORCED = 1
    INITIALISED = 2
    REPAIRED = 4


@dataclass(frozen=True, kw_only=True, slots=True)
class Record:
    """One record of host data. When the state is FREE, the owner's fields name the last owner.

    owner_hostid, previous_owner_hostid: 8 lower-case hex digits.
    owner_hostname, previous_owner_hostname: at most 255 printable ASCII characters.
    updated_at: POSIX seconds by the owner's clock, information only.
    previous_digest: 32 bytes, zero at generation 1 and after initialisation or repair.
    warrant_digest: 32 bytes, SHA-256 of the order's DSSE payload, after a forced action only.
    device_guid: at most 64 printable ASCII characters.
    incarnation: 16 bytes, random for each attach.
    obp_variables: `name=value` lines, at most 1 024 bytes of UTF-8 (SPARC only).
    unknown: (tag, value) of tags from 0x8000 up that this version does not know, kept as they are.
    """

    state: HostDataState
    owner_hostid: str
    owner_hostname: str
    owner_agent: UUID
    updated_at: int
    incarnation: bytes
    previous_digest: bytes = NO_DIGEST
    boot_environment: BootEnvironment | None = None
    warrant_digest: bytes | None = None
    device_guid: str | None = None
    time_of_day_offset_s: int | None = None
    suspend_image_digest: bytes | None = None
    flags: RecordFlags = RecordFlags.NONE
    previous_owner_hostid: str | None = None
    previous_owner_hostname: str | None = None
    obp_variables: str | None = None
    unknown: tuple[tuple[int, bytes], ...] = ()

    def encode(self) -> bytes:
        """Return the record's plaintext, 2 048 bytes. Raises: HostDataError HD_RECORD."""
        try:
            packed = b"".join(_HEAD.pack(tag, len(value)) + value for tag, value in _values(self))
        except (ValueError, struct.error, OverflowError, AttributeError, TypeError) as error:
            raise HostDataError("HD_RECORD", f"the record cannot be written: {error}") from error
        if len(packed) > RECORD_BYTES:
            raise HostDataError("HD_RECORD", f"the record needs {len(packed)} of {RECORD_BYTES} bytes")
        plaintext = packed.ljust(RECORD_BYTES, b"\x00")
        Record.decode(plaintext)  # the reader's rules are the only rules: what it refuses is not written
        return plaintext

    @classmethod
    def decode(cls, plaintext: bytes) -> Record:
        """Return the record that 2 048 bytes of plaintext hold. Raises: HostDataError HD_RECORD."""
        try:
            return _record(bytes(plaintext))
        except (KeyError, ValueError) as error:
            if isinstance(error, HostDataError):
                raise
            raise _bad("a field's value is not allowed") from error


def record_digest(plaintext: bytes) -> bytes:
    """Return the 32-byte digest that names a record: SHA-256 over its type and its plaintext."""
    return hashlib.sha256(_DIGEST_TYPE + plaintext).digest()


def _bad(reason: str) -> HostDataError:
    return HostDataError("HD_RECORD", f"the record is not well formed: {reason}")


# The same host data is read every minute: what was read before is not taken apart again.
@lru_cache(maxsize=1024)
def _record(plaintext: bytes) -> Record:
    if len(plaintext) != RECORD_BYTES:
        raise _bad(f"{len(plaintext)} bytes instead of {RECORD_BYTES}")
    fields: dict[str, Any] = {}
    unknown: list[tuple[int, bytes]] = []
    for tag, value in _entries(plaintext):
        known = _READERS.get(tag)
        if known is not None:
            fields[known[0]] = known[1](value)
        elif tag >= _KEPT_UNKNOWN:
            unknown.append((tag, value))
        else:
            raise _bad(f"unknown tag {tag}")
    _join_boot_environment(fields)
    if not fields.keys() >= _MANDATORY:
        raise _bad(f"missing {', '.join(sorted(_MANDATORY - fields.keys()))}")
    del fields["version"]
    return Record(**fields, unknown=tuple(unknown))


def _entries(plaintext: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield (tag, value) in strictly ascending tag order, up to the zero padding, which is checked."""
    unpack = _HEAD.unpack_from
    offset = last = 0
    while offset <= RECORD_BYTES - 4:
        tag, length = unpack(plaintext, offset)
        if tag == 0:
            break
        start, offset = offset + 4, offset + 4 + length
        if tag <= last or offset > RECORD_BYTES:
            raise _bad(f"tag {tag} out of order or too long")
        last = tag
        yield tag, plaintext[start:offset]
    if plaintext[offset:] != _ZEROS[offset:]:
        raise _bad("the padding is not zero")


def _join_boot_environment(fields: dict[str, Any]) -> None:
    name, uuid = fields.pop("be_name", None), fields.pop("be_uuid", None)
    if (name is None) != (uuid is None):
        raise _bad("a boot environment has a name and a uuid")
    if name is not None:
        fields["boot_environment"] = BootEnvironment(name, uuid)


def _exactly(size: int) -> Callable[[bytes], bytes]:
    def read(value: bytes) -> bytes:
        if len(value) != size:
            raise _bad(f"a field of {len(value)} bytes instead of {size}")
        return value

    return read


def _integer(size: int, *, signed: bool = False) -> Callable[[bytes], int]:
    def read(value: bytes) -> int:
        if len(value) != size:
            raise _bad(f"a number of {len(value)} bytes instead of {size}")
        return int.from_bytes(value, "big", signed=signed)

    return read


def _name(limit: int) -> Callable[[bytes], str]:
    def read(value: bytes) -> str:
        text = value.decode("ascii")
        if len(text) > limit or not text.isprintable():
            raise _bad("a name is too long or has control characters")
        return text

    return read


def _version(value: bytes) -> int:
    if value != _VERSION:
        raise _bad("unknown record version")
    return 1


def _state(value: bytes) -> HostDataState:
    return _STATES[value]


def _hostid(value: bytes) -> str:
    return _FOUR(value).hex()


def _uuid(value: bytes) -> UUID:
    return UUID(bytes=value)  # refuses any other length


def _flags(value: bytes) -> RecordFlags:
    number = _U32(value)
    if number & ~_ALL_FLAGS:
        raise _bad("unknown flags")
    return RecordFlags(number)


def _variables(value: bytes) -> str:
    text = value.decode("utf-8")
    if len(value) > 1024 or not _VARIABLES.fullmatch(text) or not text.replace("\n", "").isprintable():
        raise _bad("OpenBoot variables are name=value lines of 1024 bytes at most")
    return text


_VARIABLES: Final = re.compile(r"(?:[^=\n]+=[^\n]*\n)*(?:[^=\n]+=[^\n]*)?")
_FOUR: Final = _exactly(4)
_U32: Final = _integer(4)
_ALL_FLAGS: Final = int(RecordFlags.FORCED | RecordFlags.INITIALISED | RecordFlags.REPAIRED)
_STATES: Final = {bytes((state,)): state for state in HostDataState}

# tag -> field and reader, in the order of the format.
_READERS: Final[dict[int, tuple[str, Callable[[bytes], object]]]] = {
    1: ("version", _version),
    2: ("state", _state),
    3: ("owner_hostid", _hostid),
    4: ("owner_hostname", _name(255)),
    5: ("owner_agent", _uuid),
    6: ("be_name", _name(64)),
    7: ("be_uuid", _uuid),
    8: ("updated_at", _integer(8)),
    9: ("previous_digest", _exactly(32)),
    10: ("warrant_digest", _exactly(32)),
    11: ("device_guid", _name(64)),
    12: ("time_of_day_offset_s", _integer(8, signed=True)),
    13: ("suspend_image_digest", _exactly(32)),
    14: ("incarnation", _exactly(16)),
    15: ("flags", _flags),
    16: ("previous_owner_hostid", _hostid),
    17: ("previous_owner_hostname", _name(255)),
    0x8001: ("obp_variables", _variables),
}
_MANDATORY: Final = frozenset(_READERS[tag][0] for tag in (1, 2, 3, 4, 5, 8, 9, 14))


def _values(record: Record) -> list[tuple[int, bytes]]:
    """Return (tag, value) of every field that is present, ascending."""
    place = record.boot_environment
    optional: list[tuple[int, bytes | None]] = [
        (6, place and place.name.encode("ascii")),
        (7, place and place.uuid.bytes),
        (10, record.warrant_digest),
        (11, _text(record.device_guid)),
        (12, _signed(record.time_of_day_offset_s)),
        (13, record.suspend_image_digest),
        (15, record.flags.to_bytes(4, "big") if record.flags else None),
        (16, _four_bytes(record.previous_owner_hostid)),
        (17, _text(record.previous_owner_hostname)),
        (0x8001, None if record.obp_variables is None else record.obp_variables.encode("utf-8")),
    ]
    present = [(tag, value) for tag, value in optional if value is not None]
    return sorted([*_mandatory_values(record), *present, *record.unknown])


def _mandatory_values(record: Record) -> list[tuple[int, bytes]]:
    return [
        (1, _VERSION),
        (2, bytes((record.state,))),
        (3, _hex_bytes(record.owner_hostid)),
        (4, record.owner_hostname.encode("ascii")),
        (5, record.owner_agent.bytes),
        (8, record.updated_at.to_bytes(8, "big")),
        (9, record.previous_digest),
        (14, record.incarnation),
    ]


def _text(value: str | None) -> bytes | None:
    return None if value is None else value.encode("ascii")


def _signed(value: int | None) -> bytes | None:
    return None if value is None else value.to_bytes(8, "big", signed=True)


def _four_bytes(value: str | None) -> bytes | None:
    return None if value is None else _hex_bytes(value)


def _hex_bytes(value: str) -> bytes:
    if len(value) != 8:
        raise ValueError("a hostid is 8 hex digits")
    return bytes.fromhex(value)
