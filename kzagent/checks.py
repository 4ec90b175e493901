"""What an order must pass, in this order; the first failure names the code. 17 is the INTENT, made by the claim.

Checks 1 to 8 hold for every kind, 9 to 16 for the forced ones. A check is one function of the case at hand; it may
keep in the case what later ones need. 11, 12 and 16 come with later parts: their places are here, and they pass.

Source: agent.md, "What a forced order must pass".
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Final, NamedTuple

from kernelzone import envelope
from kernelzone.facts import Outcome, PlacementFacts, ReadingFacts, RegionStatus
from kernelzone.orders import (
    MAX_ORDER_BYTES,
    ORDER_TYPE,
    Expectation,
    Kind,
    OrderError,
    ZoneRef,
    read_order,
)
from kernelzone.states import ACTIVE
from kzagent import remembered
from kzagent.agent import Agent, placement_of
from kzagent.authority import MAX_CLOCK_DIFFERENCE_S
from kzagent.case import Case
from kzagent.errors import JournalError, LinkError, NotForUs, OrderRefused, Stopping
from kzagent.evidence import look_before_force
from kzagent.identity import SETTINGS_NAME
from kzagent.intents import Deadline
from kzagent.journal import Standing

MAX_ENVELOPE_CHARACTERS: Final = MAX_ORDER_BYTES * 4 // 3 + 4096
# How long an order waits for the site's time after a start; it is sent again anyway.
BEACON_WAIT_S: Final = 10.0
MAX_QUIET_WINDOW_S: Final = 600
UNKNOWN_STATE: Final = "unknown"


class KnownOrder(Exception):
    """The same bytes came before: the last report is sent again."""


class NotForced(Exception):
    """Nothing has to be forced any more: looking at the zone attached it. `outcome`: how."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome.code)
        self.outcome = outcome


class Replayed(Exception):
    """The order id came before with other bytes: an alarm, and nothing else."""


# --- 1 to 5: is it an order for us that has not come before? ------------------------------------------------------


def check_envelope(case: Case) -> None:
    """1, 2: size, form and the authority's signature. FORMAT, SIGNATURE."""
    if len(case.text) > MAX_ENVELOPE_CHARACTERS:
        raise NotForUs("FORMAT", "an envelope that is too large")
    try:
        content = case.text.encode("utf-8")
        keys = case.agent.authority.keys.raw()
        found = envelope.verify(content, payload_type=ORDER_TYPE, keys=keys, max_payload_bytes=MAX_ORDER_BYTES)
    except UnicodeEncodeError as error:
        raise NotForUs("FORMAT", "an envelope that is not UTF-8") from error
    except envelope.EnvelopeError as error:
        raise NotForUs(error.code, error.message) from error
    case.payload = found.payload


def check_fields(case: Case) -> None:
    """3: exactly the fields of its kind. FIELD."""
    try:
        case.read = read_order(case.payload)
    except OrderError as error:
        raise NotForUs(error.code, str(error)) from error


def check_audience(case: Case) -> None:
    """4: this deployment, this agent, a host it acts for. AUDIENCE."""
    order, settings = case.order, case.agent.settings
    if order.deployment != settings.deployment or order.agent != settings.agent:
        raise NotForUs("AUDIENCE", f"order {order.order} is for somebody else")
    case.found_driver = case.agent.drivers.get(order.owner_hostid)
    if case.found_driver is None:
        raise NotForUs("AUDIENCE", f"order {order.order} is for a host this agent does not act for")
    if not case.found_driver.is_reachable():
        raise NotForUs("SILENT", f"order {order.order} is left unanswered: host {order.owner_hostid} is out of reach")


def check_replay(case: Case) -> None:
    """5: an order id that was never used; from here on it is. REPLAY, VETO."""
    standing = case.agent.journal.accept(case.order, case.payload_sha256, case.agent.clock.now())
    if standing is Standing.SAME:
        raise KnownOrder()
    if standing is Standing.OTHER:
        raise Replayed()
    if standing is Standing.WITHDRAWN:
        raise OrderRefused("VETO", "the order was withdrawn before it came")


# --- 6 to 8: may this agent run it, here and now? -----------------------------------------------------------------


def check_kind(case: Case) -> None:
    """6: a kind that the agent's own file allows. KIND."""
    if case.order.kind not in case.agent.settings.kinds:
        hint = f"to allow it, add it to kinds in its {SETTINGS_NAME} and start it again"
        raise OrderRefused("KIND", f"this agent's own file does not accept {case.order.kind}; {hint}")


def check_zone(case: Case) -> None:
    """7: the zone's name and uuid are those of the local configuration. ZONE."""
    if case.order.zone is None:
        return
    case.placement = placement_of(case.driver, case.order.zone.name)
    if case.placement is None:
        if case.order.kind is not Kind.CONFIGURE:
            raise OrderRefused("ZONE", "no zone of that name is configured here")
    elif _is_another_zone(case.order.zone, case.placement):
        raise OrderRefused("ZONE", "the zone of that name has another uuid here")


def check_times(case: Case) -> None:
    """8: within its times, on a clock that the authority has confirmed lately. EARLY, EXPIRED, CLOCK."""
    clock, order = case.agent.clock, case.order
    _wait_for_the_authority(case.agent)
    now, monotonic_ms = clock.now(), clock.monotonic_ms()
    if not case.agent.authority.is_clock_right():
        raise OrderRefused("CLOCK", "the authority's time is unknown, too old, or not what the clock here says")
    if now < order.not_before - MAX_CLOCK_DIFFERENCE_S:
        raise OrderRefused("EARLY", "the order is not valid yet")
    if now > order.not_after:
        raise OrderRefused("EXPIRED", "the order is not valid any more")
    case.deadline = Deadline(monotonic_ms + (order.not_after - now) * 1000, order.not_after, clock.boot_id)


# --- 9 to 16: forced kinds only -----------------------------------------------------------------------------------


def check_reading(case: Case) -> None:
    """9: the reading decided on is mine, open, of this epoch and start, and young enough. EPOCH, STALE_READING."""
    agent, named = case.agent, case.warrant.reading
    if named.epoch != agent.journal.epoch or named.boot_id != agent.clock.boot_id:
        raise OrderRefused("EPOCH", "the reading was made before the journal or the machine began anew")
    reading = remembered.reading(agent.journal, named.nonce)
    if reading is None or not reading.is_open or reading.boot_id != agent.clock.boot_id:
        raise OrderRefused("STALE_READING", "the reading is not an open one of this agent")
    if (reading.owner_hostid, reading.zone) != (case.order.owner_hostid, case.zone):
        raise OrderRefused("STALE_READING", "the reading is of another zone")
    expected = {region.device: region.raw_sha256 for region in case.warrant.expect.regions}
    if reading.raw_sha256 is None or expected.get(reading.device) != reading.raw_sha256:
        raise OrderRefused("STALE_READING", "the reading did not show what the warrant expects")
    age_ms = agent.clock.monotonic_ms() - reading.monotonic_ms
    if not 0 <= age_ms <= case.warrant.policy.max_reading_age_s * 1000:
        raise OrderRefused("STALE_READING", "the reading is older than the policy allows")


def check_quorum(case: Case) -> None:
    """10: as many distinct persons as needed said yes, the requester not among them. QUORUM."""
    warrant, settings = case.warrant, case.agent.settings
    persons = {approver.person for approver in warrant.approvers}
    if len(persons) != len(warrant.approvers) or warrant.requester in persons:
        raise OrderRefused("QUORUM", "the approvers are not distinct persons besides the requester")
    if len(persons) < max(warrant.quorum, settings.min_approvers):
        raise OrderRefused("QUORUM", "fewer approvers than the policy or this agent's file demand")
    if warrant.break_glass and settings.no_break_glass:
        raise OrderRefused("QUORUM", "this agent's file allows no break-glass")


def check_history(case: Case) -> None:
    """11: the checkpoint extends the one seen last and contains the approval. HISTORY. Comes with a later part."""


def check_veto(case: Case) -> None:
    """12: an answer younger than 60 s shows no withdrawal. VETO. Comes with a later part.

    What is here already: orders withdrawn in any beacon are burned when it arrives, and the INTENT is refused then.
    """


def check_busy(case: Case) -> None:
    """13: the zone is not ready or running here, and its state is known. BUSY."""
    if case.placement is None or case.placement.state in (*ACTIVE, UNKNOWN_STATE):
        raise OrderRefused("BUSY", "the zone is in use on this host, or nobody can tell")


def check_host_data(case: Case) -> None:
    """14: host data, read again, is exactly what was approved. CHANGED, ROLLBACK.

    Raises: NotForced when looking meant attaching, and the zone was free.
    """
    found = look_before_force(case.agent, case.driver, case.zone)
    if isinstance(found, Outcome):
        raise NotForced(found)
    case.readings = found
    if not is_as_expected(case.readings, case.warrant.expect):
        raise OrderRefused("CHANGED", "host data is not what was approved")
    first = case.readings[0]
    if first.status is RegionStatus.CLEAN and first.generation < case.warrant.high_water:
        raise OrderRefused("ROLLBACK", "host data is older than what was seen before")


def check_quiet(case: Case) -> None:
    """15: nobody writes to the boot storage during the window. STORAGE_ACTIVE.

    Where it cannot be watched (Solaris) that is said, and no more: the approvers saw it on the evidence sheet.
    """
    wanted_s = max(case.order.read_args().quiet_window_s, case.agent.settings.quiet_window_min_s)
    if wanted_s > MAX_QUIET_WINDOW_S:
        raise OrderRefused("FIELD", f"a quiet window is at most {MAX_QUIET_WINDOW_S} s")
    said_s = -1
    for sample in case.driver.sample(case.zone, wanted_s) if wanted_s else ():
        if sample.changed_blocks:
            raise OrderRefused("STORAGE_ACTIVE", f"{sample.changed_blocks} blocks of {sample.device} changed")
        if case.agent.stopping.is_set():
            raise Stopping()
        at_s = min(sample.at_ms // 1000, wanted_s)
        if at_s > said_s:
            case.say_progress(at_s, wanted_s, f"watching boot storage, {at_s} of {wanted_s} s")
            said_s = at_s
    if wanted_s and said_s < 0:
        case.say_progress(wanted_s, wanted_s, "boot storage cannot be watched", "boot storage was not watched")


def check_fence(case: Case) -> None:
    """16: a required fence is still true, where it can be asked. FENCE. Comes with a later part."""


class Check(NamedTuple):
    """One step: its number in agent.md, what it does, and what the person who waits is told meanwhile."""

    number: int
    check: Callable[[Case], None]
    what: str = ""


RECEIVING: Final = (
    Check(1, check_envelope),  # and 2
    Check(3, check_fields),
    Check(4, check_audience),
    Check(5, check_replay),
)
EVERY_KIND: Final = (
    Check(6, check_kind),
    Check(7, check_zone),
    Check(8, check_times),
)
FORCED_KINDS: Final = (
    Check(9, check_reading, "checking the reading and the approvals"),
    Check(10, check_quorum),
    Check(11, check_history),
    Check(12, check_veto),
    Check(13, check_busy),
    Check(14, check_host_data, "reading host data again"),
    Check(15, check_quiet, "watching boot storage"),
    Check(16, check_fence),
)


def is_as_expected(readings: tuple[ReadingFacts, ...], expect: Expectation) -> bool:
    """Return whether readings show exactly the status, generation, record and raw digests expected."""
    if not readings:
        return False
    seen = {reading.device: reading.raw_sha256 for reading in readings}
    expected = {region.device: region.raw_sha256 for region in expect.regions}
    first = readings[0]
    is_same_truth = (first.status, first.generation, first.record_sha256) == (
        expect.status,
        expect.generation,
        expect.record_sha256,
    )
    return is_same_truth and seen == expected and len(expected) == len(expect.regions)


def _is_another_zone(named: ZoneRef, placement: PlacementFacts) -> bool:
    # a host that has never read host data knows no uuid; the reading of check 14 then decides
    return None not in (named.uuid, placement.zone_uuid) and named.uuid != placement.zone_uuid


def _wait_for_the_authority(agent: Agent) -> None:
    """Ask for the time when none came lately: right after a start an order may be faster than the first answer."""
    give_up_ms = agent.clock.monotonic_ms() + int(BEACON_WAIT_S * 1000)
    while not agent.authority.has_spoken_lately() and agent.clock.monotonic_ms() < give_up_ms:
        if agent.stopping.is_set():
            raise Stopping()
        with suppress(LinkError, JournalError):  # the order is refused with CLOCK when no answer comes in time
            agent.link.ask()
        if not agent.authority.has_spoken_lately():
            agent.stopping.wait(1.0)
