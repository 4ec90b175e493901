"""What the last attach of each zone said, kept by the agent: on Solaris a refused attach is the only reading there is.

One small file a zone, in the agent's own directory. Only what a reading needs is kept: no output, no key.
"""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from kernelzone import strict, zoneadm
from kernelzone.facts import HostFacts
from kernelzone.orders import Kind
from kernelzone.states import ZoneState
from kernelzone.words import Digest, HostId, ZoneName
from kzagent.drivers import ForcedClaim
from kzagent.errors import DriverError

_FLAGS: Final = {Kind.FORCE_TAKEOVER: "forced", Kind.INITIALIZE_HOSTDATA: "initialised"}
_MOST_BYTES: Final = 16 * 1024


@dataclass(frozen=True, slots=True)
class AttachSaid:
    """How one attach ended. `at`: posix s, when it was run. `kind`: of `zoneadm.OutcomeKind`.

    `in_use`: the zone and six fields of a refusal; of an attach that was done, what they would be for this host.
    `forced`: "forced" or "initialised" for one that ended so, with the digest of its order and who had the zone before.
    """

    at: int
    kind: str
    in_use: tuple[str, ...]
    forced: str = ""
    warrant_sha256: Digest | None = None
    previous_owner_hostid: HostId | None = None
    previous_owner_hostname: str | None = None

    @property
    def message(self) -> zoneadm.InUse | None:
        """The six fields with the zone before them, None when it was not refused for that."""
        return zoneadm.InUse(*self.in_use) if len(self.in_use) == len(zoneadm.InUse._fields) else None


def attach_said(at: int, outcome: zoneadm.Outcome) -> AttachSaid:
    """Return what is kept of the outcome of an attach."""
    return AttachSaid(at, str(outcome.kind), tuple(outcome.in_use or ()))


def attach_done(at: int, zone: ZoneName, host: HostFacts, forced: ForcedClaim | None) -> AttachSaid:
    """Return what is kept of an attach that was done: this host has the zone, taken from whom it was read to be."""
    before = forced.readings[0].record if forced and forced.readings else None
    in_use = zoneadm.InUse(
        zone,
        host.owner_hostid,
        str(ZoneState.INSTALLED),
        host.hostname,
        host.boot_environment,
        str(host.boot_environment_uuid),
        zoneadm.ctime(at),
    )
    return AttachSaid(
        at,
        str(zoneadm.OutcomeKind.DONE),
        tuple(in_use),
        forced=_FLAGS[forced.kind] if forced else "",
        warrant_sha256=forced.warrant_sha256 if forced else None,
        previous_owner_hostid=before.owner_hostid if before else None,
        previous_owner_hostname=before.owner_hostname if before else None,
    )


class AttachMemory:
    """The last attaches of the zones of one host, in files under `directory`."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._lock = threading.Lock()

    def last(self, zone: ZoneName) -> AttachSaid | None:
        """Return what the last attach of the zone said, None when none is remembered."""
        try:
            return strict.read(AttachSaid, strict.load(self._path(zone).read_bytes(), max_bytes=_MOST_BYTES))
        except (OSError, strict.StrictError):
            return None  # a reading less, which is what `unknown` is for

    def keep(self, zone: ZoneName, said: AttachSaid) -> None:
        """Remember what an attach said. Raises: DriverError when it cannot be kept."""
        path = self._path(zone)
        temporary = path.with_name(f".{path.name}.new")
        try:
            with self._lock:
                path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
                with temporary.open("wb") as file:
                    file.write(strict.canonical(strict.write(said)))
                    file.flush()
                    os.fsync(file.fileno())
                temporary.replace(path)
        except OSError as error:
            raise DriverError("IO", f"what the attach said cannot be kept ({error.strerror})") from error

    def _path(self, zone: ZoneName) -> Path:
        return self._directory / f"{zone}.attach"
