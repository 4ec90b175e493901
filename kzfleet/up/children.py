"""One child of the supervisor: started, listened to, stopped."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import IO, NamedTuple

LAUNCHER = str(Path(__file__).with_name("launch.py"))
OUTPUT_FILE_MAX_BYTES = 10 * 1024 * 1024
KEPT_LINES = 12
READ_BYTES = 65536


class Plan(NamedTuple):
    """How one child is run.

    essential: when it cannot be kept running, everything is stopped.
    stops_last: it outlives the others in an orderly stop (the broker).
    is_quiet: what it prints goes to its file alone, not to the terminal.
    death_signal: what the kernel sends it when the supervisor is gone; SIGTERM for a child that has
        something to put away itself.
    """

    name: str
    argv: tuple[str, ...]
    env: Mapping[str, str]
    essential: bool = True
    stops_last: bool = False
    is_quiet: bool = False
    death_signal: signal.Signals = signal.SIGKILL


class Child:
    """A plan, its process while there is one, and the last lines it printed."""

    def __init__(self, plan: Plan, output_dir: Path) -> None:
        self.plan = plan
        self.path = output_dir / f"{plan.name}.log"
        self.process: subprocess.Popen[bytes] | None = None
        self.started_at = 0.0
        self.fast_deaths = 0
        self.restart_at: float | None = None
        self.last_lines: deque[str] = deque(maxlen=KEPT_LINES)
        self._unfinished = b""

    def start(self) -> None:
        """Run the program in a session of its own, so that a terminal's Ctrl-C reaches the supervisor alone."""
        self.last_lines.clear()
        launcher = [sys.executable, "-I", "-S", LAUNCHER, str(os.getpid()), str(int(self.plan.death_signal))]
        self.process = subprocess.Popen(  # noqa: S603 - argument vectors of our own, no shell
            [*launcher, *self.plan.argv],
            env=dict(self.plan.env),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        os.set_blocking(self.output.fileno(), False)
        self.started_at = time.monotonic()
        self.restart_at = None

    @property
    def output(self) -> IO[bytes]:
        """The read end of what the child prints."""
        if self.process is None or self.process.stdout is None:
            raise RuntimeError(f"{self.plan.name} was not started")
        return self.process.stdout

    def is_running(self) -> bool:
        """Return whether the process is alive; collects it when it has ended."""
        return self.process is not None and self.process.poll() is None

    def exit_code(self) -> int | None:
        """Return how it ended: the exit code, or minus the signal's number; None while it runs."""
        return None if self.process is None else self.process.poll()

    def lines(self) -> list[str]:
        """Return the whole lines printed since the last call; they are kept in the output file too."""
        try:
            new = os.read(self.output.fileno(), READ_BYTES)
        except (BlockingIOError, ValueError):
            return []
        if not new:
            return []
        *whole, self._unfinished = (self._unfinished + new).split(b"\n")
        self._keep(b"".join(line + b"\n" for line in whole))
        texts = [line.decode("utf-8", "backslashreplace") for line in whole]
        self.last_lines.extend(texts)
        return texts

    def close(self) -> None:
        """Let go of a process that has ended."""
        if self.process is not None and self.process.stdout is not None:
            self.process.stdout.close()
        self.process = None

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the child and to what it started in its session."""
        if self.process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, number)

    def _keep(self, content: bytes) -> None:
        """Append to the output file; a full one becomes `.log.1`, whose predecessor goes."""
        try:
            if self.path.exists() and self.path.stat().st_size > OUTPUT_FILE_MAX_BYTES:
                self.path.replace(self.path.with_suffix(".log.1"))
            with self.path.open("ab") as file:
                file.write(content)
        except OSError:
            pass  # a full disk must not stop the fleet's processes
