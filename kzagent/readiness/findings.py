"""One line of `kzagent check`."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """UNKNOWN: it could not be asked, which proves nothing either way."""

    OK = "ok"
    MISSING = "missing"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Finding:
    """`what` was looked at and `found`; `to_do`: a sentence, "" when nothing is to be done.

    `is_needed`: the agent cannot do its work without it.
    """

    what: str
    verdict: Verdict
    found: str
    to_do: str = ""
    is_needed: bool = True

    @property
    def is_in_the_way(self) -> bool:
        """Whether the agent cannot work because of it."""
        return self.is_needed and self.verdict is Verdict.MISSING

    def line(self) -> str:
        """Return the finding as people read it."""
        rest = f"; {self.to_do}" if self.to_do else ""
        return f"{self.verdict:<8} {self.what:<20} {self.found}{rest}"


def ok(what: str, found: str) -> Finding:
    """Return that `what` is as it should be."""
    return Finding(what, Verdict.OK, found)


def missing(what: str, found: str, to_do: str, *, is_needed: bool = True) -> Finding:
    """Return that `what` is not as it should be, and what to do about it."""
    return Finding(what, Verdict.MISSING, found, to_do, is_needed)


def unknown(what: str, found: str, to_do: str = "") -> Finding:
    """Return that `what` could not be looked at."""
    return Finding(what, Verdict.UNKNOWN, found, to_do)
