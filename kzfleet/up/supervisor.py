"""Keep a few processes running until asked to stop: one thread, one loop.

Ours, because those tried leave orphans after `kill -9` or stop all when one child dies.
"""

import contextlib
import json
import re
import selectors
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

from kzfleet.up.children import Child, Plan
from kzfleet.up.refusals import CannotStart

LOOK_EVERY_S = 0.2
GRACE_S = 1.5
FAST_DEATH_S = 10.0
FAST_DEATHS_MAX = 5
BACKOFF_MAX_S = 30.0
QUIET_LEVELS = {"debug", "info"}
# A line of the agent: date, time, level, who, what.
QUIET_LINE = re.compile(r"\S+ \S+ (?:DEBUG|INFO) ")


class Supervisor:
    """The children and the loop that reads, restarts and finally stops them."""

    def __init__(self, output_dir: Path, *, verbose: bool = False) -> None:
        output_dir.mkdir(parents=True, exist_ok=True)
        self.output_dir = output_dir
        self.verbose = verbose
        self.children: list[Child] = []
        self.selector = selectors.DefaultSelector()
        self.is_stopping = False

    def start(self, plan: Plan) -> Child:
        """Start one more child and keep it running from now on."""
        child = Child(plan, self.output_dir)
        self.children.append(child)
        self._launch(child)
        return child

    def run_until(self, is_done: Callable[[], bool], *, timeout_s: float) -> bool:
        """Look after the children until `is_done()`; return False when `timeout_s` went by first.

        Raises: CannotStart when an essential child cannot be kept running.
        """
        deadline = time.monotonic() + timeout_s
        while not is_done():
            if time.monotonic() > deadline:
                return False
            self._turn()
        return True

    def run(self) -> None:
        """Look after the children for ever. Raises: CannotStart as above; KeyboardInterrupt to stop."""
        while True:
            self._turn()

    def stop(self) -> None:
        """Stop every child, those marked `stops_last` after the others; what does not stop is killed."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        self.is_stopping = True
        self._stop([child for child in self.children if not child.plan.stops_last])
        self._stop([child for child in self.children if child.plan.stops_last])

    def _turn(self) -> None:
        self._read(LOOK_EVERY_S)
        for child in self.children:
            if child.process is not None and not child.is_running():
                self._take_leave(child)
            elif child.restart_at is not None and time.monotonic() >= child.restart_at:
                self._launch(child)

    def _launch(self, child: Child) -> None:
        child.start()
        self.selector.register(child.output, selectors.EVENT_READ, child)

    def _read(self, timeout_s: float) -> None:
        ready = self.selector.select(timeout_s)
        for key, _ in ready:
            for line in key.data.lines():
                self._show(key.data.plan, line)
        if ready and not any(key.data.is_running() for key, _ in ready):
            time.sleep(0.01)  # an ended child's pipe is always readable: do not spin on it

    def _show(self, plan: Plan, line: str) -> None:
        # What children say while they are being stopped is in their files only.
        is_shown = is_worth_showing(line) and not plan.is_quiet and not self.is_stopping
        if self.verbose or is_shown:
            say(f"{plan.name:<10} | {line}")

    def _take_leave(self, child: Child) -> None:
        """Close an ended child and plan its restart, later each time it dies soon after a start."""
        code, lived_s = child.exit_code(), time.monotonic() - child.started_at
        self._close(child)
        child.fast_deaths = child.fast_deaths + 1 if lived_s < FAST_DEATH_S else 1
        if child.fast_deaths >= FAST_DEATHS_MAX:
            self._give_up(child, code)
            return
        wait_s = min(BACKOFF_MAX_S, 0.25 * 2**child.fast_deaths)
        child.restart_at = time.monotonic() + wait_s
        say(f"{child.plan.name} ended ({how_it_ended(code)}); it is started again in {wait_s:g} s.")

    def _give_up(self, child: Child, code: int | None) -> None:
        said = "\n".join(f"    {line}" for line in child.last_lines) or "    (nothing)"
        text = (
            f"{child.plan.name} ended {FAST_DEATHS_MAX} times soon after its start ({how_it_ended(code)}); "
            f"its last lines, of {child.path}:\n{said}"
        )
        if child.plan.essential:
            raise CannotStart(text)
        say(f"{text}\nThe others go on without it.")

    def _close(self, child: Child) -> None:
        for line in child.lines():
            self._show(child.plan, line)
        self.selector.unregister(child.output)
        child.signal(signal.SIGKILL)  # what it started and left behind in its session
        child.close()

    def _stop(self, children: list[Child]) -> None:
        for child in children:
            child.signal(signal.SIGTERM)
        deadline = time.monotonic() + GRACE_S
        while any(child.is_running() for child in children) and time.monotonic() < deadline:
            self._read(0.02)
        for child in children:
            child.signal(signal.SIGKILL)
            if child.process is not None:
                child.process.wait()
                self._close(child)


def is_worth_showing(line: str) -> bool:
    """Return whether a child's line belongs on the terminal: what is not a line of a low level."""
    try:
        entry = json.loads(line)
    except ValueError:
        return bool(line.strip()) and not QUIET_LINE.match(line)
    return not isinstance(entry, dict) or str(entry.get("level", "")).lower() not in QUIET_LEVELS


def how_it_ended(code: int | None) -> str:
    """Return an exit code in words."""
    if code is not None and code < 0:
        with contextlib.suppress(ValueError):
            return f"signal {signal.Signals(-code).name}"
    return f"exit code {code}"


def say(text: str) -> None:
    """Print one line at once; a terminal that has gone is no reason to stop."""
    with contextlib.suppress(OSError):
        sys.stdout.write(text + "\n")
        sys.stdout.flush()
