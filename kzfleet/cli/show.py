"""Turning what the site answers into lines for a terminal: readable ages, short ids, nothing cut without a sign."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

console = Console(highlight=False)
errors = Console(stderr=True, highlight=False)

_STEPS: Final = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))
# control characters from a host must not reach the terminal
_PLAIN: Final = {code: "?" for code in (*range(32), 127, *range(128, 160)) if code not in (9, 10)}


def age(moment: str | None, now: datetime | None = None) -> str:
    """Return how long ago `moment` (ISO 8601) was: "41 min ago"; "never" for None."""
    if not moment:
        return "never"
    seconds = int(((now or datetime.now(UTC)) - datetime.fromisoformat(moment)).total_seconds())
    if seconds < 1:
        return "now"
    size, unit = next(step for step in _STEPS if seconds >= step[0])
    return f"{seconds // size} {unit} ago"


def plain(value: Any) -> str:
    """Return `value` as text without control characters; "-" for nothing."""
    return "-" if value in (None, "") else str(value).translate(_PLAIN)


def table(headings: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Print rows under headings; with nothing to show, say so."""
    found = Table(box=None, pad_edge=False, header_style="bold")
    for heading in headings:
        found.add_column(heading, overflow="fold")
    for row in rows:
        found.add_row(*(Text(plain(cell)) for cell in row))
    console.print(found if found.row_count else "nothing")


def line(text: str, style: str = "") -> None:
    """Print one line as it is: what a host or person wrote is never markup."""
    console.print(Text(plain(text), style=style))
