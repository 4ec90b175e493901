"""The verbs that were begun on one host, each kept until its end was seen: a stop of the agent forgets none.

One directory a zone, and one for what concerns the whole host: so no two verbs of ours are at work there at once. In
it, beside what was begun, a way to the host may keep what tells it the end later.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from kernelzone import strict
from kernelzone.words import ZoneName
from kzagent.errors import DriverError

_NAME: Final = "begun.json"
_MOST_BYTES: Final = 16 * 1024


@dataclass(frozen=True, slots=True)
class Begun:
    """One verb. `words`: the subcommand and its options. `at`: posix s, by the agent's clock."""

    verb: str
    words: tuple[str, ...]
    at: int


class BegunVerbs:
    """What was begun on one host, in directories under `directory`."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._waited_for: set[ZoneName | None] = set()

    def begin(self, zone: ZoneName | None, begun: Begun) -> Path:
        """Return the directory of a verb that is about to be begun; `zone`: None for one about the whole host.

        Raises: DriverError BUSY when another one was begun there; IO when it cannot be kept: it must not be begun.
        """
        try:
            self._directory.mkdir(parents=True, exist_ok=True, mode=0o700)
            new = Path(tempfile.mkdtemp(prefix=".new-", dir=self._directory))
            _write(new / _NAME, strict.canonical(strict.write(begun)))
        except OSError as error:
            raise DriverError("IO", f"a verb cannot be kept ({error.strerror}): it was not begun") from error
        try:
            place = new.rename(self.place(zone))
        except OSError as error:  # a directory that is not empty is not replaced
            shutil.rmtree(new, ignore_errors=True)
            raise DriverError("BUSY", "another verb was begun there: it is waited for, and never ended") from error
        self._waited_for.add(zone)
        return place

    def is_waited_for(self, zone: ZoneName | None) -> bool:
        """Return whether this process still waits for the end of the verb that it began there."""
        return zone in self._waited_for

    def wait_no_more(self, zone: ZoneName | None) -> None:
        """Let whoever comes next find out how the verb ended."""
        self._waited_for.discard(zone)

    def found(self, zone: ZoneName | None) -> Begun | None:
        """Return the verb that was begun and whose end was not seen, None when there is none."""
        try:
            content = (self.place(zone) / _NAME).read_bytes()
            return strict.read(Begun, strict.load(content, max_bytes=_MOST_BYTES))
        except FileNotFoundError:
            return None
        except (OSError, strict.StrictError):
            return Begun("", (), 0)  # something was begun, and nobody knows what

    def place(self, zone: ZoneName | None) -> Path:
        """Return the directory of a verb on the zone, None: on the whole host."""
        return self._directory / (f"zone.{zone}" if zone is not None else "host")

    def forget(self, zone: ZoneName | None) -> None:
        """Forget the verb: its end was seen, or never will be. What it printed may hold a key, and goes too."""
        shutil.rmtree(self.place(zone), ignore_errors=True)


def _write(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
