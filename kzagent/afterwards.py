"""After a claim that was won: look at it every 30 s for 10 min, and repair what a late write of a loser damaged.

This is the only unattended repair there is. It writes nothing but the record that was won, and only where the other
slot still carries it; a host that has changed the record again since, and anything newer, ends the looking.
Source: host-data.md, part "Write".
"""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from kernelzone.hostdata import Outcome as ClaimEnd
from kernelzone.words import ZoneName
from kzagent.clock import Clock
from kzagent.drivers import ZoneDriver
from kzagent.errors import DriverError
from kzagent.intents import won_images
from kzagent.journal import Journal

logger = logging.getLogger(__name__)

LOOK_EVERY_MS: Final = 30_000
LOOK_FOR_MS: Final = 600_000


@dataclass
class WonClaim:
    """One claim that is looked after: its device, both images, and when to look, by the monotonic clock."""

    driver: ZoneDriver
    zone: ZoneName
    device: str
    images: tuple[bytes, bytes]
    next_ms: int
    until_ms: int


class Afterwards:
    """The claims this agent has won lately. Lost with the process: then a reading shows the damage to a person."""

    def __init__(self, journal: Journal, clock: Clock) -> None:
        self._journal = journal
        self._clock = clock
        self._lock = threading.Lock()
        self._claims: list[WonClaim] = []

    def won(self, driver: ZoneDriver, zone: ZoneName, order: UUID) -> None:
        """Look after what the order has won, on every boot storage of the zone. Raises: JournalError."""
        now = self._clock.monotonic_ms()
        claims = [
            WonClaim(driver, zone, device, images, now + LOOK_EVERY_MS, now + LOOK_FOR_MS)
            for device, images in won_images(self._journal, order)
        ]
        with self._lock:
            self._claims += claims

    def look(self) -> None:
        """Look at every claim whose time has come."""
        now = self._clock.monotonic_ms()
        with self._lock:
            claims = [claim for claim in self._claims if claim.next_ms <= now]
        for claim in claims:
            claim.next_ms = now + LOOK_EVERY_MS
            if not _is_intact(claim) or now >= claim.until_ms:
                with self._lock:
                    self._claims.remove(claim)


def _is_intact(claim: WonClaim) -> bool:
    """Return whether the record that was won is there, repaired if need be, or could not be asked for now."""
    if not claim.driver.is_reachable():
        return True
    try:
        end = claim.driver.watch(claim.zone, claim.device, claim.images)
    except DriverError as error:
        logger.info("host data of %s is looked at again later: %s", claim.zone, error)
        return True
    if end is not ClaimEnd.CLAIMED:
        logger.info("host data of %s is not looked after any more: %s", claim.zone, end)
    return end is ClaimEnd.CLAIMED
