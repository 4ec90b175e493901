"""What an agent finds out: the state of a host, readings it will remember, write samples."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import partial
from typing import TypeVar

from kernelzone.facts import HeldBack, Outcome, PlacementFacts, ReadingFacts, RegionStatus
from kernelzone.orders import ConfigurationText, InspectResult
from kernelzone.words import HostId, ZoneName
from kzagent.agent import Agent, placement_of
from kzagent.drivers import ZoneDriver
from kzagent.errors import DriverError, JournalError
from kzagent.remembered import OwnReading, SeenGeneration, high_water, high_waters, keep_readings, raise_high_water

logger = logging.getLogger(__name__)

T = TypeVar("T")


def read_zone(agent: Agent, driver: ZoneDriver, zone: ZoneName) -> tuple[ReadingFacts, ...]:
    """Return fresh readings of a zone, kept as this agent's own. Raises: DriverError, JournalError."""
    began_ms = agent.clock.monotonic_ms()
    placement = placement_of(driver, zone)
    mark = high_water(agent.journal, placement.zone_uuid if placement else None)
    readings = tuple(driver.read(zone, mark))
    keep(agent, driver, readings, began_ms)
    return readings


def found_afterwards(
    agent: Agent, driver: ZoneDriver, zone: ZoneName
) -> tuple[PlacementFacts | None, tuple[ReadingFacts, ...]]:
    """Return a zone and its readings as something left them, (None, ()) when that cannot be asked: the end is told."""
    try:
        readings = read_zone(agent, driver, zone)
        return placement_of(driver, zone), readings
    except (DriverError, JournalError) as error:
        logger.warning("zone %s was not read after an order: %s", zone, error)
        return None, ()


def look_before_force(agent: Agent, driver: ZoneDriver, zone: ZoneName) -> tuple[ReadingFacts, ...] | Outcome:
    """Return fresh readings directly before a forced action, kept; or how the zone, free, was attached by looking.

    Raises: DriverError, JournalError.
    """
    began_ms = agent.clock.monotonic_ms()
    placement = placement_of(driver, zone)
    mark = high_water(agent.journal, placement.zone_uuid if placement else None)
    found = driver.look_before_force(zone, mark)
    if isinstance(found, Outcome):
        return found
    keep(agent, driver, found, began_ms)
    return tuple(found)


def inspect(agent: Agent, driver: ZoneDriver) -> InspectResult:
    """Return one host, whole, its lost zones kept from booting; its readings are not kept yet.

    Raises: DriverError, JournalError.
    """
    seen = _seen(agent, driver)
    held = agent.guard.hold_back(driver, seen.placements, seen.readings)
    if _has_acted(held, seen.placements):
        seen = _seen(agent, driver)
    return replace(seen, held_back=held)


def _has_acted(held: Sequence[HeldBack], placements: Sequence[PlacementFacts]) -> bool:
    """Return whether the guard has changed a placement since it was looked at."""
    before = {placement.zone: (placement.state, placement.autoboot) for placement in placements}
    return any(before.get(one.zone, (one.state, one.autoboot)) != (one.state, one.autoboot) for one in held)


def _seen(agent: Agent, driver: ZoneDriver) -> InspectResult:
    placements = tuple(driver.placements())
    marks = high_waters(agent.journal, (placement.zone_uuid for placement in placements))
    readings: list[ReadingFacts] = []
    configurations: list[ConfigurationText] = []
    for placement in placements:
        zone, mark = placement.zone, marks.get(placement.zone_uuid, 0) if placement.zone_uuid else 0
        place = (driver.owner_hostid, zone)
        configurations.extend(_of_one(agent, (*place, "configuration"), partial(driver.configuration, zone)))
        for found in _of_one(agent, (*place, "host data"), partial(driver.read, zone, mark)):
            readings.extend(found)
    if _has_learned(placements, readings):
        placements = tuple(driver.placements())
    return InspectResult(driver.host(), placements, tuple(readings), tuple(configurations))


def _of_one(agent: Agent, about: tuple[HostId, ZoneName, str], ask: Callable[[], T]) -> tuple[T, ...]:
    """Return what is asked of one zone, () when it cannot be answered: a zone deleted just now hides no other one."""
    found: tuple[T, ...] = ()
    why = None
    try:
        found = (ask(),)
    except DriverError as error:
        why = str(error)
    if agent.last_said.is_new(about, why):
        logger.warning("host %s, zone %s, %s: %s", *about, why)
    return found


def keep(agent: Agent, driver: ZoneDriver, readings: Sequence[ReadingFacts], began_ms: int) -> None:
    """Remember readings that will be reported: a warrant may name one of them.

    began_ms: when they were begun, by the monotonic clock; from then on they age. Raises: JournalError.
    """
    mine = [
        OwnReading(
            nonce=reading.nonce,
            owner_hostid=driver.owner_hostid,
            zone=reading.zone,
            device=reading.device,
            raw_sha256=reading.raw_sha256,
            monotonic_ms=began_ms,
            boot_id=agent.clock.boot_id,
            is_open=True,
        )
        for reading in readings
    ]
    # one transaction: each has its price, and whoever waits for the journal waits for all of them
    with agent.journal.database.writing(durable=False):
        keep_readings(agent.journal, mine)
        raise_high_water(agent.journal, _generations(readings))


def note_high_water(agent: Agent, readings: Sequence[ReadingFacts]) -> None:
    """Remember the generations of readings that are not reported, where they are the highest. Raises: JournalError."""
    marks = high_waters(agent.journal, (reading.zone_uuid for reading in readings))
    if any(marks[seen.zone_uuid] < seen.generation for seen in _generations(readings)):
        raise_high_water(agent.journal, _generations(readings))


def _generations(readings: Sequence[ReadingFacts]) -> list[SeenGeneration]:
    return [
        SeenGeneration(reading.zone_uuid, reading.generation, reading.record_sha256)
        for reading in readings
        if reading.status is RegionStatus.CLEAN and reading.zone_uuid is not None
    ]


def high_water_of(agent: Agent, readings: Iterable[ReadingFacts]) -> dict[str, int]:
    """Return the highest generations seen of the zones read, by zone uuid. Raises: JournalError."""
    marks = high_waters(agent.journal, (reading.zone_uuid for reading in readings))
    return {str(zone_uuid): generation for zone_uuid, generation in marks.items()}


def _has_learned(placements: Sequence[PlacementFacts], readings: Sequence[ReadingFacts]) -> bool:
    """Return whether the host has taken a zone's uuid from its host data during this very look."""
    unknown = {placement.zone for placement in placements if placement.zone_uuid is None}
    return any(reading.zone in unknown and reading.zone_uuid is not None for reading in readings)
