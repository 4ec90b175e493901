"""JSON in the one form it was meant to have, and dataclasses read from it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernelzone import strict
from kernelzone.strict import StrictError
from kernelzone.words import Digest, HostId, ZoneName


class Colour(StrEnum):
    RED = "red"


@dataclass(frozen=True, slots=True)
class Inner:
    number: int
    flag: bool


@dataclass(frozen=True, slots=True)
class Outer:
    name: ZoneName
    owner_hostid: HostId
    digest: Digest | None
    uuid: UUID
    colour: Colour
    inner: Inner | None
    many: tuple[Inner, ...]
    named: dict[str, int]
    anything: dict[str, Any]


GOOD: dict[str, Any] = {
    "name": "kzone1",
    "owner_hostid": "848611d4",
    "digest": None,
    "uuid": "69ed2e6a-e25a-6d36-e022-ed7261ed8899",
    "colour": "red",
    "inner": {"number": 1, "flag": True},
    "many": [{"number": 2, "flag": False}],
    "named": {"a": 1},
    "anything": {"b": [1, "c"]},
}


def test_what_was_read_is_written_as_it_was() -> None:
    outer = strict.read(Outer, GOOD)

    assert strict.write(outer) == GOOD
    assert outer.many == (Inner(2, False),)


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": "global"},
        {"name": "-z"},
        {"name": "a b"},
        {"name": "x" * 65},
        {"name": "\uff4bzone1"},
        {"owner_hostid": "0x848611D4"},
        {"owner_hostid": "00000000"},
        {"owner_hostid": "848611d"},
        {"digest": "A" * 64},
        {"digest": "a" * 63},
        {"uuid": "{69ed2e6a-e25a-6d36-e022-ed7261ed8899}"},
        {"uuid": "69ED2E6A-E25A-6D36-E022-ED7261ED8899"},
        {"colour": "blue"},
        {"inner": {"number": True, "flag": True}},
        {"inner": {"number": 1, "flag": 1}},
        {"inner": {"number": "1", "flag": True}},
        {"inner": {"number": 1}},
        {"inner": {"number": 1, "flag": True, "more": 1}},
        {"inner": []},
        {"many": {}},
        {"many": [None]},
        {"named": {"a": "1"}},
        {"named": []},
        {"anything": None},
        {"more": 1},
    ],
    ids=str,
)
def test_a_field_of_another_form_is_refused_without_its_value(wrong: dict[str, Any]) -> None:
    with pytest.raises(StrictError) as refused:
        strict.read(Outer, GOOD | wrong)

    assert len(str(refused.value)) < 200


@pytest.mark.parametrize("missing", GOOD)
def test_every_field_must_be_there(missing: str) -> None:
    with pytest.raises(StrictError, match=missing):
        strict.read(Outer, {name: value for name, value in GOOD.items() if name != missing})


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"\xff",
        b"\xef\xbb\xbf{}",
        b"1.0",
        b"1e3",
        b"NaN",
        b"Infinity",
        b"-Infinity",
        b"9007199254740992",
        b"-9007199254740992",
        b"9" * 5000,
        b'{"a":1,"a":1}',
        b'[{"a":{"b":1,"b":2}}]',
        b"[" * 100_000,
        b'{"a":' * 10_000 + b"1" + b"}" * 10_000,
    ],
    ids=range(16),
)
def test_json_that_could_be_read_in_two_ways_is_refused(content: bytes) -> None:
    with pytest.raises(StrictError):
        strict.load(content, max_bytes=10**6)


def test_more_bytes_than_allowed_are_not_even_parsed() -> None:
    assert strict.load(b"[1]", max_bytes=3) == [1]
    with pytest.raises(StrictError):
        strict.load(b"[1]", max_bytes=2)


@pytest.mark.parametrize("value", [1.5, 2**53, -(2**53), {"a": [0.0]}, object(), {"a": {1}}])
def test_what_has_no_single_text_is_not_written(value: object) -> None:
    with pytest.raises(StrictError):
        strict.canonical(value)


TEXT = st.text(st.characters(codec="utf-8"))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)


@given(VALUES)
def test_canonical_text_is_read_back_and_written_the_same(value: Any) -> None:
    text = strict.canonical(value)

    assert strict.load(text, max_bytes=10**6) == value
    assert strict.canonical(strict.load(text, max_bytes=10**6)) == text
