"""Value types that every part shares, with the one check each of them has.

A value is checked where it enters; afterwards its type says that it was.
"""

from __future__ import annotations

import re
from typing import NamedTuple, NewType, NoReturn
from uuid import UUID

HostId = NewType("HostId", str)
ZoneName = NewType("ZoneName", str)
StorageUri = NewType("StorageUri", str)
Digest = NewType("Digest", str)

_HOST_ID = re.compile(r"[0-9a-fA-F]{8}\Z")
_ZONE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}\Z")
_DIGEST = re.compile(r"[0-9a-f]{64}\Z")
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z")


class WordError(ValueError):
    """A value that is not what its name says. `code` is stable; the value is never repeated in full."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class BootEnvironment(NamedTuple):
    """The boot environment of a host: its name (at most 64 characters) and uuid."""

    name: str
    uuid: UUID


def host_id(text: object) -> HostId:
    """Return `text` as an owner hostid: exactly 8 hex digits, lower case, not zero.

    Raises: WordError HOSTID.
    """
    if not isinstance(text, str) or not _HOST_ID.match(text):
        _refuse("HOSTID", "a hostid is exactly 8 hex digits, without 0x", text)
    if int(text, 16) == 0:
        _refuse("HOSTID", "a hostid of zero names no host", text)
    return HostId(text.lower())


def zone_name(text: object) -> ZoneName:
    """Return `text` as a zone name: `[A-Za-z0-9][A-Za-z0-9_.-]{0,63}`, never `global`.

    Raises: WordError ZONE_NAME.
    Source: zonecfg(8), zonename; the leading character also keeps it from being read as an option.
    """
    if not isinstance(text, str) or not _ZONE_NAME.match(text) or text.lower() == "global":
        _refuse(
            "ZONE_NAME",
            "a zone name is 1 to 64 letters, digits, '_', '.' or '-', begins with a letter or digit"
            " and is not 'global'",
            text,
        )
    return ZoneName(text)


def digest(text: object) -> Digest:
    """Return `text` as a SHA-256 digest: 64 lower-case hex digits. Raises: WordError DIGEST."""
    if not isinstance(text, str) or not _DIGEST.match(text):
        _refuse("DIGEST", "a digest is 64 lower-case hex digits", text)
    return Digest(text)


def canonical_uuid(text: object) -> UUID:
    """Return `text` as a UUID, accepted only as lower-case 8-4-4-4-12. Any version: Solaris' own vary.

    Raises: WordError UUID.
    """
    if not isinstance(text, str) or not _UUID.match(text):
        _refuse("UUID", "a uuid is written in lower case as 8-4-4-4-12 hex digits", text)
    return UUID(text)


def shown(value: object, limit: int = 64) -> str:
    """Return at most `limit` printable ASCII characters of `value`, safe to repeat in a message."""
    text = value if isinstance(value, str) else type(value).__name__
    return "".join(c if " " <= c <= "~" else "?" for c in text[:limit])


def _refuse(code: str, rule: str, value: object) -> NoReturn:
    raise WordError(code, f"{rule}: got '{shown(value)}'")
