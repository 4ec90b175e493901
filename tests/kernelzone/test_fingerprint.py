"""Six words for two keys: the list keeps its promises, and a change of either key changes the words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernelzone.fingerprint import fingerprint, is_fingerprint
from kernelzone.fingerprint_words import WORDS

KEYS = st.binary(min_size=32, max_size=32)


def test_there_are_2048_words_told_apart_by_four_letters() -> None:
    assert len(WORDS) == len({word[:4] for word in WORDS}) == 2048
    assert list(WORDS) == sorted(WORDS)
    assert all(word.isascii() and word.isalpha() and word.islower() and 4 <= len(word) <= 7 for word in WORDS)


def test_the_words_of_two_keys_are_these_for_ever() -> None:
    """An agent of one version is confirmed by a site of another."""
    assert fingerprint(bytes(32), bytes(32)) == ("ashen", "deepen", "lavish", "roster", "spree", "carat")


@given(KEYS, KEYS, st.integers(0, 511))
def test_one_other_bit_gives_other_words(identity: bytes, sealing: bytes, bit: int) -> None:
    both = bytearray(identity + sealing)
    both[bit // 8] ^= 1 << (bit % 8)
    assert fingerprint(bytes(both[:32]), bytes(both[32:])) != fingerprint(identity, sealing)


def test_the_keys_are_not_exchangeable() -> None:
    assert fingerprint(b"a" * 32, b"b" * 32) != fingerprint(b"b" * 32, b"a" * 32)


@given(KEYS, KEYS)
def test_words_may_be_typed_in_any_case_shortened_and_with_any_signs_between(identity: bytes, sealing: bytes) -> None:
    words = fingerprint(identity, sealing)
    assert is_fingerprint(" ".join(words), words)
    assert is_fingerprint("  " + " - ".join(words).upper() + ".\n", words)
    assert is_fingerprint(",".join(word[:4] for word in words), words)


@pytest.mark.parametrize("change", ["abc def", "five", "more", "order", "three letters", "longer", ""])
def test_other_words_are_other_words(change: str) -> None:
    words = ("acorn", "bagel", "cabin", "daily", "eagle", "fable")
    typed = {
        "five": " ".join(words[:5]),
        "more": " ".join((*words, "gala")),
        "order": " ".join(reversed(words)),
        "three letters": " ".join(word[:3] for word in words),
        "longer": " ".join(f"{word}s" for word in words),
    }.get(change, change)
    assert not is_fingerprint(typed, words)
