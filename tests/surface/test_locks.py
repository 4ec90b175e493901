"""Locks: a row that others name by foreign key is locked so that those others can still be inserted."""

from __future__ import annotations

import ast
from pathlib import Path

APPS = Path(__file__).resolve().parents[2] / "apps"
# rows nothing is inserted beside while they are locked: docs/mechanisms/locking.md
WHOLE = {"forced_actions", "jobs"}


def locks() -> list[tuple[str, bool]]:
    """Return (place, whether it lets rows that name it be inserted) for every row lock in the apps."""
    return [
        (f"{path.relative_to(APPS)}:{node.lineno}", any(word.arg == "no_key" for word in node.keywords))
        for path in sorted(APPS.rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "select_for_update"
    ]


def test_a_lock_does_not_keep_rows_that_name_the_row_from_being_inserted() -> None:
    """Whoever inserts them may hold the history's head already, which the holder of the lock waits for."""
    found = locks()
    assert len(found) > 20
    whole = [place for place, is_open in found if not is_open and place.split("/")[0] not in WHOLE]
    # a word and a row of a sheet are named by nothing
    assert [place.rpartition(":")[0] for place in whole] == ["conflicts/evidence/gathering.py", "conflicts/services.py"]
