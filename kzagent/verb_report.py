"""What is reported about a verb that has ended: its outcome, the zone as it was found afterwards, and readings."""

from __future__ import annotations

from kernelzone import zoneadm
from kernelzone.facts import InUse, Outcome
from kernelzone.orders import ReportState, VerbResult
from kernelzone.words import HostId, ZoneName
from kzagent.agent import Agent
from kzagent.drivers import END_UNSEEN, STILL_RUNNING
from kzagent.evidence import found_afterwards, high_water_of
from kzagent.reports import Said


def verb_ended(agent: Agent, owner_hostid: HostId, zone: ZoneName, outcome: Outcome) -> Said:
    """Return the report of a verb, with the zone as it was found afterwards, if it was. Raises: JournalError."""
    placement, readings = found_afterwards(agent, agent.drivers[owner_hostid], zone)
    return Said(
        state_of(outcome),
        outcome.code,
        owner_hostid,
        lines=outcome.lines,
        result=VerbResult(outcome, placement, readings, _in_use(outcome)),
        high_water=high_water_of(agent, readings),
    )


def state_of(outcome: Outcome) -> ReportState:
    """Return how the order ended: a verb whose end nobody saw has not failed, it may still be at work."""
    if outcome.code in (STILL_RUNNING, END_UNSEEN):
        return ReportState.UNKNOWN
    return ReportState.DONE if outcome.is_done else ReportState.FAILED


def _in_use(outcome: Outcome) -> InUse | None:
    """Return the six fields of an in-use message among the lines, None when there is none."""
    found = zoneadm.parse_in_use("\n".join(outcome.lines))
    return found.facts() if found else None
