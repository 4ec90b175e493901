"""What RAD's other modules say of a host. A module that is missing or answers otherwise makes the fact unknown.

Source: bemgr-1(3RAD) (name, uuid, active), kstat-2(3RAD) (`getMap` of kstat:/misc/unix/system_misc), smf(3RAD)
(`readProperty`). Their answers as JSON are published nowhere: the forms read here are an assumption (docs/solaris.md).
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
_INSTANCE: Final = "/api/com.oracle.solaris.rad.smf/1.0/Instance"
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:@/-]{0,254}\Z")


def host_facts(client: RadClient, owner_hostid: HostId, hostname: str) -> HostFacts:
    """Return the facts; `at` is the agent's clock, for RAD does not tell the host's. Raises: DriverError."""
    environment = _active_environment(_read(lambda: client.get(_BOOT_ENVIRONMENTS).payload))
    return HostFacts(
        owner_hostid=owner_hostid,
        hostname=_property(client, "system/identity", "node", "config/nodename") or hostname,
        boot_environment=environment[0],
        boot_environment_uuid=environment[1],
        release=UNKNOWN,
        boot_id=_boot_id(_read(lambda: client.put(f"{_SYSTEM_MISC}/_rad_method/getMap", {}).payload)),
        at=int(time.time()),
    )


def evacuation_target(client: RadClient, zone: ZoneName) -> str | None:
    """Return the zone's own evacuation target, else the one for all zones, None when neither can be read."""
    name = "evacuation/target"
    own = _property(client, "system/zones/zone", zone, name)
    return own or _property(client, "system/zones", "default", name)


def _active_environment(payload: Any) -> tuple[str, UUID]:
    """Return (name, uuid) of the boot environment that runs."""
    for item in payload if isinstance(payload, list) else []:
        found = item.get("BootEnv") if isinstance(item, dict) else None
        if isinstance(found, dict) and found.get("active") is True:
            return _word(found.get("name")) or UNKNOWN, _uuid(found.get("uuid"))
    return UNKNOWN, NO_UUID


def _boot_id(payload: Any) -> str:
    """Return `boot-` and the posix time of the host's start, a number alone or the one number of a union."""
    value = payload.get("boot_time") if isinstance(payload, dict) else None
    candidates = list(value.values()) if isinstance(value, dict) else [value]
    numbers = [one for one in candidates if isinstance(one, int) and not isinstance(one, bool) and one > 0]
    return f"boot-{numbers[0]}" if len(numbers) == 1 else UNKNOWN


def _property(client: RadClient, service: str, instance: str, name: str) -> str | None:
    """Return the one value of an SMF property, None when there is none or it cannot be read."""
    path = f"{_INSTANCE}/{quote(service, safe='')},{quote(instance, safe='')}/_rad_method/readProperty"
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
