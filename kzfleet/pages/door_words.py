"""How doors, probes and forced actions are named on pages: the act and its object, never the code's own word."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from apps.conflicts.doors import Door, Way
from apps.conflicts.models import Conflict, EvidenceRow
from apps.conflicts.wording import named
from kernelzone.zoneadm import Extended, attach

PROBE_TITLES: Final = {
    EvidenceRow.Probe.HOST_DATA_FROM_HERE.value: "Host data, read from here",
    EvidenceRow.Probe.OWNERS_AGENT.value: "The owner's agent",
    EvidenceRow.Probe.WRITE_SAMPLES.value: "Write samples",
    EvidenceRow.Probe.PERSONS_WORD.value: "A person's word",
}
FORCED_TITLES: Final = {
    "force-takeover": "Forced takeover",
    "initialize-hostdata": "New host data for",
}


def door_title(way: Way, conflict: Conflict) -> str:
    """Return what taking this door does, as a button would say it."""
    here, owner, zone = named(conflict.host), _owner(conflict), conflict.zone.name
    return _TITLES[way.door](zone, owner, here)


def forced_command(kind: str, zone_name: str) -> str:
    """Return the command a forced action stands for, as an administrator would type it."""
    return " ".join(attach(zone_name, Extended(kind)))


def _owner(conflict: Conflict) -> str:
    return conflict.facts.get("owner_hostname") or "its owner"


_TITLES: Final[dict[Door, Callable[[str, str, str], str]]] = {
    Door.WAIT_FOR_OWNER: lambda zone, owner, here: f"Wait for {owner} to come back",
    Door.DETACH_AND_ATTACH: lambda zone, owner, here: f"Detach {zone} on {owner}, attach it on {here}",
    Door.SHUTDOWN_AND_ATTACH: lambda zone, owner, here: f"Shut {zone} down on {owner}, then move it to {here}",
    Door.CORRECT_CONFIGURATION: lambda zone, owner, here: f"Correct the configuration of {zone} on {here}",
    Door.RESTORE_KEY: lambda zone, owner, here: f"Restore the key of {zone} from escrow",
    Door.REPAIR_RECORD: lambda zone, owner, here: f"Repair our own torn record of {zone}",
    Door.FORCE_TAKEOVER: lambda zone, owner, here: f"Force {here} to take {zone} over",
    Door.INITIALIZE_HOSTDATA: lambda zone, owner, here: f"Write new host data for {zone} on {here}",
}
