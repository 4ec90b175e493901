"""How commands reach a Solaris host: `local` or `ssh`. A transport knows argument vectors, and nothing of zones.

Reads are told from verbs: a read has a timeout and may be ended; a verb is never ended, whatever happens here.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple, Protocol

from kzagent.drivers.solaris.port import Finished
from kzagent.drivers.solaris.runner import elapsed_s
from kzagent.errors import DriverError

MOST_BYTES: Final = 4 * 1024 * 1024
"""Of one stream. A list of 2 000 zones is a twentieth of it; more is not read, and the answer is TOO_LARGE."""

READ_TIMEOUT_S: Final = 60.0
OF_ONE_COMMAND: Final = frozenset({"TIMEOUT", "TOO_LARGE"})
"""What one command may fail by while the host answers others."""


class Read(NamedTuple):
    """One command that only reads. `stdin`: what it is given to read, b"" for nothing."""

    vector: tuple[str, ...]
    stdin: bytes = b""


class Running(NamedTuple):
    """One line of `ps`: `started` is posix s by this machine's clock, give or take two seconds."""

    pid: int
    started: int
    words: tuple[str, ...]


class Transport(Protocol):
    """The way to one host. Every method is blocking, and may be called from several threads at once."""

    def is_reachable(self) -> bool:
        """Return whether the host can be asked now; never raises."""

    def read(self, reads: Sequence[Read], timeout_s: float = READ_TIMEOUT_S) -> list[Finished]:
        """Return how each command ended, in order; several run at once.

        `exit_code` None: it gave no answer (TIMEOUT, TOO_LARGE), which hides none of the others'; why is in `stderr`.
        Raises: DriverError UNREACHABLE, NO_COMMAND; TIMEOUT, TOO_LARGE when no command at all gave an answer.
        """

    def run(self, vector: Sequence[str], patience_s: float, place: Path) -> Finished:
        """Return how a verb ended; exit_code None when its end was not seen. It is never ended from here.

        place: its own directory, for what `left` needs. Raises: DriverError UNREACHABLE, NO_COMMAND: it was not begun.
        """

    def left(self, place: Path) -> Finished | None:
        """Return how a verb ended that nobody waited for, exit_code None when that cannot be told; None: at work."""


class Batch:
    """Reads that are asked for together: what one of them fails by is no reason to lose the answers of the others."""

    def __init__(self) -> None:
        self._timed_out: DriverError | None = None

    def go_on(self) -> None:
        """Before a command is begun: after one that took too long the rest is given up. Raises: DriverError TIMEOUT."""
        if self._timed_out is not None:
            raise self._timed_out

    def fault(self, error: DriverError) -> DriverError:
        """Return the fault of one command. Raises: DriverError for one that is the host's."""
        if error.code not in OF_ONE_COMMAND:
            raise error
        if error.code == "TIMEOUT":
            self._timed_out = error
        return error

    @staticmethod
    def answers(found: Sequence[Finished | DriverError]) -> list[Finished]:
        """Return what each command said. Raises: DriverError when none of them said anything."""
        faults = [one for one in found if isinstance(one, DriverError)]
        if faults and len(faults) == len(found):
            raise faults[0]
        return [Finished(None, "", f"kzagent: {one}\n") if isinstance(one, DriverError) else one for one in found]


def text_of(content: bytes) -> str:
    """Return output as text; bytes that are not UTF-8 become U+FFFD, which no parser takes for anything."""
    return content.decode("utf-8", "replace")


def running_of(output: str, now: int) -> list[Running]:
    """Return the lines of `ps -e -o pid= -o etime= -o args=`; a line in no such form is left out.

    Source: ps(1) of Solaris and POSIX, etime as [[dd-]hh:]mm:ss.
    """
    found = []
    for line in output.splitlines():
        pid, _, rest = line.strip().partition(" ")
        elapsed, _, words = rest.strip().partition(" ")
        seconds = elapsed_s(elapsed)
        if seconds is not None and pid.isascii() and pid.isdigit():
            found.append(Running(int(pid), now - seconds, tuple(words.split())))
    return found
