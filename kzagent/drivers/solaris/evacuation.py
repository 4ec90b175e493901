"""How `sysadm evacuate` ended: as a whole by exit code and words, and zone by zone as `sysadm evacuate -l` lists it.

Source: sysadm(8) of Solaris 11.4 and its printed examples. What it prints for a zone that did not go is published
nowhere: such lines are kept, and only the list decides.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from kernelzone import zoneadm
from kernelzone.facts import Outcome, PlacementFacts
from kernelzone.orders import EvacuateArgs, EvacuateResult, ZoneMoved
from kernelzone.states import ZoneState
from kernelzone.words import WordError, shown, zone_name
from kernelzone.zoneadm import OutcomeKind
from kzagent.drivers import STILL_RUNNING
from kzagent.drivers.solaris.port import Finished

EVACUATE: Final = "evacuate"
_FATES: Final = frozenset({"EVACUATED", "RETURNED", "SKIPPED", "FAILED"})
_ROW: Final = re.compile(r"(\S+)\s+(\S+)(?:\s+(\S+)(?:\s+(\S.*))?)?\s*\Z")
_GONE: Final = frozenset({"evacuated", "returned"})


def moved_of(said: Finished) -> list[ZoneMoved]:
    """Return the rows of `sysadm evacuate -l`; one in no known form is left out."""
    found = (_moved(line) for line in said.stdout.splitlines() if said.exit_code == 0)
    return [one for one in found if one is not None]


def _moved(line: str) -> ZoneMoved | None:
    row = _ROW.match(line.strip())
    if row is None or row[2] not in _FATES:
        return None
    try:
        zone = zone_name(row[1])
    except WordError:
        return None
    return ZoneMoved(
        zone, row[2].lower(), "" if row[3] in (None, "-") else shown(row[3], 255), shown(row[4] or "", 255)
    )


def candidates(placements: Sequence[PlacementFacts], wanted: EvacuateArgs) -> list[ZoneMoved]:
    """Return the zones that would go, as a dry run that succeeded leaves them unnamed."""
    states = {str(ZoneState.RUNNING), *([str(ZoneState.INSTALLED)] if wanted.every_zone else [])}
    return [
        ZoneMoved(one.zone, "evacuated", one.evacuation_target or "", "") for one in placements if one.state in states
    ]


def fates(listed: Sequence[ZoneMoved], before: Sequence[PlacementFacts], wanted: EvacuateArgs) -> list[ZoneMoved]:
    """Return what became of the zones that were to go: the list has those of earlier evacuations too.

    One that was to come back and is listed as evacuated is still away.
    """
    if wanted.is_return:
        return [replace(one, fate="failed") if one.fate == "evacuated" else one for one in listed]
    known = {one.zone: one for one in listed}
    missing = "sysadm lists nothing about it"
    return [known.get(one.zone) or replace(one, fate="failed", error=missing) for one in candidates(before, wanted)]


def result_of(finished: Finished, zones: Sequence[ZoneMoved]) -> EvacuateResult:
    """Return how it ended. DONE takes exit code 0, known words, and that every zone went; silence about one is no."""
    found = zoneadm.classify(finished.output, finished.exit_code)
    lines = tuple(line for line in found.text.splitlines() if line.strip())
    code = _code(finished, found.kind, zones)
    return EvacuateResult(Outcome(EVACUATE, code == "DONE", finished.exit_code, code, lines), tuple(zones))


def _code(finished: Finished, kind: OutcomeKind, zones: Sequence[ZoneMoved]) -> str:
    if finished.exit_code is None:
        return STILL_RUNNING
    gone = sum(one.fate in _GONE for one in zones)
    if kind is OutcomeKind.DONE:
        return "DONE" if gone == len(zones) else "PARTIAL" if gone else "FAILED"
    if finished.exit_code == 0:
        return "UNPARSED"
    return "PARTIAL" if gone else "FAILED"
