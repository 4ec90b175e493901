"""What is known of a zone, said in one sentence: from whom, and never more certain than it is."""

from __future__ import annotations

from typing import Final

from apps.zones.models import Zone
from kernelzone.ownership import Verdict

_SENTENCES: Final = {
    Verdict.FREE: "{name} is free: its host data names no owner.",
    Verdict.OURS: "{name} is owned by {owner}, where it is configured.",
    Verdict.HELD_ELSEWHERE: "{name} is held by {owner}, which has not told us that it configures it.",
    Verdict.UNREADABLE: "The host data of {name} cannot be read. Who uses it is unknown.",
    Verdict.CONTRADICTORY: "The readings of {name} contradict each other. Nothing may be done without a person.",
    Verdict.HIDDEN: "Who uses {name} only its hosts can tell: Solaris asks host data itself, and shows it to nobody.",
    Verdict.UNKNOWN: "Who uses {name} is unknown.",
}


def verdict_sentence(zone: Zone, owner_name: str) -> str:
    """Return the verdict in words; owner_name: the owner's hostname, or its hostid when no name is known."""
    return _SENTENCES[Verdict(zone.verdict)].format(name=zone.name, owner=owner_name or "a host nobody knows")
