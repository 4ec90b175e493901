"""Portable hosts for measurements: as many zones as wanted, installed by the verbs a user has."""

from __future__ import annotations

import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from kernelzone.portable import configuring, fleet_plan, storage, verbs
from kernelzone.portable.host import Host


def owner_hostid(number: int) -> str:
    """Return the owner hostid of the host of this number."""
    return f"{0x10000000 + number:08x}"


def built_fleet(root: Path, *, hosts: int, zones_a_host: int) -> list[Path]:
    """Return the directories of the hosts, their zones configured and installed."""
    # spawn: what a fork shares with its parent is no part of what is measured
    with ProcessPoolExecutor(mp_context=multiprocessing.get_context("spawn")) as pool:
        return list(pool.map(_built_host, [(root, number, zones_a_host) for number in range(hosts)], chunksize=4))


def _built_host(which: tuple[Path, int, int]) -> Path:
    root, number, zones = which
    host = Host.create(root / f"h{number}", owner_hostid=owner_hostid(number), hostname=f"h{number}")
    for index in range(zones):
        name = f"z{number}-{index}"
        uri = fleet_plan.storage_uri(name, 0)
        storage.create(host.path_of(uri), storage.SMALLEST_BYTES)
        text = f"create -b\nset brand=solaris-kz\nadd device\nset storage={uri}\nset id=0\nset bootpri=0\nend\n"
        for outcome in (configuring.configure(host, name, text), verbs.install(host, name)):
            if not outcome.is_done:
                raise SystemExit(f"{name}: {outcome}")
    return host.directory
