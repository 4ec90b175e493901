"""Orders whose verb outlived the agent: it is waited for, its end is reported, and it is never begun again.

Such an order stays in the journal as acting. When it comes again meanwhile, nothing is done: its report follows.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from kernelzone.facts import Outcome
from kzagent.agent import Agent
from kzagent.drivers import END_UNSEEN, NOTHING_BEGUN
from kzagent.errors import DriverError
from kzagent.journal import Acting
from kzagent.verb_report import verb_ended

logger = logging.getLogger(__name__)

_LINE: Final = "the agent was interrupted, and waited for the end of what it had begun"


def cut_off(agent: Agent) -> list[Acting]:
    """Return the orders whose verb was begun on their host, and whose end nobody saw."""
    return list(_cut_off(agent))


def _cut_off(agent: Agent) -> Iterator[Acting]:
    for acting in agent.journal.acting():
        driver = agent.drivers.get(acting.owner_hostid)
        # an evacuation may come again: it takes the zones that are still there
        if driver is not None and acting.zone is not None and driver.begun(acting.zone) == acting.kind:
            yield acting


def settle(agent: Agent, acting: Acting) -> bool:
    """Return whether the order's verb has ended, which is then reported. Raises: JournalError."""
    assert acting.zone is not None
    try:
        outcome = agent.drivers[acting.owner_hostid].settle_begun(acting.zone)
    except DriverError as error:
        if error.code != NOTHING_BEGUN:
            level = logging.DEBUG if acting.order in agent.unsettled else logging.WARNING
            logger.log(level, "order %s stays open: %s", acting.order, error)
            return False
        outcome = Outcome(str(acting.kind), False, None, END_UNSEEN, ())  # another order has come in between
    said = verb_ended(agent, acting.owner_hostid, acting.zone, replace(outcome, lines=(*outcome.lines, _LINE)))
    agent.reports.say(said, acting.order)
    logger.warning("order %s was interrupted: %s %s", acting.order, said.state, said.code)
    return True
