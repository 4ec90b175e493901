"""The return guard: a zone that another host has taken is never booted here.

It runs before the agent takes orders, and with every inspection. What it finds lost it keeps from booting: autoboot
is switched off, and an installed zone is marked unavailable. It ends no guest: one that runs is told of, and a person
decides. What can merely not be proved is left as it is; the boot itself looks at host data.

Source: agent.md, "Return guard".
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor

from kernelzone.facts import HeldBack, Outcome, PlacementFacts, ReadingFacts
from kernelzone.obligations import Obligation
from kernelzone.standing import BY_OBLIGATION, NOT_CONFIGURED, UNKNOWN, Held, may_run, why_held
from kernelzone.states import ZoneState
from kernelzone.words import HostId, ZoneName
from kzagent.asking import MOST_AT_ONCE, ask_each
from kzagent.drivers import ZoneDriver
from kzagent.errors import DriverError
from kzagent.last_said import LastSaid
from kzagent.obligations import KeptObligations
from kzagent.zones_at_work import ZonesAtWork

logger = logging.getLogger(__name__)


class Guard:
    """Keeps lost zones of this agent's hosts from booting."""

    def __init__(self, obligations: KeptObligations, at_work: ZonesAtWork) -> None:
        self._obligations = obligations
        self._at_work = at_work
        self._last_said = LastSaid()

    def hold_back(
        self, driver: ZoneDriver, placements: Sequence[PlacementFacts], readings: Iterable[ReadingFacts]
    ) -> tuple[HeldBack, ...]:
        """Return every zone of the host that must not boot there, as it is now that it was kept from it.

        What cannot be switched off or marked just now is tried again with the next inspection.
        """
        by_zone: dict[ZoneName, list[ReadingFacts]] = {}
        for reading in readings:
            by_zone.setdefault(reading.zone, []).append(reading)
        held = []
        named = set()
        for placement in placements:
            obligation = self._obligations.about(driver.owner_hostid, placement.zone, placement.zone_uuid)
            named.add(obligation)
            why = why_held(placement, driver.owner_hostid, by_zone.get(placement.zone, ()), obligation)
            kept = self._kept_from_booting(driver, placement, obligation) if why is not None else None
            found = _held_back(kept, why, obligation) if why is not None and kept is not None else None
            self._say_it_runs((driver.owner_hostid, placement.zone), found)
            if found is not None:
                held.append(found)
        missing = (one for one in self._obligations.of_host(driver.owner_hostid) if one not in named)
        return (*held, *(_missing(driver, one) for one in missing))

    def _say_it_runs(self, place: tuple[HostId, ZoneName], one: HeldBack | None) -> None:
        """Say that a lost zone may be running, when that is news: nobody but a person may end it."""
        said = None
        if one is not None and may_run(one.state):
            said = f"was taken by {one.owner_hostid} and is {one.state} here"
        if self._last_said.is_new(place, said):
            logger.error("zone %s of host %s %s", place[1], place[0], said)

    def _kept_from_booting(
        self, driver: ZoneDriver, placement: PlacementFacts, obligation: Obligation | None
    ) -> PlacementFacts | None:
        """Return the placement as it is once what can be done was done; None when it turns out to be the host's own."""
        if not (placement.autoboot or placement.state == ZoneState.INSTALLED):
            return placement
        with self._at_work.guard(driver.owner_hostid, placement.zone) as is_idle:
            if not is_idle:
                return placement
            try:
                return _keep_from_booting(driver, placement, obligation)
            except DriverError as error:
                logger.error("zone %s was taken and is not kept from booting yet: %s", placement.zone, error)
                return placement


def _keep_from_booting(
    driver: ZoneDriver, seen: PlacementFacts, obligation: Obligation | None
) -> PlacementFacts | None:
    # Asked anew: an order that has ended since may have brought the zone here.
    readings = driver.read(seen.zone, 0)
    placement = _placement(driver, seen)
    if why_held(placement, driver.owner_hostid, readings, obligation) is None:
        return None
    if placement.autoboot:
        _tell(driver, placement.zone, "autoboot off", driver.disable_autoboot(placement.zone))
    if placement.state == ZoneState.INSTALLED:
        _tell(driver, placement.zone, "unavailable", driver.mark_unavailable(placement.zone))
    return _placement(driver, placement)


def _placement(driver: ZoneDriver, seen: PlacementFacts) -> PlacementFacts:
    return next((one for one in driver.placements() if one.zone == seen.zone), seen)


def _tell(driver: ZoneDriver, zone: ZoneName, what: str, outcome: Outcome) -> None:
    level = logging.WARNING if outcome.is_done else logging.ERROR
    logger.log(level, "zone %s was taken from host %s: %s: %s", zone, driver.owner_hostid, what, outcome.code)


def _held_back(placement: PlacementFacts, held: Held, obligation: Obligation | None) -> HeldBack:
    name = obligation.obligation if obligation is not None else None
    return HeldBack(placement.zone, held.why, held.owner_hostid, name, placement.state, placement.autoboot)


def _missing(driver: ZoneDriver, one: Obligation) -> HeldBack:
    """Return what is known of a zone that the host did not list: not configured, or nobody can say."""
    state = UNKNOWN
    try:
        driver.configuration(one.zone.name)
    except DriverError as error:
        if error.code == "NOT_CONFIGURED":
            state = NOT_CONFIGURED
    return HeldBack(one.zone.name, BY_OBLIGATION, one.new_owner_hostid, one.obligation, state, autoboot=False)


def would_boot(one: HeldBack) -> bool:
    """Return whether the host would still boot the zone by itself."""
    return one.autoboot and one.state not in (ZoneState.UNAVAILABLE, ZoneState.CONFIGURED)


def guard_host(guard: Guard, driver: ZoneDriver) -> tuple[HeldBack, ...]:
    """Return every zone of the host that must not boot there, kept from it. Raises: DriverError.

    A zone that cannot be read is no reason to leave the others unguarded.
    """
    placements = driver.placements()
    readings: list[ReadingFacts] = []
    for placement in placements:
        try:
            readings.extend(driver.read(placement.zone, 0))
        except DriverError as error:
            logger.warning("zone %s of host %s: %s", placement.zone, driver.owner_hostid, error)
    return guard.hold_back(driver, placements, readings)


def guard_hosts(guard: Guard, drivers: Iterable[ZoneDriver]) -> list[tuple[ZoneDriver, tuple[HeldBack, ...] | None]]:
    """Return for every host what is held back there; None for one that is silent or could not be asked.

    Slow hosts are asked at once: one after the other two hundred would keep an agent from its orders for an hour.
    """
    with ThreadPoolExecutor(MOST_AT_ONCE, thread_name_prefix="guard") as pool:
        return ask_each(pool, drivers, lambda driver: _guarded(guard, driver))


def _guarded(guard: Guard, driver: ZoneDriver) -> tuple[HeldBack, ...] | None:
    if not driver.is_reachable():
        return None
    try:
        return guard_host(guard, driver)
    except DriverError as error:
        logger.error("host %s could not be guarded: %s", driver.owner_hostid, error)
        return None
