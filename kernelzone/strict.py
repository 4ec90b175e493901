"""JSON read strictly, and dataclasses read from and written to it.

What crosses a trust boundary is accepted only in the one form it was meant to have: no duplicate keys, no floats,
no unknown or missing fields. Both sides of every boundary use this module.
"""

from __future__ import annotations

import dataclasses
import json
import types
from enum import Enum
from functools import cache
from typing import Any, Final, NoReturn, TypeVar, Union, cast, get_args, get_origin, get_type_hints
from uuid import UUID

from kernelzone import words

MAX_INTEGER: Final = 2**53 - 1
_PLAIN: Final = frozenset({str, int, bool, type(None)})

T = TypeVar("T")


class StrictError(ValueError):
    """JSON, or a field of it, that is not of the form asked for. The message names the place, never the value."""


def load(content: bytes, *, max_bytes: int) -> Any:
    """Return the JSON value of `content`.

    Raises: StrictError for more than `max_bytes`, other than UTF-8, duplicate keys, floats, NaN, integers of 2^53
    and more, or nesting too deep for the parser; `read` then bounds the shape.
    """
    if len(content) > max_bytes:
        raise StrictError(f"more than {max_bytes} bytes")
    try:
        return json.loads(
            content.decode("utf-8"),
            object_pairs_hook=_no_duplicates,
            parse_float=_refuse_number,
            parse_constant=_refuse_number,
            parse_int=_small_integer,
        )
    except StrictError:
        raise
    except (ValueError, RecursionError) as error:
        raise StrictError("not JSON in UTF-8") from error


def canonical(value: Any) -> bytes:
    """Return `value` as the one JSON text it has: UTF-8, sorted keys, no blanks; what is hashed or signed.

    Raises: StrictError for floats, and integers of 2^53 and more.
    """
    _refuse_unhashable(value)
    try:
        text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
        return text.encode("utf-8")
    except (TypeError, ValueError) as error:
        raise StrictError("not expressible as canonical JSON") from error


def read(kind: type[T], value: Any, place: str = "") -> T:
    """Return the dataclass `kind` read from the JSON object `value`; every field is there and of its type.

    Raises: StrictError naming the field.
    """
    fields: dict[str, Any] = _fields(cast("Any", kind))
    if not isinstance(value, dict):
        _refuse(place, "is not an object")
    if unknown := set(value) - set(fields):
        _refuse(place, f"has an unknown field '{words.shown(sorted(unknown)[0])}'")
    if missing := set(fields) - set(value):
        _refuse(place, f"lacks the field '{sorted(missing)[0]}'")
    return kind(**{name: _read_value(hint, value[name], f"{place}/{name}") for name, hint in fields.items()})


def write(value: Any) -> Any:
    """Return `value`, a dataclass or anything inside one, as plain JSON values."""
    kind = type(value)
    if kind in _PLAIN:
        return value
    if kind in (list, tuple):
        return [write(item) for item in value]
    if kind is dict:
        return {key: write(item) for key, item in value.items()}
    if dataclasses.is_dataclass(value):
        return {name: write(getattr(value, name)) for name in _fields(cast("Any", kind))}
    if isinstance(value, Enum):
        return value.value
    return str(value) if isinstance(value, UUID) else value


def _read_value(hint: Any, value: Any, place: str) -> Any:
    origin = get_origin(hint)
    if origin in (Union, types.UnionType):
        return _read_optional(hint, value, place)
    if origin is tuple:
        return _read_tuple(get_args(hint)[0], value, place)
    if origin is dict:
        return _read_dict(get_args(hint)[1], value, place)
    if dataclasses.is_dataclass(hint):
        return read(hint, value, place)  # type: ignore[arg-type]
    return _read_word(hint, value, place)


def _read_optional(hint: Any, value: Any, place: str) -> Any:
    if value is None:
        return None
    inner = [kind for kind in get_args(hint) if kind is not types.NoneType]
    return _read_value(inner[0], value, place)


def _read_tuple(item: Any, value: Any, place: str) -> tuple[Any, ...]:
    if not isinstance(value, list):
        _refuse(place, "is not a list")
    return tuple(_read_value(item, one, f"{place}/{index}") for index, one in enumerate(value))


def _read_dict(item: Any, value: Any, place: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        _refuse(place, "is not an object")
    return {key: _read_value(item, one, f"{place}/{words.shown(key)}") for key, one in value.items()}


def _read_word(hint: Any, value: Any, place: str) -> Any:
    if hint is Any:
        return value
    try:
        if hint in _WORDS:
            return _WORDS[hint](value)
        if isinstance(hint, type) and issubclass(hint, Enum):
            return hint(value)
    except ValueError as error:
        raise StrictError(f"{place} is not a valid {hint.__name__}") from error
    # bool is an int to Python and never to us
    if type(value) is not hint:
        _refuse(place, f"is not a {hint.__name__}")
    return value


_WORDS: Final = {
    words.HostId: words.host_id,
    words.ZoneName: words.zone_name,
    words.Digest: words.digest,
    UUID: words.canonical_uuid,
}


@cache
def _fields(kind: Any) -> dict[str, Any]:
    hints = get_type_hints(kind)
    return {field.name: hints[field.name] for field in dataclasses.fields(kind)}


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise StrictError("a key stands twice")
    return found


def _small_integer(text: str) -> int:
    if len(text) > 17 or abs(number := int(text)) > MAX_INTEGER:
        raise StrictError("an integer of 2^53 or more")
    return number


def _refuse_number(text: str) -> NoReturn:
    raise StrictError("a number that is not an integer")


def _refuse_unhashable(value: Any) -> None:
    if isinstance(value, float) or (isinstance(value, int) and abs(value) > MAX_INTEGER):
        raise StrictError("a float, or an integer of 2^53 or more")
    if isinstance(value, dict):
        for item in value.values():
            _refuse_unhashable(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            _refuse_unhashable(item)


def _refuse(place: str, what: str) -> NoReturn:
    raise StrictError(f"{place or 'the object'} {what}")
