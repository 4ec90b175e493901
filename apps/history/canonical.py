"""The one way an event becomes bytes."""

from __future__ import annotations

import json
from typing import Any, Final
from uuid import UUID

INTEGER_LIMIT: Final = 2**53
TEXT_LIMIT_BYTES: Final = 4096
NESTING_LIMIT: Final = 16


class NotCanonicalError(ValueError):
    """A value that an event cannot carry. A bug of the caller, not of a user."""


def canonical_json(value: dict[str, Any]) -> bytes:
    """Return `value` as canonical JSON: keys sorted by code point, no spaces, non-ASCII escaped.

    A key whose value is None is left out: an event says what is known.
    Raises: NotCanonicalError for floats, integers of 2^53 and above, text over 4 KiB, other types.
    """
    return json.dumps(
        _checked(value, depth=0), sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False
    ).encode("ascii")


def _checked(value: Any, depth: int) -> Any:
    if depth > NESTING_LIMIT:
        raise NotCanonicalError(f"nested deeper than {NESTING_LIMIT}")
    if isinstance(value, dict):
        return {_key(key): _checked(item, depth + 1) for key, item in value.items() if item is not None}
    if isinstance(value, list | tuple):
        return [_checked(item, depth + 1) for item in value]
    return _scalar(value)


def _key(key: Any) -> str:
    if not isinstance(key, str):
        raise NotCanonicalError(f"a key of type {type(key).__name__}")
    return key


def _scalar(value: Any) -> str | int | bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, int):
        if abs(value) >= INTEGER_LIMIT:
            raise NotCanonicalError("an integer of 2^53 or above")
        return int(value)
    raise NotCanonicalError(f"a value of type {type(value).__name__}")


def _text(value: str) -> str:
    text = str.__str__(value)  # an enum member is written as its plain text
    try:
        size_bytes = len(text.encode())
    except UnicodeEncodeError:
        raise NotCanonicalError("text with half a character") from None
    if size_bytes > TEXT_LIMIT_BYTES:
        raise NotCanonicalError("text over 4 KiB belongs in a document")
    return text
