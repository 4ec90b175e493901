"""What each kind of order does, once its checks have passed: one function per kind, found in `ACTIONS`."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from functools import partial
from typing import Final

from kernelzone import zoneadm
from kernelzone.facts import Outcome, RegionStatus
from kernelzone.orders import (
    UNCHANGED,
    EvacuateArgs,
    ExportResult,
    Kind,
    MigrateArgs,
    ProbeResult,
    ReportState,
    WithdrawResult,
)
from kernelzone.standing import why_held
from kernelzone.states import ACTIVE, Verb, ZoneState
from kernelzone.words import WordError
from kzagent.case import Case
from kzagent.errors import OrderRefused, Stopping
from kzagent.evidence import high_water_of, inspect, keep, note_high_water, read_zone
from kzagent.forced import run_forced
from kzagent.remembered import high_water
from kzagent.reports import Said
from kzagent.verb_report import state_of, verb_ended

MAX_WINDOW_S: Final = 600
MAX_CONFIGURATION: Final = 32 * 1024
MAX_SAMPLES: Final = 2000
# How many lines a migration and an evacuation print: only to say how far they are.
MIGRATION_LINES: Final = 9
EVACUATION_LINES: Final = 3
_STARTING: Final = frozenset({Verb.READY, Verb.BOOT, Verb.REBOOT})


def run_inspect(case: Case) -> Said:
    """Return the host, whole, or that it is as the site has it: then a reading of it is nobody's to name."""
    began_ms = case.agent.clock.monotonic_ms()
    result = inspect(case.agent, case.driver)
    is_known = case.agent.states.is_known(result)
    if case.agent.states.digest(result) == case.order.read_args().known_state:
        if not is_known:  # else its generations were noted the first time
            note_high_water(case.agent, result.readings)
        return Said(ReportState.DONE, UNCHANGED, case.order.owner_hostid)
    keep(case.agent, case.driver, result.readings, began_ms)
    marks = high_water_of(case.agent, result.readings)
    return Said(ReportState.DONE, "DONE", case.order.owner_hostid, result=result, high_water=marks)


def run_probe(case: Case) -> Said:
    """Return write samples over the window, and a reading made after it."""
    window_s = case.order.read_args().window_s
    if not 1 <= window_s <= MAX_WINDOW_S:
        raise OrderRefused("FIELD", f"a window is 1 to {MAX_WINDOW_S} s")
    samples, said_s = [], 0
    for sample in case.driver.sample(case.zone, window_s):
        if case.agent.stopping.is_set():
            raise Stopping()
        samples.append(sample)
        if sample.at_ms >= said_s * 1000:
            case.say_progress(min(said_s, window_s), window_s, "watching boot storage for writes")
            said_s += max(1, window_s // 60)
    readings = read_zone(case.agent, case.driver, case.zone)
    changed = sum(sample.changed_blocks for sample in samples)
    result = ProbeResult(window_s, tuple(samples[:MAX_SAMPLES]), changed, readings)
    marks = high_water_of(case.agent, readings)
    return Said(ReportState.DONE, "DONE", case.order.owner_hostid, result=result, high_water=marks)


def run_export(case: Case) -> Said:
    """Return the configuration of one zone, without its key."""
    result = ExportResult(case.driver.configuration(case.zone))
    return Said(ReportState.DONE, "DONE", case.order.owner_hostid, result=result)


def run_configure(case: Case) -> Said:
    """Return how a command file without key source was taken over."""
    text = case.order.read_args().text
    if len(text.encode("utf-8", "replace")) > MAX_CONFIGURATION:
        raise OrderRefused("FIELD", f"a command file has at most {MAX_CONFIGURATION} bytes")
    if case.placement is not None and case.placement.state in ACTIVE:
        raise OrderRefused("BUSY", "a zone is configured while it does not run")
    return _after_verb(case, case.driver.configure(case.zone, text))


def run_verb(case: Case, verb: Verb) -> Said:
    """Return how one of the safe verbs ended, with the zone as it was found afterwards."""
    if verb in _STARTING:
        _refuse_lost(case)
    mark = high_water(case.agent.journal, case.placement.zone_uuid if case.placement else None)
    return _after_verb(case, case.driver.run(verb, case.zone, mark))


def _refuse_lost(case: Case) -> None:
    """Refuse to start what a signed obligation says is another host's, unless host data proves it has come back."""
    placement = case.placement
    if placement is None:
        return
    obligation = case.agent.obligations.about(case.order.owner_hostid, placement.zone, placement.zone_uuid)
    if obligation is None:
        return
    readings = read_zone(case.agent, case.driver, case.zone)
    if why_held(placement, case.order.owner_hostid, readings, obligation) is not None:
        text = f"host {obligation.new_owner_hostid} has taken the zone; it is not started here"
        raise OrderRefused("OBLIGATION", text)


def run_mark_unavailable(case: Case) -> Said:
    """Return how the zone was marked unavailable."""
    return _after_verb(case, case.driver.mark_unavailable(case.zone))


def run_disable_autoboot(case: Case) -> Said:
    """Return how autoboot of the zone was switched off."""
    return _after_verb(case, case.driver.disable_autoboot(case.zone))


def run_migrate(case: Case) -> Said:
    """Return how the migration of a zone to another host ended; one that has been made before is done."""
    wanted: MigrateArgs = case.order.read_args()
    try:
        zoneadm.migration_target(wanted.target)
    except WordError as error:
        raise OrderRefused("FIELD", error.message) from error
    if _has_moved(case, wanted):
        text = f"host data names {wanted.target_hostid}: the zone is there already"
        return _after_verb(case, Outcome("migrate", True, 0, "DONE", (text,)))
    mark = high_water(case.agent.journal, case.placement.zone_uuid if case.placement else None)
    return _after_verb(case, case.driver.migrate(case.zone, wanted, mark, _told(case, MIGRATION_LINES)))


def run_evacuate(case: Case) -> Said:
    """Return how the zones of the host went to their evacuation targets, or came back."""
    wanted: EvacuateArgs = case.order.read_args()
    zones = len(case.driver.placements())
    result = case.driver.evacuate(wanted, _told(case, EVACUATION_LINES + 2 * zones))
    state = state_of(result.outcome)
    lines = result.outcome.lines
    return Said(state, result.outcome.code, case.order.owner_hostid, lines=lines, result=result)


def _told(case: Case, of: int) -> Callable[[str], None]:
    """Return what reports each line of output as progress; the whole output comes with the end."""
    lines = itertools.count(1)

    def say(line: str) -> None:
        case.say_progress(min(next(lines), of), of, line)

    return say


def _has_moved(case: Case, wanted: MigrateArgs) -> bool:
    """Return whether an earlier run of the order, cut off since, has taken the zone to its target."""
    if wanted.dry_run or case.placement is None or case.placement.state != ZoneState.CONFIGURED:
        return False
    readings = read_zone(case.agent, case.driver, case.zone)
    owners = {
        reading.record.owner_hostid for reading in readings if reading.record and reading.status is RegionStatus.CLEAN
    }
    return owners == {wanted.target_hostid}


def run_withdraw(case: Case) -> Said:
    """Return whether the order named was taken back before it acted."""
    wanted = case.order.read_args().order
    withdrawn = wanted in case.agent.withdraw((wanted,))
    result = WithdrawResult(withdrawn)
    code = "DONE" if withdrawn else "TOO_LATE"
    return Said(ReportState.DONE, code, case.order.owner_hostid, result=result)


def _after_verb(case: Case, outcome: Outcome) -> Said:
    return verb_ended(case.agent, case.order.owner_hostid, case.zone, outcome)


ACTIONS: Final[Mapping[Kind, Callable[[Case], Said]]] = {
    Kind.INSPECT: run_inspect,
    Kind.PROBE: run_probe,
    Kind.EXPORT: run_export,
    Kind.CONFIGURE: run_configure,
    Kind.INSTALL: partial(run_verb, verb=Verb.INSTALL),
    Kind.ATTACH: partial(run_verb, verb=Verb.ATTACH),
    Kind.DETACH: partial(run_verb, verb=Verb.DETACH),
    Kind.READY: partial(run_verb, verb=Verb.READY),
    Kind.BOOT: partial(run_verb, verb=Verb.BOOT),
    Kind.HALT: partial(run_verb, verb=Verb.HALT),
    Kind.SHUTDOWN: partial(run_verb, verb=Verb.SHUTDOWN),
    Kind.SUSPEND: partial(run_verb, verb=Verb.SUSPEND),
    Kind.MIGRATE: run_migrate,
    Kind.EVACUATE: run_evacuate,
    Kind.MARK_UNAVAILABLE: run_mark_unavailable,
    Kind.DISABLE_AUTOBOOT: run_disable_autoboot,
    Kind.WITHDRAW: run_withdraw,
    Kind.FORCE_TAKEOVER: run_forced,
    Kind.INITIALIZE_HOSTDATA: run_forced,
}
