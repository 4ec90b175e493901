"""One running agent: its files, its journal, its hosts and its way to the site, put together once."""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from uuid import UUID

from kernelzone.facts import PlacementFacts
from kernelzone.words import HostId, ZoneName
from kzagent.afterwards import Afterwards
from kzagent.authority import Authority
from kzagent.clock import Clock
from kzagent.drivers import ZoneDriver
from kzagent.guard import Guard
from kzagent.host_states import HostStates
from kzagent.identity import Settings
from kzagent.journal import Journal
from kzagent.last_said import LastSaid
from kzagent.link import Link
from kzagent.obligations import KeptObligations
from kzagent.remembered import FORGET_OTHERS_AFTER_S
from kzagent.reports import Reports
from kzagent.zones_at_work import ZonesAtWork

logger = logging.getLogger(__name__)


@dataclass
class Agent:
    """What every part of the agent works with. `dropped` counts the messages not worth an answer, by code.

    `unsettled`: orders that a crash interrupted on hosts that could not be asked yet.
    """

    settings: Settings
    clock: Clock
    journal: Journal
    reports: Reports
    authority: Authority
    link: Link
    drivers: Mapping[HostId, ZoneDriver]
    afterwards: Afterwards
    obligations: KeptObligations
    at_work: ZonesAtWork = field(default_factory=ZonesAtWork)
    unsettled: set[UUID] = field(default_factory=set)
    states: HostStates = field(default_factory=HostStates)
    stopping: threading.Event = field(default_factory=threading.Event)
    dropped: Counter[str] = field(default_factory=Counter)

    last_said: LastSaid = field(default_factory=LastSaid)
    guard: Guard = field(init=False)

    def __post_init__(self) -> None:
        self.authority.on_withdrawn = self.withdraw
        self.guard = Guard(self.obligations, self.at_work)

    def drop(self, code: str, message: str) -> None:
        """Count a message that is not answered, and say so."""
        self.dropped[code] += 1
        # A host that is away is no news: its orders come again and again until they run out.
        level = logging.DEBUG if code == "SILENT" else logging.WARNING
        logger.log(level, "dropped a message: %s (%s, %d so far)", message, code, self.dropped[code])

    def withdraw(self, orders: tuple[UUID, ...]) -> list[UUID]:
        """Return those of `orders` that are withdrawn now and will not act. Raises: JournalError."""
        now = self.clock.now()
        return self.journal.withdraw(orders, now + FORGET_OTHERS_AFTER_S, now)


def placement_of(driver: ZoneDriver, zone: ZoneName) -> PlacementFacts | None:
    """Return the placement of that name on the host, None when it configures none. Raises: DriverError."""
    return next((placement for placement in driver.placements() if placement.zone == zone), None)
