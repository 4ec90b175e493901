"""What an agent says unasked: that it lives, and what has changed on its hosts."""

from __future__ import annotations

import logging
import threading
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from kernelzone.facts import PlacementFacts
from kernelzone.orders import Heartbeat, ReportState
from kernelzone.words import Digest, HostId
from kzagent.agent import Agent
from kzagent.asking import MOST_AT_ONCE, ask_each
from kzagent.drivers import ZoneDriver
from kzagent.errors import DriverError, JournalError
from kzagent.evidence import high_water_of, inspect, keep
from kzagent.recovery import recover_unsettled
from kzagent.remembered import forget_old
from kzagent.reports import Said

logger = logging.getLogger(__name__)

FORGET_EVERY_S: Final = 600
# How often hosts whose answers take long are glanced at.
SLOW_EVERY_MS: Final = 15_000


class Watch:
    """Looks at every host: at once when a zone changes state, whole with every heartbeat."""

    def __init__(self, agent: Agent) -> None:
        self._agent = agent
        self._reported: dict[HostId, Digest] = {}
        self._glances: dict[HostId, list[PlacementFacts]] = {}
        self._away: set[HostId] = set()
        self._slow = ThreadPoolExecutor(MOST_AT_ONCE, thread_name_prefix="watch")
        self._slow_at = 0

    def run(self) -> None:
        """Watch until the agent stops."""
        agent = self._agent
        beat_at = forget_at = agent.clock.monotonic_ms()
        while not agent.stopping.is_set():
            try:
                now = agent.clock.monotonic_ms()
                recover_unsettled(agent)
                agent.afterwards.look()
                if now >= beat_at:
                    beat_at = now + agent.settings.heartbeat_s * 1000
                    self.beat()
                else:
                    self.glance()
                if now >= forget_at:
                    forget_at = now + FORGET_EVERY_S * 1000
                    forget_old(agent.journal, agent.clock)
            except JournalError as error:
                logger.error("watching waits: %s", error)
            except Exception:
                # The loop that says the agent lives must outlive a bug in one look.
                logger.exception("watching waits: unexpected")
            agent.stopping.wait(agent.settings.watch_s)

    def beat(self) -> None:
        """Say that the agent lives, with the digest of every host it can speak for; whole states where they changed.

        Raises: JournalError.
        """
        wanted = self._agent.link.take_wanted()
        drivers = self._agent.drivers.values()
        found = ask_each(self._slow, drivers, lambda one: self._look(one, is_wanted=one.owner_hostid in wanted))
        hosts: dict[str, Digest] = {one.owner_hostid: digest for one, digest in found if digest is not None}
        self._agent.reports.say(Said(ReportState.DONE, "HEARTBEAT", result=Heartbeat(hosts)))

    def glance(self) -> None:
        """Report the hosts on which a zone has changed state since the last look, and those the site wants.

        Raises: JournalError.
        """
        wanted = self._agent.link.take_wanted()
        with_slow = self._are_slow_due()
        drivers = self._agent.drivers.values()
        due = [one for one in drivers if with_slow or not one.is_slow or one.owner_hostid in wanted]
        ask_each(self._slow, due, lambda driver: self._glance(driver, wanted))

    def _glance(self, driver: ZoneDriver, wanted: Collection[HostId]) -> None:
        owner_hostid = driver.owner_hostid
        seen = self._glance_at(driver)
        # Whoever was away may have lost a zone meanwhile: the return guard must look before somebody boots it.
        is_back = seen is not None and owner_hostid in self._away
        changed = seen is not None and self._glances.get(owner_hostid) != seen
        if seen is not None and (changed or is_back or owner_hostid in wanted):
            self._look(driver, is_wanted=True)

    def _are_slow_due(self) -> bool:
        now = self._agent.clock.monotonic_ms()
        is_due = now >= self._slow_at
        if is_due:
            self._slow_at = now + SLOW_EVERY_MS
        return is_due

    def _look(self, driver: ZoneDriver, *, is_wanted: bool) -> Digest | None:
        """Return the digest of a host's state, None when nobody can speak for it; report the state if it is new."""
        agent, owner_hostid = self._agent, driver.owner_hostid
        if not driver.is_reachable():
            self._away.add(owner_hostid)
            return None
        began_ms = agent.clock.monotonic_ms()
        try:
            result = inspect(agent, driver)
        except DriverError as error:
            logger.warning("host %s could not be inspected: %s", owner_hostid, error)
            return None
        digest = agent.states.digest(result)
        if is_wanted or self._reported.get(owner_hostid) != digest:
            with agent.journal.database.writing(durable=False):
                keep(agent, driver, result.readings, began_ms)
                marks = high_water_of(agent, result.readings)
                agent.reports.say(Said(ReportState.DONE, "STATE", owner_hostid, result=result, high_water=marks))
            self._reported[owner_hostid] = digest
        self._glances[owner_hostid] = list(result.placements)
        self._away.discard(owner_hostid)
        return digest

    def _glance_at(self, driver: ZoneDriver) -> list[PlacementFacts] | None:
        """Return what a quick look shows: the placements, without reading boot storage."""
        if not driver.is_reachable():
            self._away.add(driver.owner_hostid)
            return None
        try:
            return driver.placements()
        except DriverError as error:
            logger.warning("host %s could not be asked: %s", driver.owner_hostid, error)
            return None


def start(agent: Agent) -> list[threading.Thread]:
    """Return the threads that run beside the worker, started."""
    threads = [
        threading.Thread(target=agent.link.run, args=(agent.stopping,), name="link", daemon=True),
        threading.Thread(target=Watch(agent).run, name="watch", daemon=True),
    ]
    for thread in threads:
        thread.start()
    return threads
