"""Portable hosts by the thousand, for measurements: written as the verbs leave them, without their locks and flushes.

What is wrong here is seen at once: whoever uses the fleet reads and verifies the host data of every zone.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import secrets
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from uuid import uuid4

from benchmarks._inspection_fleet import owner_hostid
from kernelzone.facts import BootDevice
from kernelzone.hostdata import SLOT_A, SLOT_B, SLOT_OFFSETS, encode_slot
from kernelzone.portable import changes, fleet_plan, storage
from kernelzone.portable.host import Host
from kernelzone.suri import device_ids

CONFIGURATION = "create -b\nset brand=solaris-kz\nadd device\nset storage={uri}\nset bootpri=0\nset id=0\nend\n"


def written_fleet(root: Path, *, hosts: int, zones_a_host: int) -> list[Path]:
    """Return the directories of the hosts, their zones installed."""
    (root / "storage").mkdir(parents=True)
    # spawn: what a fork shares with its parent is no part of what is measured
    with ProcessPoolExecutor(mp_context=multiprocessing.get_context("spawn")) as pool:
        return list(pool.map(_written_host, [(root, number, zones_a_host) for number in range(hosts)], chunksize=50))


def _written_host(which: tuple[Path, int, int]) -> Path:
    root, number, zones = which
    host = Host.create(root / f"h{number}", owner_hostid=owner_hostid(number), hostname=f"h{number}")
    for index in range(zones):
        _write_zone(host, f"z{number}-{index}")
    return host.directory


def _write_zone(host: Host, name: str) -> None:
    uri = fleet_plan.storage_uri(name, 0)
    zone_uuid, key = uuid4(), secrets.token_bytes(16)
    directory = host.placement(name).directory
    directory.mkdir(mode=0o700)
    (directory / "configuration").write_text(CONFIGURATION.format(uri=uri))
    (directory / "key").write_text(f"{key.hex()}\n")
    fields = {"state": "installed", "auxiliary": [], "zone_uuid": str(zone_uuid), "zone_id": None}
    (directory / "state.json").write_text(json.dumps({**fields, "guest": None, "incarnation": None}))
    record = changes.install_record(host, BootDevice(uri, device_ids(uri), 0, 0), None, secrets.token_bytes(16))
    fd = os.open(host.path_of(uri), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        os.ftruncate(fd, storage.SMALLEST_BYTES)
        for slot in (SLOT_A, SLOT_B):
            image = encode_slot(
                record, slot=slot, generation=1, zone_key=key, zone_uuid=zone_uuid, agent=host.agent
            )  # fmt: skip
            os.pwrite(fd, image, SLOT_OFFSETS[slot])
    finally:
        os.close(fd)
