"""Free text: what is refused, by which code (faults.md, B4)."""

from __future__ import annotations

import pytest

from apps.base.errors import InvalidInput
from apps.base.text import clean_reason, clean_text

GOOD = "The host burnt down; nothing of it is left."


def test_a_reason_is_kept_as_it_was_written_without_white_space_around():
    assert clean_reason(f"  {GOOD}\r\nSeen by me. Ünïcode, 日本 and\ttabs.\n") == (
        f"{GOOD}\nSeen by me. Ünïcode, 日本 and\ttabs."
    )


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "reason_empty"),
        ("   \n", "reason_empty"),
        (None, "reason_empty"),
        (7, "reason_empty"),
        ("x" * 19, "reason_short"),
        (" " * 30 + "short", "reason_short"),
        ("x" * 4097, "reason_long"),
        ("é" * 2049, "reason_long"),
        (GOOD + "\0", "reason_control"),
        (GOOD + "\x1b[2J", "reason_control"),
        (GOOD + "\ud800", "reason_control"),
        *[(GOOD + chr(code), "reason_control") for code in [*range(0x202A, 0x202F), *range(0x2066, 0x206A)]],
    ],
)
def test_a_reason_nobody_can_decide_by_is_refused(text, code):
    with pytest.raises(InvalidInput) as refusal:
        clean_reason(text)
    assert (refusal.value.stable_code, refusal.value.status) == (code, 422)
    assert refusal.value.facts["field"] == "reason"


def test_the_limits_themselves_are_accepted():
    assert clean_reason("x" * 20) == "x" * 20
    assert clean_reason("é" * 2048) == "é" * 2048


def test_other_text_has_its_own_codes_and_may_be_empty_where_that_is_said():
    assert clean_text("  ", noun="comment", empty_allowed=True) == ""
    with pytest.raises(InvalidInput) as refusal:
        clean_text("x" * 5000, noun="comment")
    assert refusal.value.stable_code == "comment_long"
