"""How many portable zones one core inspects in a second: `python benchmarks/portable_inspection.py [folder]`.

What an `inspect` order does between its arrival and its report: placements, configurations, both slots of every boot
storage read twice and verified, the digest of the state, the signed report kept in the outbox. At first sight of
everything, and when nothing has changed since. By CPU seconds of the one process. Goal: 1 000 zones a second.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from pathlib import Path
from uuid import uuid4

from benchmarks._inspection_fleet import built_fleet
from benchmarks._stack import init_agent, say
from kernelzone.envelope import raw_public_key
from kernelzone.hostdata import record
from kernelzone.orders import ReportState
from kernelzone.portable import files, placement
from kzagent.agent import Agent
from kzagent.assembly import assemble
from kzagent.evidence import inspect, keep
from kzagent.host_states import HostStates
from kzagent.reports import Said

HOSTS, ZONES_A_HOST, TURNS, GOAL = 20, 50, 5, 1000


def main() -> int:
    """Print both figures; return 1 when one misses the goal."""
    folder = sys.argv[1] if len(sys.argv) > 1 else None
    with tempfile.TemporaryDirectory(prefix="kzfleet-bench-", dir=folder) as place:
        root = Path(place)
        hosts = built_fleet(root / "fleet", hosts=HOSTS, zones_a_host=ZONES_A_HOST)
        directory = root / "agent"
        init_agent(directory, hosts, _given())
        time.sleep(2.5)  # files that were written this very moment are never taken for known
        met = [shown("at first sight", lambda: at_first_sight(directory)), shown_again(directory)]
    return 0 if all(met) else 1


def _given() -> dict[str, str]:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey  # noqa: PLC0415 - only here

    authority = raw_public_key(Ed25519PrivateKey.generate()).hex()
    broker = "redis://127.0.0.1:1/0"
    return {"deployment": str(uuid4()), "url": "http://127.0.0.1:1", "broker": broker, "authority-key": authority}


def at_first_sight(directory: Path) -> float:
    """Return the CPU seconds of one look at every host by an agent that has seen nothing."""
    files._known.clear()
    for remembered in (record._record, placement._text, placement._state, placement._boot_devices):
        remembered.cache_clear()
    agent = assemble(directory)
    try:
        return looked(agent)
    finally:
        agent.journal.close()


def shown_again(directory: Path) -> bool:
    """Print how quick an agent is that has seen everything before."""
    agent = assemble(directory)
    looked(agent)
    try:
        return shown("again, nothing new", lambda: looked(agent, is_whole=False))
    finally:
        agent.journal.close()


def looked(agent: Agent, *, is_whole: bool = True) -> float:
    """Return the CPU seconds of looking at every host, and of saying what was found, or that it is as it was."""
    began_s = time.process_time()
    if is_whole:
        agent.states = HostStates()
    for owner_hostid, driver in agent.drivers.items():
        began_ms = agent.clock.monotonic_ms()
        result = inspect(agent, driver)
        agent.states.digest(result)
        if len(result.readings) != ZONES_A_HOST:
            raise SystemExit(f"{len(result.readings)} readings of {ZONES_A_HOST} zones")
        if is_whole:
            keep(agent, driver, result.readings, began_ms)
        agent.reports.say(Said(ReportState.DONE, "DONE", owner_hostid, result=result if is_whole else None))
    return time.process_time() - began_s


def shown(what: str, look: object) -> bool:
    """Print how many zones a second; return whether they are enough."""
    taken_s = statistics.median(look() for _ in range(TURNS))  # type: ignore[operator]
    rate = HOSTS * ZONES_A_HOST / taken_s
    verdict = "met" if rate >= GOAL else "MISSED"
    say(f"portable inspection, {what:20} {rate:8.0f} zones a second and core (goal {GOAL}) {verdict}")
    return rate >= GOAL


if __name__ == "__main__":
    sys.exit(main())
