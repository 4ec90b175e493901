"""What the parsers raise."""

from __future__ import annotations

from typing import Final

MOST_CHARACTERS: Final = 1 << 20
"""Longest output that is parsed. A list of 2 000 zones is a fifth of it."""


class UnparsedOutput(ValueError):
    """The output is not in a form we know. What it was about is unknown. `code` is UNPARSED."""

    code: Final = "UNPARSED"

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


def lines_of(text: str) -> list[str]:
    """Return the lines of `text` that are not blank.

    Raises: UnparsedOutput when there are none or the text is longer than MOST_CHARACTERS.
    """
    if len(text) > MOST_CHARACTERS:
        raise UnparsedOutput("the output is too long")
    lines = [line for line in text.split("\n") if line.strip()]
    if not lines:
        raise UnparsedOutput("the output is empty")
    return lines
