"""Exported configurations of a Solaris host, read once for several questions; the key never leaves this module."""

from __future__ import annotations

import hashlib
import re
import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from kernelzone import suri, zonecfg
from kernelzone.facts import BootDevice, PlacementFacts
from kernelzone.states import ZoneState
from kernelzone.suri import SuriError
from kernelzone.words import Digest, ZoneName
from kzagent.drivers.solaris.port import HostPort, ListedPlacement
from kzagent.errors import DriverError

# A change by hand is seen this much later at most; a verb of ours makes it be read anew at once.
FRESH_S: Final = 20.0
SELDOM_FRESH_S: Final = 300.0
_AUTOBOOT: Final = re.compile(r"(?m)^\s*set\s+autoboot\s*=\s*\"?true\b")
_POOL: Final = "global-rootzpool"


@dataclass(frozen=True)
class Known:
    """One configuration without its key. `sha256`: None when the export is missing or in no form we know."""

    text: str = ""
    sha256: Digest | None = None
    autoboot: bool = False
    boot_storage: tuple[BootDevice, ...] = ()
    evacuation_target: str | None = None


class Configurations:
    """The exports of one host, as far as they were read of late."""

    def __init__(self, port: HostPort) -> None:
        self._port = port
        self._lock = threading.Lock()
        self._known: dict[ZoneName, tuple[float, Known]] = {}
        self._ids: dict[str, tuple[str, ...]] = {}
        self._ids_asked: dict[str, float] = {}
        self._targets: dict[ZoneName, tuple[float, str | None]] = {}
        self._last: dict[ZoneName, tuple[bytes, Known]] = {}
        self._pool: str | None = None

    def of(self, zones: Sequence[ZoneName]) -> dict[ZoneName, Known]:
        """Return what is known of these zones. Raises: DriverError when the host cannot be asked."""
        now = time.monotonic()
        with self._lock:
            known = {zone: self._known[zone] for zone in zones if zone in self._known}
        missing = [zone for zone in zones if zone not in known or now - known[zone][0] > FRESH_S]
        if missing:
            read = self._read(missing, {zone: found for zone, (_, found) in known.items()})
            now = time.monotonic()  # a read that took a minute is not old when it is done
            with self._lock:
                self._known |= {zone: (now, found) for zone, found in read.items()}
            known |= {zone: (now, found) for zone, found in read.items()}
        return {zone: known[zone][1] for zone in zones}

    def forget(self, zone: ZoneName) -> None:
        """Read the configuration of the zone anew when it is next asked for."""
        with self._lock:
            if zone in self._known:
                self._known[zone] = (float("-inf"), self._known[zone][1])

    def _read(self, zones: Sequence[ZoneName], before: dict[ZoneName, Known]) -> dict[ZoneName, Known]:
        exports = self._port.exports(zones)
        found = {zone: self._one(zone, exports.get(zone), before.get(zone)) for zone in zones}
        self._learn_ids(device.uri for one in found.values() for device in one.boot_storage)
        targets = self._evacuation_targets(zones)
        return {zone: self._completed(one, targets.get(zone)) for zone, one in found.items()}

    def _evacuation_targets(self, zones: Sequence[ZoneName]) -> dict[ZoneName, str]:
        """Return where the zones would be evacuated to; who sets that seldom changes it, and each is a question."""
        now = time.monotonic()
        missing = [zone for zone in zones if now - self._targets.get(zone, (float("-inf"), None))[0] > SELDOM_FRESH_S]
        if missing:
            found = self._port.evacuation_targets(missing)
            self._targets |= {zone: (now, found.get(zone)) for zone in missing}
        return {zone: target for zone in zones if (target := self._targets[zone][1]) is not None}

    def _one(self, zone: ZoneName, export: str | None, before: Known | None) -> Known:
        # A zone does not lose its boot storage because one export failed: what was known of it stays.
        storage = before.boot_storage if before else ()
        if export is None:
            return Known(boot_storage=storage, autoboot=before.autoboot if before else False)
        try:
            if f"%{{{_POOL}}}" in export and self._pool is None:
                self._pool = self._port.root_pool()
            return self._parsed(zone, export)
        except (zonecfg.ZoneCfgError, SuriError):
            return Known(boot_storage=storage, autoboot=bool(_AUTOBOOT.search(export)))

    def _parsed(self, zone: ZoneName, export: str) -> Known:
        """Return what the export says; one that is as it was is known by its digest, for its key is not kept."""
        digest = hashlib.sha256(f"{self._pool}\n{export}".encode()).digest()
        before = self._last.get(zone)
        if before is None or before[0] != digest:
            before = self._last[zone] = (digest, known_of(zone, export, self._pool))
        return before[1]

    def _learn_ids(self, uris: Iterable[str]) -> None:
        """Ask for the ids of local devices now and then: a path may come to mean other storage, or answer at last."""
        now = time.monotonic()
        local = {uri for uri in uris if uri.startswith("dev:dsk/")}
        wanted = sorted(uri for uri in local if now - self._ids_asked.get(uri, float("-inf")) > SELDOM_FRESH_S)
        if wanted:
            self._ids |= self._port.device_ids(wanted)
            self._ids_asked |= dict.fromkeys(wanted, now)

    def _completed(self, one: Known, target: str | None) -> Known:
        storage = self._with_ids(one.boot_storage)
        is_whole = storage == one.boot_storage and target == one.evacuation_target
        return one if is_whole else replace(one, boot_storage=storage, evacuation_target=target)

    def _with_ids(self, devices: tuple[BootDevice, ...]) -> tuple[BootDevice, ...]:
        return tuple(self._with_own_ids(one) if one.uri in self._ids else one for one in devices)

    def _with_own_ids(self, device: BootDevice) -> BootDevice:
        return replace(device, device_ids=tuple(sorted({*device.device_ids, *self._ids[device.uri]})))


def known_of(zone: ZoneName, export: str, root_pool: str | None) -> Known:
    """Return what one export says. Raises: ZoneCfgError, SuriError."""
    tokens = {"zonename": str(zone), **({_POOL: root_pool} if root_pool else {})}
    found = zonecfg.summary(export, tokens)
    devices = tuple(BootDevice(one.uri, suri.device_ids(one.uri), one.id, one.bootpri) for one in found.boot_storage)
    digest = Digest(hashlib.sha256(found.text.encode("utf-8")).hexdigest())
    return Known(found.text, digest, found.autoboot, devices)


def placement(listed: ListedPlacement, known: Known) -> PlacementFacts:
    """Return one zone as agents report it. The key's id stays unknown: Solaris has none."""
    return PlacementFacts(
        zone=listed.name,
        zone_uuid=listed.zone_uuid,
        state=listed.state,
        auxiliary=listed.auxiliary,
        autoboot=known.autoboot,
        boot_storage=known.boot_storage,
        key_id=None,
        configuration_sha256=known.sha256,
        evacuation_target=known.evacuation_target,
    )


def commands(text: str, port: HostPort, zone: ZoneName, listed: ListedPlacement | None) -> str:
    """Return the command file that replaces the configuration of a zone and keeps its key source.

    Raises: DriverError KEY_SOURCE, UNPARSED: a configuration without the zone's key would lose the zone.
    """
    try:
        wanted = zonecfg.parse(text)
    except zonecfg.ZoneCfgError as error:
        raise DriverError(error.code, error.message) from error
    if wanted.only("keysource") is not None:
        raise DriverError("KEY_SOURCE", "a configuration comes without its key source")
    source = _key_source(port, zone, listed) if listed else ()
    whole = replace(wanted, resources=(*wanted.resources, *source))
    return zonecfg.write(whole).replace("create -b", "create -Fb" if listed else "create -b", 1)


def _key_source(port: HostPort, zone: ZoneName, listed: ListedPlacement) -> tuple[zonecfg.Resource, ...]:
    try:
        found = tuple(zonecfg.parse(port.exports([zone])[zone]).resources_of("keysource"))
    except (KeyError, zonecfg.ZoneCfgError):
        raise DriverError("UNPARSED", "the configuration there is cannot be read: its key would be lost") from None
    if not found and listed.state != ZoneState.CONFIGURED:
        raise DriverError("KEY_SOURCE", "the host does not show the key of the zone: it would be lost")
    return found
