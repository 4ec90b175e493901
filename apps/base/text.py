"""Free text that people write: what is accepted, and what is refused with which code."""

from __future__ import annotations

import re
from typing import Final

from apps.base.errors import InvalidInput

REASON_MIN_CHARACTERS: Final = 20
TEXT_MAX_BYTES: Final = 4096

# Bidi controls can make a reason read as another one; the rest has no place in text for people.
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]")
_SURROGATE = re.compile("[\ud800-\udfff]")


def clean_reason(text: object) -> str:
    """Return `text` without white space around it: 20 characters to 4096 bytes of UTF-8, no controls.

    Raises: InvalidInput reason_empty, reason_short, reason_long, reason_control.
    Source: faults.md, B4.
    """
    reason = clean_text(text, noun="reason", field="reason")
    if len(reason) < REASON_MIN_CHARACTERS:
        raise InvalidInput(
            code="REASON_SHORT",
            field="reason",
            message=f"the reason has {len(reason)} characters; at least {REASON_MIN_CHARACTERS} are needed",
            hint="Say what happened and why nothing safer is left: others decide by it.",
        )
    return reason


def clean_text(text: object, *, noun: str = "text", field: str = "", empty_allowed: bool = False) -> str:
    """Return `text` without white space around it: at most 4096 bytes of UTF-8, no controls.

    noun: the first half of the code (`comment` gives comment_long).
    Raises: InvalidInput <noun>_empty, <noun>_long, <noun>_control.
    """
    if not isinstance(text, str):
        raise _refused(noun, "empty", field, f"the {noun} is not text", f"Write a {noun}.")
    _refuse_controls(text, noun, field)
    text = text.replace("\r\n", "\n").strip()
    if not text and not empty_allowed:
        raise _refused(noun, "empty", field, f"the {noun} is empty", f"Write a {noun}.")
    size_bytes = len(text.encode())
    if size_bytes > TEXT_MAX_BYTES:
        message = f"the {noun} has {size_bytes} bytes; at most {TEXT_MAX_BYTES} are kept"
        raise _refused(noun, "long", field, message, "Shorten it.")
    return text


def _refuse_controls(text: str, noun: str, field: str) -> None:
    if _CONTROL.search(text) or _SURROGATE.search(text):
        message = f"the {noun} contains a control character or half a character"
        hint = "Type the text by hand: an invisible character came along."
        raise _refused(noun, "control", field, message, hint)


def _refused(noun: str, rule: str, field: str, message: str, hint: str) -> InvalidInput:
    return InvalidInput(code=f"{noun}_{rule}", field=field or noun, message=message, hint=hint)
