"""What RAD's other modules say of a host. A module that is missing or answers otherwise makes the fact unknown.

Source: bemgr-1(3RAD) (name, uuid, active, zpool), kstat-2(3RAD) (`getMap` of kstat:/misc/unix/system_misc),
smf(3RAD) (`readProperty`). Their answers as JSON are published nowhere: the forms read here are an assumption
(docs/solaris.md).
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import quote
from uuid import UUID

from kernelzone.facts import HostFacts
from kernelzone.words import HostId, ZoneName
from kzagent.drivers.solaris.rad.client import Cut, RadClient

UNKNOWN: Final = "unknown"
NO_UUID: Final = UUID(int=0)
"""Stands where a boot environment's uuid could not be read."""

_BOOT_ENVIRONMENTS: Final = "/api/com.oracle.solaris.rad.bemgr/1.0/BootEnv/?_rad_detail"
_SYSTEM_MISC: Final = "/api/com.oracle.solaris.rad.kstat/2.0/Kstat/kstat%3A%2Fmisc%2Funix%2Fsystem_misc"
_SMF: Final = "/api/com.oracle.solaris.rad.smf/1.0"
_ZONES: Final = "system/zones/zone"
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:@/-]{0,254}\Z")


def questions() -> list[tuple[str, str, dict[str, Any] | None]]:
    """Return (kind, path, arguments) of what is asked beside zonemgr; None: a GET. For recordings of the answers."""
    node = f"{_SMF}/{_instance('system/identity', 'node')}/_rad_method/readProperty"
    return [
        ("rad-bemgr", _BOOT_ENVIRONMENTS, None),
        ("rad-kstat", f"{_SYSTEM_MISC}/_rad_method/getMap", {}),
        ("rad-smf", node, {"prop_name": "config/nodename"}),
    ]


def host_facts(client: RadClient, owner_hostid: HostId, hostname: str) -> HostFacts:
    """Return the facts; `at` is the agent's clock, for RAD does not tell the host's. Raises: DriverError."""
    environment = _active_environment(_read(lambda: client.get(_BOOT_ENVIRONMENTS).payload))
    return HostFacts(
        owner_hostid=owner_hostid,
        hostname=_property(client, _instance("system/identity", "node"), "config/nodename") or hostname,
        boot_environment=environment[0],
        boot_environment_uuid=environment[1],
        release=UNKNOWN,
        boot_id=_boot_id(owner_hostid, _read(lambda: client.put(f"{_SYSTEM_MISC}/_rad_method/getMap", {}).payload)),
        at=int(time.time()),
    )


def root_pool(client: RadClient) -> str | None:
    """Return the pool of the boot environment that runs, None when it is not known. Raises: DriverError."""
    return _word(_active(_read(lambda: client.get(_BOOT_ENVIRONMENTS).payload)).get("zpool"))


def evacuation_target(client: RadClient, zone: ZoneName | None = None) -> str | None:
    """Return the zone's own evacuation target, without `zone` the one for all; None when there is none to read."""
    service = f"Service/{quote(_ZONES, safe='')}" if zone is None else _instance(_ZONES, zone)
    return _property(client, service, "evacuation/target")


def _active_environment(payload: Any) -> tuple[str, UUID]:
    """Return (name, uuid) of the boot environment that runs."""
    found = _active(payload)
    return _word(found.get("name")) or UNKNOWN, _uuid(found.get("uuid"))


def _active(payload: Any) -> dict[str, Any]:
    """Return the boot environment that runs, an empty one when none is said to."""
    for item in payload if isinstance(payload, list) else []:
        found = item.get("BootEnv") if isinstance(item, dict) else None
        if isinstance(found, dict) and found.get("active") is True:
            return found
    return {}


def _boot_id(owner_hostid: HostId, payload: Any) -> str:
    """Return hostid and posix time of the host's start, as over ssh: a number alone, or the one number of a union."""
    value = payload.get("boot_time") if isinstance(payload, dict) else None
    candidates = list(value.values()) if isinstance(value, dict) else [value]
    numbers = [one for one in candidates if isinstance(one, int) and not isinstance(one, bool) and one > 0]
    return f"{owner_hostid}-{numbers[0]}" if len(numbers) == 1 else UNKNOWN


def _instance(service: str, instance: str) -> str:
    return f"Instance/{quote(service, safe='')},{quote(instance, safe='')}"


def _property(client: RadClient, entity: str, name: str) -> str | None:
    """Return the one value of an SMF property, None when there is none or it cannot be read."""
    path = f"{_SMF}/{entity}/_rad_method/readProperty"
    payload = _read(lambda: client.put(path, {"prop_name": name}).payload)
    values = payload.get("values") if isinstance(payload, dict) else None
    return _word(values[0]) if isinstance(values, list) and len(values) == 1 else None


def _read(ask: Callable[[], Any]) -> Any:
    """Return the payload, None when RAD has no answer of a known form. Raises: DriverError when it has none at all."""
    try:
        return ask()
    except Cut as cut:
        if cut.code in ("UNREACHABLE", "TIMEOUT"):
            raise
        return None


def _word(value: Any) -> str | None:
    return value if isinstance(value, str) and _NAME.match(value) else None


def _uuid(value: Any) -> UUID:
    try:
        return UUID(value if isinstance(value, str) else "")
    except ValueError:
        return NO_UUID
