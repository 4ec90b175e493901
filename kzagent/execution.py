"""One message from the queue, from its text to the report about it. Nothing that comes in can end the agent."""

from __future__ import annotations

import logging

from kernelzone.orders import UNCHANGED, Effect, Kind, ReportState
from kernelzone.strict import StrictError
from kzagent.actions import ACTIONS
from kzagent.agent import Agent
from kzagent.case import Case
from kzagent.checks import EVERY_KIND, RECEIVING, KnownOrder, Replayed
from kzagent.crashpoints import crashpoint
from kzagent.errors import DriverError, JournalError, NotForUs, OrderRefused, Stopping
from kzagent.intents import has_intent
from kzagent.reports import Said

logger = logging.getLogger(__name__)


def execute(agent: Agent, text: object) -> None:
    """Do what the order in the envelope `text` says, once, and report it; anything else is counted and dropped."""
    if not isinstance(text, str):
        agent.drop("FORMAT", "a message without an envelope")
        return
    case = Case(agent, text)
    try:
        _receive(case)
    except NotForUs as refused:
        agent.drop(refused.code, refused.message)
    except KnownOrder:
        _answer_again(case)
    except Replayed:
        _raise_alarm(case)
    except OrderRefused as refused:
        _end(case, _refused(case, refused))
    except JournalError as error:
        # Without a journal nothing is begun; the order is sent again while it is valid.
        logger.error("an order was left alone: %s", error)
    else:
        crashpoint("agent.after-accepted")
        _run(case)


def _receive(case: Case) -> None:
    for _, check, _ in RECEIVING:
        check(case)


def _run(case: Case) -> None:
    try:
        _end(case, _ended(case))
    except Stopping:
        logger.info("order %s is left for the next start", case.order.order)
        case.agent.journal.forget_accepted(case.order.order)
    except JournalError as error:
        logger.error("order %s has no report: %s", case.order.order, error)


def _ended(case: Case) -> Said:
    """Return how the order ended, whatever happened. Raises: Stopping, JournalError."""
    try:
        for _, check, _ in EVERY_KIND:
            check(case)
        if case.order.rules.effect is Effect.SAFE and not case.agent.journal.begin(case.order.order):
            raise OrderRefused("VETO", "the order was withdrawn before it began")
        return _act(case)
    except OrderRefused as refused:
        return _refused(case, refused)
    except DriverError as error:
        return _failed(case, error.code, error.message)
    except (Stopping, JournalError):
        raise
    except Exception:
        # The loop of the agent: a bug in one order must neither end the agent nor leave the order without an answer.
        logger.exception("order %s ended unexpectedly", case.order.order)
        return _failed(case, "BUG", "the agent failed; its own output says how")


def _act(case: Case) -> Said:
    """Return how the action ended; what changes zones keeps the return guard from them meanwhile."""
    action, zone = ACTIONS[case.order.kind], case.order.zone
    if case.order.rules.effect is Effect.READ_ONLY or case.order.kind is Kind.WITHDRAW:
        return action(case)
    with case.agent.at_work.order(case.order.owner_hostid, zone.name if zone else None):
        return action(case)


def _refused(case: Case, refused: OrderRefused) -> Said:
    return Said(ReportState.REFUSED, refused.code, case.order.owner_hostid, lines=(refused.message,))


def _failed(case: Case, code: str, message: str) -> Said:
    """Return the end of an order that broke: a forced one that reached INTENT is unknown, never failed."""
    state = ReportState.FAILED
    if case.order.rules.effect is Effect.FORCED:
        touched = has_intent(case.agent.journal, case.order.order)
        state = ReportState.UNKNOWN if touched else ReportState.REFUSED
    return Said(state, code, case.order.owner_hostid, lines=(message,))


def _end(case: Case, said: Said) -> None:
    try:
        case.agent.reports.say(said, case.order.order)
    except StrictError as error:
        logger.error("the result of order %s cannot be reported: %s", case.order.order, error)
        case.agent.reports.say(_failed(case, "REPORT", "the result cannot be reported"), case.order.order)
    # that a host was looked at is no news; a sweep would drown the rest
    level = logging.DEBUG if said.code == UNCHANGED else logging.INFO
    logger.log(level, "order %s (%s): %s %s", case.order.order, case.order.kind, said.state, said.code)
    crashpoint("agent.after-result-stored")


def _answer_again(case: Case) -> None:
    report = case.agent.journal.last_report(case.order.order)
    if report is not None:
        case.agent.link.send_again(report)


def _raise_alarm(case: Case) -> None:
    """Report that somebody used an order id for other bytes; the job of the first ones does not change by it."""
    logger.error("REPLAY: order id %s came with other bytes", case.order.order)
    line = "the order id came again with other bytes, and was refused"
    said = Said(ReportState.RUNNING, "REPLAY", case.order.owner_hostid, lines=(line,))
    try:
        case.agent.reports.alarm(said, case.order.order)
    except JournalError as error:
        logger.error("the alarm was not kept: %s", error)
