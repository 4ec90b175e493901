"""What an agent does at its start with what a crash left: agent.md, "After a crash", row by row.

no INTENT                     forgotten: the order may come again while it is valid
no INTENT, verb begun         its end is waited for and reported, and the verb never begun again (`cut_off`)
INTENT, host data unchanged   not-applied; the order stays burned
INTENT, slot A mine or torn   slot A is restored byte for byte, not-applied
slot A mine, slot B torn      finished while the order is valid, else unknown
both slots mine               done, attach pending: a person starts the attach
another's record, SPLIT       nothing is touched: lost or unknown
attach begun                  waited for while it is at work; unknown, with a reading that settles it
report stored, not sent       the outbox sends it
"""

from __future__ import annotations

import logging
from collections import defaultdict
from typing import Final
from uuid import UUID

from kernelzone.facts import Outcome
from kernelzone.hostdata import Outcome as ClaimEnd
from kernelzone.orders import ReportState, VerbResult
from kzagent.agent import Agent, placement_of
from kzagent.cut_off import cut_off, settle
from kzagent.drivers import ZoneDriver
from kzagent.errors import DriverError
from kzagent.evidence import found_afterwards, high_water_of
from kzagent.intents import Deadline, OpenIntent, OrderClaim, open_intents
from kzagent.reports import Said

logger = logging.getLogger(__name__)

ATTACH_PENDING: Final = "ATTACH_PENDING"
_UNTOUCHED: Final = frozenset({"CHANGED", "EXPIRED", "NOT_APPLIED"})


def recover(agent: Agent) -> None:
    """Settle every order a crash interrupted, and report it; what cannot be settled now is in `agent.unsettled`.

    Raises: JournalError.
    """
    left = cut_off(agent)
    forgotten = agent.journal.forget_unfinished(keep=[acting.order for acting in left])
    if forgotten:
        logger.info("%d orders that a stop interrupted may come again", forgotten)
    for acting in left:
        if not settle(agent, acting):
            agent.unsettled.add(acting.order)
    for order, intents in _open_by_order(agent).items():
        if not _recover_order(agent, intents):
            agent.unsettled.add(order)


def recover_unsettled(agent: Agent) -> None:
    """Settle the orders whose hosts could not be asked at the start, as far as they can be now. Raises: JournalError.

    Never those of this run: their claims are still being made.
    """
    if not agent.unsettled:
        return
    for acting in agent.journal.acting():
        if acting.order in agent.unsettled and settle(agent, acting):
            agent.unsettled.discard(acting.order)
    for order, intents in _open_by_order(agent).items():
        if order in agent.unsettled and _recover_order(agent, intents):
            agent.unsettled.discard(order)


def _open_by_order(agent: Agent) -> dict[UUID, list[OpenIntent]]:
    by_order: dict[UUID, list[OpenIntent]] = defaultdict(list)
    for intent in open_intents(agent.journal):
        by_order[intent.order].append(intent)
    return by_order


def _recover_order(agent: Agent, intents: list[OpenIntent]) -> bool:
    """Return whether the order was settled, and reported."""
    first = intents[0]
    driver = agent.drivers.get(first.owner_hostid)
    # said once, at the start: it is tried again with every look at the hosts
    level = logging.DEBUG if first.order in agent.unsettled else logging.ERROR
    if driver is None or not driver.is_reachable():
        logger.log(level, "order %s stays open: host %s is out of reach", first.order, first.owner_hostid)
        return False
    try:
        said = _settled(agent, driver, intents)
    except DriverError as error:
        logger.log(level, "order %s stays open: %s", first.order, error)
        return False
    agent.reports.say(said, first.order)
    logger.warning("order %s was interrupted: %s %s", first.order, said.state, said.code)
    return True


def _settled(agent: Agent, driver: ZoneDriver, intents: list[OpenIntent]) -> Said:
    """Return what is to be reported about one order. Raises: DriverError when boot storage cannot be asked."""
    first = intents[0]
    if any(intent.state == "attaching" for intent in intents):
        return _said(agent, driver, first, ReportState.UNKNOWN, "ATTACH_UNCLEAR")
    ends = [_settle(agent, driver, intent) for intent in intents]
    state, code = _verdict(ends, is_whole=_is_whole(driver, intents))
    return _said(agent, driver, first, state, code)


def _settle(agent: Agent, driver: ZoneDriver, intent: OpenIntent) -> ClaimEnd:
    """Return how one claim ended, as the journal says or as boot storage does."""
    if intent.state == "committed":
        return ClaimEnd.CLAIMED
    if intent.state == "closed":
        return ClaimEnd(intent.outcome)
    place = (intent.owner_hostid, intent.zone, intent.device)
    journal = OrderClaim(agent.journal, intent.order, place, intent.deadline)
    valid = _is_valid(agent, intent.deadline)
    return driver.recover(intent.zone, intent.device, intent.images, journal, valid)


def _verdict(ends: list[ClaimEnd], *, is_whole: bool) -> tuple[ReportState, str]:
    """Return state and code of an order from how its claims ended; a mixture is for a person."""
    if all(end is ClaimEnd.CLAIMED for end in ends):
        return (ReportState.DONE, ATTACH_PENDING) if is_whole else (ReportState.UNKNOWN, "INCOMPLETE")
    if all(end in _UNTOUCHED for end in ends):
        return ReportState.NOT_APPLIED, str(ends[0])
    if all(end is ClaimEnd.LOST for end in ends):
        return ReportState.LOST, "LOST"
    return ReportState.UNKNOWN, "UNKNOWN"


def _is_whole(driver: ZoneDriver, intents: list[OpenIntent]) -> bool:
    """Return whether every boot storage of the zone has an intent: one that has none was not claimed."""
    placement = placement_of(driver, intents[0].zone)
    devices = {device.uri for device in placement.boot_storage} if placement else set()
    return devices == {intent.device for intent in intents}


def _is_valid(agent: Agent, deadline: Deadline) -> bool:
    """Return whether the order may still write: by the monotonic clock of the same start, else not at all."""
    clock = agent.clock
    is_same_start = deadline.boot_id == clock.boot_id
    return is_same_start and clock.monotonic_ms() < deadline.monotonic_ms and clock.now() <= deadline.not_after


def _said(agent: Agent, driver: ZoneDriver, intent: OpenIntent, state: ReportState, code: str) -> Said:
    placement, readings = found_afterwards(agent, driver, intent.zone)
    outcome = Outcome("recovery", state is ReportState.DONE, None, code, ())
    return Said(
        state,
        code,
        intent.owner_hostid,
        lines=(f"the agent was interrupted; found after its restart: {code}",),
        result=VerbResult(outcome, placement, readings, None),
        high_water=high_water_of(agent, readings),
    )
