"""A host as RAD shows it: `HostPort` over REST.

Lifecycle methods take the options of `zoneadm` and carry its text, so a refusal is classified as it is over ssh. They
are synchronous: when the connection ends before the answer, the end of the verb was not seen, and only reads follow.

What RAD has no word for: the hostid (it comes from the settings), attach logs, storage ids of `dev:` URIs, whether a
`zoneadm` is at work. What other modules may not have is said as unknown (`host_facts`).
Source: zonemgr(3RAD); the address and arguments of each method as in oracle/oraclesolaris-contrib, REST.
"""

from __future__ import annotations

import http.client
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

from kernelzone import zoneadm
from kernelzone.facts import HostFacts
from kernelzone.orders import ZoneMoved
from kernelzone.words import HostId, ZoneName
from kzagent.drivers.solaris.port import AttachLog, Finished, ListedPlacement
from kzagent.drivers.solaris.rad import answers, host_facts
from kzagent.drivers.solaris.rad.client import Answer, Cut, RadClient
from kzagent.errors import DriverError

ZONEMGR: Final = "/api/com.oracle.solaris.rad.zonemgr"
MINORS: Final = (8, 7, 6, 5, 4, 3, 2, 1, 0)
"""Minor versions of zonemgr 1, newest first. Seen in Oracle's texts: 1.0, 1.2, 1.6, 1.7, 1.8."""

_REIMPORT_SINCE: Final = 6
"""The first minor version whose exportConfig takes `reimport`, as 1.7 does; 1.0 takes two other arguments."""
AT_ONCE: Final = 4
"""Requests to one host at the same time; each has a connection and a thread of its own."""


class RadPort:
    """One host through RAD. `owner_hostid`: what a person found out on the host with `hostid`."""

    def __init__(self, client: RadClient, owner_hostid: HostId, hostname: str) -> None:
        self._client = client
        self._owner_hostid = owner_hostid
        self._hostname = hostname
        self._lock = threading.Lock()
        self._minor: int | None = None
        self._paths: dict[ZoneName, str] = {}

    def is_reachable(self) -> bool:
        """Return whether RAD answers, from the global zone."""
        try:
            return answers.is_global(self._get("ZoneInfo/?_rad_detail"))
        except DriverError:
            return False

    def facts(self) -> HostFacts:
        """Return the host: hostid and, where RAD cannot say it, hostname from the settings. Raises: DriverError."""
        if not answers.is_global(self._get("ZoneInfo/?_rad_detail")):
            raise answers.unparsed("RAD runs in a zone, not on the host")
        return host_facts.host_facts(self._client, self._owner_hostid, self._hostname)

    def zones(self) -> list[ListedPlacement]:
        """Return the kernel zones of the host by name. Raises: DriverError."""
        entries = answers.zone_entries(self._get("Zone/?_rad_detail"))
        with self._lock:
            self._paths = {entry.placement.name: entry.path for entry in entries}
        return sorted((entry.placement for entry in entries), key=lambda placement: placement.name)

    def exports(self, zones: Sequence[ZoneName]) -> dict[ZoneName, str]:
        """Return the command file by zone, `create -b` at its head as `zonecfg export` prints it."""
        return self._of_each(zones, self._export)

    def evacuation_targets(self, zones: Sequence[ZoneName]) -> dict[ZoneName, str]:
        """Return the evacuation target by zone; all are left out when RAD has no module to read them with."""
        everyone = host_facts.evacuation_target(self._client)
        return self._of_each(zones, lambda zone: host_facts.evacuation_target(self._client, zone) or everyone)

    def attach_logs(self, zones: Sequence[ZoneName]) -> dict[ZoneName, AttachLog]:
        """Return none: RAD reads no files."""
        return {}

    def device_ids(self, uris: Sequence[str]) -> dict[str, tuple[str, ...]]:
        """Return no ids: RAD has no `suriadm`."""
        return dict.fromkeys(uris, ())

    def root_pool(self) -> str | None:
        """Return the pool of the boot environment that runs, None when RAD has no module that says so."""
        return host_facts.root_pool(self._client)

    def run(
        self, zone: ZoneName | None, words: Sequence[str], patience_s: float, place: Path | None = None
    ) -> Finished:
        """Return how the verb ended, its end not seen when no whole answer came. Raises: DriverError if not sent."""
        if zone is None:
            raise DriverError("NOT_OFFERED", "RAD does not evacuate here: use sysadm there, or migrate zone by zone")
        path = self._path(zone)
        if path is None:
            return Finished(1, "", zoneadm.not_configured_message(zone))
        name, *options = words
        arguments = {"options": options} if options else {}
        done = self._finished(_method(path, name), arguments, patience_s)
        return done or self._not_found(zone, name)

    def left(self, zone: ZoneName | None, place: Path) -> Finished | None:
        """Return that nobody knows: RAD tells of no method that another connection called."""
        return Finished(None, "", "")

    def is_at_work(self, zone: ZoneName | None) -> bool:
        """Raise DriverError NO_COMMAND: RAD shows no processes, so nobody knows."""
        raise DriverError("NO_COMMAND", "RAD cannot say whether a zoneadm is at work")

    def evacuated(self) -> list[ZoneMoved]:
        """Return none: nothing is evacuated through RAD."""
        return []

    def configure(self, zone: ZoneName, commands: str) -> Finished:
        """Return how the command file was taken over. Raises: DriverError if it was not sent."""
        arguments = {"noexecute": False, "name": zone, "configuration": [commands]}
        done = self._finished(f"{self._base()}/ZoneManager/_rad_method/importConfig", arguments, None)
        return done or self._not_found(zone, "importConfig")

    def _finished(self, path: str, arguments: dict[str, Any], timeout_s: float | None) -> Finished | None:
        """Return how the method ended, None when RAD has no such object or method. Raises: DriverError if not sent."""
        try:
            answer = self._client.put(path, arguments, timeout_s)
            return None if answer.status == http.client.NOT_FOUND else _ended(answer)
        except DriverError as error:
            if isinstance(error, Cut) or error.code == "UNPARSED":
                return Finished(None, "", f"kzagent: {error.message}; what the host did is not known\n")
            raise

    def _of_each(self, zones: Sequence[ZoneName], ask: Callable[[ZoneName], str | None]) -> dict[ZoneName, str]:
        """Return what `ask` says of each zone, a few asked at once; a zone of which it says nothing is left out."""
        with ThreadPoolExecutor(AT_ONCE) as pool:
            said = zip(zones, pool.map(ask, zones), strict=True)
            return {zone: text for zone, text in said if text}

    def _export(self, zone: ZoneName) -> str | None:
        """Return the command file, None when RAD has none in a known form: one zone hides no other."""
        path = self._path(zone)
        if path is None:
            return None
        if (self._minor or 0) >= _REIMPORT_SINCE:
            arguments = {"reimport": True}
        else:
            arguments = {"includeEdits": False, "liveMode": False}
        try:
            answer = self._client.put(_method(path, "exportConfig"), arguments)
            exported = answers.text(answer.payload) if answer.status == http.client.OK else None
        except DriverError as error:
            if error.code not in ("UNPARSED", "TOO_LARGE"):
                raise
            return None
        return exported and exported.replace("create -Fb\n", "create -b\n", 1)

    def _not_found(self, zone: ZoneName, method: str) -> Finished:
        """Return that the zone is no more. Raises: DriverError NO_COMMAND when it is: then it is the method."""
        if method != "importConfig" and zone not in [found.name for found in self.zones()]:
            return Finished(1, "", zoneadm.not_configured_message(zone))
        raise DriverError("NO_COMMAND", f"RAD of this host has no method {method}")

    def _path(self, zone: ZoneName) -> str | None:
        """Return where RAD takes orders about the zone, None when the host does not list it."""
        if zone not in self._paths:
            self.zones()
        return self._paths.get(zone)

    def _get(self, what: str) -> Any:
        """Return the payload of a read in zonemgr, in the newest version that the host knows."""
        answer = self._client.get(f"{self._base()}/{what}")
        if answer.status == http.client.NOT_FOUND:  # the host may have been given another release since
            self._minor = None
            answer = self._client.get(f"{self._base()}/{what}")
        return _payload(answer)

    def _base(self) -> str:
        if self._minor is None:
            self._minor = self._newest_minor()
        return f"{ZONEMGR}/1.{self._minor}"

    def _newest_minor(self) -> int:
        for minor in MINORS:
            if self._client.get(f"{ZONEMGR}/1.{minor}/ZoneInfo/?_rad_detail").status != http.client.NOT_FOUND:
                return minor
        raise DriverError("NO_COMMAND", "RAD of this host has no zonemgr in version 1.0 to 1.8")


def _method(path: str, name: str) -> str:
    return f"{path}/_rad_method/{name}"


def _ended(answer: Answer) -> Finished:
    """Return how a method ended. Raises: DriverError UNPARSED, also for a failure that names no error."""
    finished = answers.finished(answer.payload)
    if finished.exit_code == 0 and answer.status != http.client.OK:
        raise answers.unparsed("RAD speaks of a failure and names no error")
    return finished


def _payload(answer: Answer) -> Any:
    """Return what a read brought. Raises: DriverError UNPARSED; a 503 says that the host could not do it."""
    if answer.status == http.client.NOT_FOUND:
        raise answers.unparsed("RAD knows the object no more")
    if answer.status == http.client.SERVICE_UNAVAILABLE:
        raise DriverError("UNPARSED", "RAD could not read what it was asked for")
    return answer.payload
