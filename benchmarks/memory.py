"""How much memory a whole fleet of portable zones takes: `python benchmarks/memory.py [hosts [zones a host]]`.

2 000 hosts of 10 zones each, opened by the portable driver in one process, every zone inspected once: facts, exported
configuration, host data read and verified. Everything found is kept, as an agent that serves them all would at worst.
Goal: at most 2 GiB resident, guests not counted (each running zone is a process of its own).
"""

from __future__ import annotations

import os
import resource
import sys
import tempfile
import time
from pathlib import Path
from uuid import uuid4

from benchmarks._stack import say
from benchmarks._written_fleet import written_fleet
from kernelzone.facts import RegionStatus
from kernelzone.orders import InspectResult
from kzagent.drivers.portable import PortableDriver, open_portable

HOSTS = 2000
ZONES_A_HOST = 10
MOST_BYTES = 2 * 1024**3
# in memory where there is such a folder: the fleet is a million small writes, and no disk is measured here
IN_MEMORY = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


def main() -> int:
    """Print what the fleet takes; return 1 when the goal is missed."""
    hosts = int(sys.argv[1]) if len(sys.argv) > 1 else HOSTS
    zones_a_host = int(sys.argv[2]) if len(sys.argv) > 2 else ZONES_A_HOST
    with tempfile.TemporaryDirectory(prefix="kzfleet-bench-", dir=IN_MEMORY) as place:
        began = time.monotonic()
        directories = written_fleet(Path(place), hosts=hosts, zones_a_host=zones_a_host)
        say(f"{hosts * zones_a_host} zones on {hosts} hosts made in {time.monotonic() - began:.0f} s")
        before = resident_bytes()
        began = time.monotonic()
        drivers = [open_portable(directory, uuid4()) for directory in directories]
        found = [inspected(driver) for driver in drivers]
        took_s = time.monotonic() - began
    demand_all_read(found, hosts * zones_a_host)
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    say(f"opened and inspected once in {took_s:.1f} s; resident before {mib(before)}, at most {mib(most)}")
    say(f"goal: at most {mib(MOST_BYTES)}: {'met' if most <= MOST_BYTES else 'MISSED'}")
    return 0 if most <= MOST_BYTES else 1


def inspected(driver: PortableDriver) -> InspectResult:
    """Return all that the driver finds out about its host."""
    placements = tuple(driver.placements())
    configurations = tuple(driver.configuration(placement.zone) for placement in placements)
    readings = tuple(reading for placement in placements for reading in driver.read(placement.zone, 0))
    return InspectResult(driver.host(), placements, readings, configurations)


def demand_all_read(found: list[InspectResult], zones: int) -> None:
    """Return when every zone was read, verified, and is its host's: else the figure would say nothing."""
    readings = [(one, reading) for one in found for reading in one.readings]
    whole = [
        reading
        for one, reading in readings
        if reading.status is RegionStatus.CLEAN
        and reading.record is not None
        and reading.record.owner_hostid == one.host.owner_hostid
    ]
    if len(whole) != zones:
        raise SystemExit(f"only {len(whole)} of {zones} zones could be read")


def resident_bytes() -> int:
    """Return how much memory this process has now. Source: proc(5), /proc/self/statm."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def mib(number: int) -> str:
    """Return a number of bytes in MiB."""
    return f"{number / 1024**2:.0f} MiB"


if __name__ == "__main__":
    sys.exit(main())
