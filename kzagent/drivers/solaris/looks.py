"""What a Solaris host listed and logged a moment ago: an inspection asks about each zone what one look has answered."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from typing import Final, NamedTuple

from kernelzone import zoneadm
from kernelzone.words import ZoneName
from kernelzone.zoneadm import OutcomeKind
from kzagent.drivers.solaris.port import AttachLog, HostPort, ListedPlacement
from kzagent.drivers.solaris.readings import NOT_HERE
from kzagent.drivers.solaris.remembered import AttachSaid, attach_said
from kzagent.errors import DriverError

# A verb of ours ends it at once; an attach by hand is seen this much later at most.
FRESH_S: Final = 20.0


class Look(NamedTuple):
    """One zone as it was listed, with what its attach log says; `monotonic_s`: when."""

    monotonic_s: float
    listed: ListedPlacement
    logged: AttachSaid | None


class Looks:
    """The last look at each zone of one host."""

    def __init__(self, port: HostPort) -> None:
        self._port = port
        self._lock = threading.Lock()
        self._looks: dict[ZoneName, Look] = {}
        self._logs: tuple[float, dict[ZoneName, AttachSaid]] = (float("-inf"), {})

    def all(self) -> list[ListedPlacement]:
        """Return the zones as the host lists them now; their attach logs are read now and then."""
        now = time.monotonic()
        listed = self._port.zones()
        if now - self._logs[0] > FRESH_S:
            self._logs = (now, self._read_logs([one.name for one in listed if one.state in NOT_HERE]))
        logged = self._logs[1]
        now = time.monotonic()
        with self._lock:
            self._looks = {one.name: Look(now, one, logged.get(one.name)) for one in listed}
        return listed

    def now(self, zone: ZoneName) -> ListedPlacement:
        """Return the zone as the host lists it now. Raises: DriverError NOT_CONFIGURED."""
        found = next((one for one in self._port.zones() if one.name == zone), None)
        if found is None:
            raise DriverError("NOT_CONFIGURED", "the host lists no zone of that name")
        return found

    def of(self, zone: ZoneName) -> Look:
        """Return the last look at the zone, a new one when that is old. Raises: DriverError NOT_CONFIGURED."""
        with self._lock:
            look = self._looks.get(zone)
        if look is None or time.monotonic() - look.monotonic_s > FRESH_S:
            look = Look(time.monotonic(), self.now(zone), self._read_logs([zone]).get(zone))
            with self._lock:
                self._looks[zone] = look
        return look

    def forget(self, zone: ZoneName) -> None:
        """Look anew when the zone is next asked for: something was done to it."""
        with self._lock:
            self._looks.pop(zone, None)
            self._logs = (float("-inf"), {})

    def _read_logs(self, zones: Sequence[ZoneName]) -> dict[ZoneName, AttachSaid]:
        found = {zone: _refusal(zone, log) for zone, log in self._port.attach_logs(zones).items()}
        return {zone: said for zone, said in found.items() if said is not None}


def _refusal(zone: ZoneName, log: AttachLog) -> AttachSaid | None:
    """Return the refusal in an attach log. It has no exit code: only one that is there whole is believed."""
    said = attach_said(log.at, zoneadm.classify(log.text, 1, zone=zone))
    return said if said.kind != str(OutcomeKind.UNPARSED) else None
