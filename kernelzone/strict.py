"""JSON read strictly, and dataclasses read from and written to it.

What crosses a trust boundary is accepted only in the one form it was meant to have: no duplicate keys, no floats,
no unknown or missing fields. Both sides of every boundary use this module.
"""

from __future__ import annotations

import dataclasses
import json
import types
from collections.abc import Callable
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
    try:
        return cast("T", _reader(cast("Any", kind))(value))
    except _Wrong as wrong:
        where = "/".join([place, *reversed(wrong.places)])
        raise StrictError(f"{where or 'the object'} {wrong.what}") from wrong.__cause__


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


class _Wrong(Exception):
    """What is wrong with a value; on its way out every container adds the place, the innermost first."""

    def __init__(self, what: str) -> None:
        super().__init__(what)
        self.what = what
        self.places: list[str] = []


_Reader = Callable[[Any], Any]


@cache
def _reader(hint: Any) -> _Reader:
    """Return the function that reads values of `hint`: what a type asks is found out once, not for every value."""
    origin = get_origin(hint)
    if origin in (Union, types.UnionType):
        (inner,) = (kind for kind in get_args(hint) if kind is not types.NoneType)
        return _optional(_reader(inner))
    if origin is tuple:
        return _list(_reader(get_args(hint)[0]))
    if origin is dict:
        return _mapping(_reader(get_args(hint)[1]))
    return _object(hint) if dataclasses.is_dataclass(hint) else _word(hint)


def _optional(inner: _Reader) -> _Reader:
    return lambda value: None if value is None else inner(value)


def _list(item: _Reader) -> _Reader:
    def read_list(value: Any) -> tuple[Any, ...]:
        if not isinstance(value, list):
            raise _Wrong("is not a list")
        found: list[Any] = []
        try:
            for one in value:
                found.append(item(one))
        except _Wrong as wrong:
            wrong.places.append(str(len(found)))
            raise
        return tuple(found)

    return read_list


def _mapping(item: _Reader) -> _Reader:
    def read_mapping(value: Any) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise _Wrong("is not an object")
        return _read_named(value, dict.fromkeys(value, item))

    return read_mapping


def _object(kind: Any) -> _Reader:
    readers = {name: _reader(hint) for name, hint in _fields(kind).items()}

    def read_object(value: Any) -> Any:
        if not isinstance(value, dict):
            raise _Wrong("is not an object")
        if value.keys() != readers.keys():
            raise _Wrong(_other_names(set(value), set(readers)))
        return kind(**_read_named(value, readers))

    return read_object


def _read_named(value: dict[str, Any], readers: dict[str, _Reader]) -> dict[str, Any]:
    found = {}
    name = ""
    try:
        for name, reader in readers.items():
            found[name] = reader(value[name])
    except _Wrong as wrong:
        wrong.places.append(words.shown(name))
        raise
    return found


def _other_names(given: set[str], wanted: set[str]) -> str:
    if unknown := given - wanted:
        return f"has an unknown field '{words.shown(min(unknown))}'"
    return f"lacks the field '{min(wanted - given)}'"


def _word(hint: Any) -> _Reader:
    if hint is Any:
        return lambda value: value
    if hint in _WORDS or (isinstance(hint, type) and issubclass(hint, Enum)):
        return _checked(hint, _WORDS.get(hint, hint))

    def read_plain(value: Any) -> Any:
        # bool is an int to Python and never to us
        if type(value) is not hint:
            raise _Wrong(f"is not a {hint.__name__}")
        return value

    return read_plain


def _checked(hint: Any, check: _Reader) -> _Reader:
    def read_checked(value: Any) -> Any:
        try:
            return check(value)
        except ValueError as error:
            raise _Wrong(f"is not a valid {hint.__name__}") from error

    return read_checked


_WORDS: Final[dict[Any, _Reader]] = {
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
    if type(value) is str or value is None:
        return
    if isinstance(value, float) or (isinstance(value, int) and abs(value) > MAX_INTEGER):
        raise StrictError("a float, or an integer of 2^53 or more")
    if isinstance(value, dict):
        for item in value.values():
            _refuse_unhashable(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            _refuse_unhashable(item)
