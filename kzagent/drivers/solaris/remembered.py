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
from kernelzone.words import ZoneName
from kzagent.errors import DriverError

_MOST_BYTES: Final = 16 * 1024


@dataclass(frozen=True, slots=True)
class AttachSaid:
    """How one attach ended. `at`: posix s, when it was run. `kind`: of `zoneadm.OutcomeKind`; `in_use`: six fields."""

    at: int
    kind: str
    in_use: tuple[str, ...]

    @property
    def message(self) -> zoneadm.InUse | None:
        """The six fields with the zone before them, None when it was not refused for that."""
        return zoneadm.InUse(*self.in_use) if len(self.in_use) == len(zoneadm.InUse._fields) else None


def attach_said(at: int, outcome: zoneadm.Outcome) -> AttachSaid:
    """Return what is kept of the outcome of an attach."""
    return AttachSaid(at, str(outcome.kind), tuple(outcome.in_use or ()))


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
