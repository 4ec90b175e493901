"""One order on its way: what came in, and what the checks have found out about it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Final

from kernelzone.facts import PlacementFacts, ReadingFacts
from kernelzone.orders import Order, Progress, ReportState, Warrant
from kernelzone.words import Digest, ZoneName
from kzagent.agent import Agent
from kzagent.drivers import ZoneDriver
from kzagent.intents import Deadline
from kzagent.reports import Said

NO_DEADLINE: Final = Deadline(0, 0, "")


@dataclass
class Case:
    """One order on its way through the checks, and what they found out."""

    agent: Agent
    text: str
    payload: bytes = b""
    read: Order | None = None
    found_driver: ZoneDriver | None = None
    placement: PlacementFacts | None = None
    deadline: Deadline = NO_DEADLINE
    readings: tuple[ReadingFacts, ...] = ()

    @property
    def order(self) -> Order:
        """The order, once check 3 has read it."""
        assert self.read is not None
        return self.read

    @property
    def driver(self) -> ZoneDriver:
        """The host's driver, once check 4 has found it."""
        assert self.found_driver is not None
        return self.found_driver

    @property
    def warrant(self) -> Warrant:
        """The warrant; check 3 makes sure that forced kinds have one."""
        assert self.order.warrant is not None
        return self.order.warrant

    @property
    def zone(self) -> ZoneName:
        """The zone named in the order; check 3 makes sure that kinds which need one have it."""
        assert self.order.zone is not None
        return self.order.zone.name

    @property
    def payload_sha256(self) -> Digest:
        """The digest of the signed bytes: what a warrant is called in host data."""
        return Digest(hashlib.sha256(self.payload).hexdigest())

    def still_valid(self) -> bool:
        """Return whether the order may still write, by the clock that cannot be set."""
        clock = self.agent.clock
        return clock.monotonic_ms() < self.deadline.monotonic_ms and clock.now() <= self.deadline.not_after

    def say_progress(self, done: int, of: int, what: str, *lines: str) -> None:
        """Report how far the order is, with new lines of output."""
        progress = Progress(done, of, what)
        said = Said(ReportState.RUNNING, "RUNNING", self.order.owner_hostid, progress=progress, lines=lines)
        self.agent.reports.say(said, self.order.order)
