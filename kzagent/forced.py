"""Forced actions: what happens once every check has passed. The claim, then the attach; one action as in Solaris.

Nothing here is tried twice. What cannot be told for certain is UNKNOWN, and a reading or a person settles it.
"""

from __future__ import annotations

from typing import Final

from kernelzone.facts import Outcome
from kernelzone.hostdata import ClaimJournal, ClaimOutcome
from kernelzone.hostdata import Outcome as ClaimEnd
from kernelzone.orders import ReportState, VerbResult
from kzagent import remembered
from kzagent.case import Case
from kzagent.checks import FORCED_KINDS, NotForced
from kzagent.crashpoints import crashpoint
from kzagent.drivers import ForcedClaim
from kzagent.errors import DriverError, JournalError, OrderRefused
from kzagent.evidence import found_afterwards, high_water_of
from kzagent.intents import OrderClaim, begin_attach, has_intent
from kzagent.reports import Said

STEPS: Final = 5
ENDS: Final[dict[ClaimEnd, ReportState]] = {
    ClaimEnd.CHANGED: ReportState.NOT_APPLIED,
    ClaimEnd.EXPIRED: ReportState.NOT_APPLIED,
    ClaimEnd.NOT_APPLIED: ReportState.NOT_APPLIED,
    ClaimEnd.LOST: ReportState.LOST,
    ClaimEnd.LOST_WRITE: ReportState.UNKNOWN,
    ClaimEnd.UNKNOWN: ReportState.UNKNOWN,
}


def run_forced(case: Case) -> Said:
    """Return how the forced action of `case` ended, after checks 9 to 16 and the claim.

    Raises: OrderRefused before INTENT, with nothing shared touched; JournalError when it was the journal that refused.
    """
    try:
        _check(case)
    except NotForced as found:
        return _said(case, ReportState.DONE, "NOT_FORCED", found.outcome)
    case.say_progress(1, STEPS, "claiming host data", "every check has passed; claiming host data ...")
    try:
        ended = case.driver.claim(case.zone, _claim_of(case))
    except (DriverError, JournalError) as error:
        if not has_intent(case.agent.journal, case.order.order):
            raise OrderRefused(error.code, "refused before INTENT; nothing was touched") from error
        return _said(case, ReportState.UNKNOWN, error.code, None)
    if ended.outcome is not ClaimEnd.CLAIMED:
        return _said(case, ENDS[ended.outcome], str(ended.code), _outcome(case, ended))
    case.agent.afterwards.won(case.driver, case.zone, case.order.order)
    crashpoint("agent.before-attach")
    return _attached(case)


def _check(case: Case) -> None:
    for number, check, what in FORCED_KINDS:
        if what:
            case.say_progress(number - FORCED_KINDS[0].number, len(FORCED_KINDS), what, f"{what} ...")
        check(case)


def _claim_of(case: Case) -> ForcedClaim:
    order, journal = case.order, case.agent.journal

    def journal_of(device: str) -> ClaimJournal:
        return OrderClaim(journal, order.order, (order.owner_hostid, case.zone, device), case.deadline)

    zone_uuid = case.readings[0].zone_uuid or (order.zone.uuid if order.zone else None)
    return ForcedClaim(
        kind=order.kind,
        agent=order.agent,
        readings=case.readings,
        high_water=max(case.warrant.high_water, remembered.high_water(journal, zone_uuid)),
        warrant_sha256=case.payload_sha256,
        journal=journal_of,
        still_valid=case.still_valid,
        say=lambda *lines: case.say_progress(2, STEPS, "claiming host data", *lines) if lines else None,
    )


def _attached(case: Case) -> Said:
    """Finish the attach whose claim was won. From here on a failure is never "not applied"."""
    case.say_progress(3, STEPS, "host data names this host, attaching", "host data was claimed; attaching ...")
    begin_attach(case.agent.journal, case.order.order)
    crashpoint("agent.during-attach")
    try:
        outcome = case.driver.finish_attach(case.zone)
    except DriverError as error:
        return _said(case, ReportState.UNKNOWN, error.code, None)
    crashpoint("agent.after-attach")
    case.say_progress(4, STEPS, "reading host data again", *outcome.lines)
    if not outcome.is_done:
        return _said(case, ReportState.UNKNOWN, outcome.code, outcome)
    return _said(case, ReportState.DONE, "DONE", outcome)


def _said(case: Case, state: ReportState, code: str, outcome: Outcome | None) -> Said:
    """Return the end, with the zone as it is found afterwards: a person sees both."""
    shown = outcome or Outcome(str(case.order.kind), False, None, code, ())
    placement, readings = found_afterwards(case.agent, case.driver, case.zone)
    return Said(
        state,
        code,
        case.order.owner_hostid,
        lines=(f"{case.order.kind}: {code}",),
        result=VerbResult(shown, placement, readings, None),
        high_water=high_water_of(case.agent, readings),
    )


def _outcome(case: Case, ended: ClaimOutcome) -> Outcome:
    return Outcome(str(case.order.kind), False, None, str(ended.code), ())
