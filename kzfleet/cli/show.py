"""Turning what the site answers into lines for a terminal: readable ages, short ids, nothing cut without a sign."""

from __future__ import annotations

import json
import os
import sys
import unicodedata
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from kzfleet.cli.client import CliError

SHORT_ID: Final = 8
# Wide enough that a line for another program is one line.
WIDTH_ELSEWHERE: Final = 4000
_STEPS: Final = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))
# Control and invisible characters, half characters, line ends of other alphabets: none may reach the terminal.
_UNSEEN: Final = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})


def screen(*, errors: bool = False) -> Console:
    """Return the console that writes to standard output, or to standard error."""
    stream = sys.stderr if errors else sys.stdout
    colours = None if "NO_COLOR" in os.environ or not stream.isatty() else "auto"
    width = None if stream.isatty() else WIDTH_ELSEWHERE
    return Console(file=stream, highlight=False, color_system=colours, width=width)  # type: ignore[arg-type]


def age(moment: str | None, now: datetime | None = None) -> str:
    """Return how long ago `moment` (ISO 8601) was: "41 min ago"; "never" for None, "in 3 h" for later."""
    if not moment:
        return "never"
    seconds = int(((now or datetime.now(UTC)) - datetime.fromisoformat(moment)).total_seconds())
    if seconds == 0:
        return "now"
    size, unit = next(step for step in _STEPS if abs(seconds) >= step[0])
    amount = f"{abs(seconds) // size} {unit}"
    return f"{amount} ago" if seconds > 0 else f"in {amount}"


def clock(moment: str) -> str:
    """Return a time as `2026-11-23 06:12:09 UTC`."""
    return f"{datetime.fromisoformat(moment).astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def short(found_id: str) -> str:
    """Return the end of an id: the part that differs between ids made in one minute."""
    return found_id[-SHORT_ID:]


def host(found: dict[str, Any] | None) -> str:
    """Return a host as `global1 (83a0cc71)`; by its owner hostid alone when its name is not known."""
    if not found:
        return "-"
    owner_hostid: str = found["owner_hostid"]
    return f"{found['hostname']} ({owner_hostid})" if found["hostname"] else owner_hostid


def plain(value: Any) -> str:
    """Return `value` as one line without characters that act on a terminal; "-" for nothing."""
    if value is None or value == "":
        return "-"
    return "".join("?" if unicodedata.category(letter) in _UNSEEN else letter for letter in str(value))


def table(headings: Sequence[str], rows: Iterable[Sequence[Any]], *, empty: str = "nothing") -> None:
    """Print rows under headings; with nothing to show, say so."""
    found = Table(box=None, pad_edge=False, header_style="bold")
    for heading in headings:
        found.add_column(heading, overflow="fold")
    for row in rows:
        found.add_row(*(Text(plain(cell)) for cell in row))
    screen().print(found if found.row_count else empty)


def line(text: str, style: str = "", console: Console | None = None) -> None:
    """Print one line as it is: what a host or a person wrote is never markup."""
    (console or screen()).print(Text(plain(text) if text else "", style=style), soft_wrap=True)


def block(text: str, indent: str = "  ") -> None:
    """Print text of several lines, each as it is."""
    for part in text.split("\n"):
        line(f"{indent}{plain(part) if part else ''}".rstrip())


def title(text: str) -> None:
    """Print the head of a part, after an empty line."""
    line("")
    line(text, style="bold")


def as_json(value: Any) -> None:
    """Print `value` for a program: ASCII, so that nothing in it acts on a terminal."""
    sys.stdout.write(json.dumps(value, indent=2) + "\n")


def json_line(value: Any) -> None:
    """Print `value` for a program, on one line, at once."""
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


def refusal(error: CliError) -> None:
    """Say on standard error what went wrong, what to do next, and the site's code."""
    console = screen(errors=True)
    code = f" ({error.code})" if error.code else ""
    hint = f" {error.hint}" if error.hint else ""
    line(f"kzfleet: {error.message}.{hint}{code}", console=console)
    for text in reasons(error.facts):
        line(f"  {text}", console=console)


def reasons(facts: dict[str, Any]) -> list[str]:
    """Return what the site decided on, as lines: a sentence, the fields that are wrong, what has changed."""
    found = [str(facts[key]) for key in ("reason", "why") if facts.get(key)]
    found += [f"{name}: {' '.join(map(str, what))}" for name, what in dict(facts.get("fields") or {}).items()]
    return found + [changed(change) for change in facts.get("difference") or ()]


def changed(change: dict[str, str]) -> str:
    """Return one fact that differs, as a line."""
    return f"{change['what']}: was {change['before']}, is {change['after']}"
