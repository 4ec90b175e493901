"""Evidence sheets, for reading: who was asked, what the answer proves, and how old it is."""

from __future__ import annotations

from typing import Any, Final

from kzfleet.cli import show

_PROBES: Final = {
    "host-data-from-here": "host data read by",
    "owners-agent": "the owner's agent,",
    "write-samples": "write samples taken by",
    "persons-word": "the word of",
}


def tell(sheet: dict[str, Any]) -> None:
    """Print one sheet: its rows in the order of the probes, and its digest."""
    whole = sheet["completed_at"]
    state = f"complete since {show.clock(whole)}, {show.age(whole)}" if whole else "still being gathered"
    show.line(f"gathered by {sheet['target']}, begun {show.clock(sheet['begun_at'])}; {state}")
    for row in sheet["rows"]:
        show.line(f"  {word(row):13} {_probe(row)}")
        show.block(row["sentence"] or "No answer yet.", indent=" " * 16)
    if sheet["facts_sha256"]:
        show.line(f"digest {sheet['facts_sha256']}")


def word(row: dict[str, Any]) -> str:
    """Return one of the five words, as people write it; `asked` while there is no answer."""
    return row["word"].replace("-", " ") if row["word"] else "asked"


def _probe(row: dict[str, Any]) -> str:
    asked = f"asked {show.age(row['asked_at'])}" if row["asked_at"] else ""
    known = f"known {show.age(row['at'])}" if row["at"] else ""
    when = ", ".join(part for part in (asked, known) if part)
    probe = _PROBES.get(row["probe"], row["probe"])
    return f"{probe} {row['source']}" + (f" ({when})" if when else "")
