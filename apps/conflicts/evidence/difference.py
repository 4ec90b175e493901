"""What has changed between two frozen sheets, in words."""

from __future__ import annotations

import json
from typing import Any, Final, NamedTuple

from apps.conflicts.models import EvidenceSheet

_LABELS: Final = {
    "host-data-from-here": "host data read from",
    "owners-agent": "the agent of",
    "write-samples": "write samples from",
    "persons-word": "the word of",
}
NOTHING: Final = "not there"


class Change(NamedTuple):
    """One fact that was approved, and what it is now."""

    what: str
    before: str
    after: str


def differences(before: EvidenceSheet, after: EvidenceSheet) -> list[Change]:
    """Return every fact that differs between two complete sheets, in the order of the probes."""
    return differences_from(_read(before), _read(after))


def differences_from(before: dict[str, Any], after: dict[str, Any]) -> list[Change]:
    """Return every fact that differs between the facts of two sheets."""
    old, new = _flat(before), _flat(after)
    changed = [key for key in dict.fromkeys([*old, *new]) if old.get(key) != new.get(key)]
    return [Change(key, old.get(key, NOTHING), new.get(key, NOTHING)) for key in changed]


def _read(sheet: EvidenceSheet) -> dict[str, Any]:
    facts: dict[str, Any] = json.loads(bytes(sheet.facts or b"{}"))
    return facts


def _flat(facts: dict[str, Any]) -> dict[str, str]:
    found = {"target": str(facts.get("target", ""))}
    for row in facts.get("rows", ()):
        name = f"{_LABELS[row['probe']]} {row['source']}"
        found[f"{name}: word"] = row["word"]
        _put(found, f"{name}: ", row["value"])
    return found


def _put(found: dict[str, str], prefix: str, value: dict[str, Any]) -> None:
    for key, item in value.items():
        if key == "regions":
            for region in item:
                _put(found, f"{prefix}{region['device']} ", {k: v for k, v in region.items() if k != "device"})
        else:
            found[prefix + key.replace("_", " ")] = _text(item)


def _text(item: Any) -> str:
    if isinstance(item, bool):
        return "yes" if item else "no"
    if isinstance(item, list):
        return ", ".join(map(str, item)) or "none"
    return str(item) or "none"
