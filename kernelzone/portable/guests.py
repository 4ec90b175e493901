"""Guests as processes: started on their own, found again by pid and start time, ended only when they are the same.

Source: proc(5), field 22 of /proc/PID/stat: the start time, so that a pid used again is never taken for the guest.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple

from kernelzone.portable.errors import PortableError
from kernelzone.portable.guest import GO

START_S: Final = 10.0
END_S: Final = 5.0
_ROOT: Final = Path(__file__).resolve().parents[2]
_MOST_CONSOLE_BYTES: Final = 64 * 1024


class GuestProcess(NamedTuple):
    """A process and when it started, in clock ticks since the machine's start."""

    pid: int
    started: int


class Waiting(NamedTuple):
    """A guest that has started and waits for the word to write; it ends without it, also when its starter dies."""

    process: GuestProcess
    child: subprocess.Popen[bytes]
    console: Path


def start(
    arguments: list[str], *, memory: bytes, console: Path, note: Callable[[GuestProcess], None]
) -> GuestProcess:  # fmt: skip
    """Return the guest started with `arguments`, once it has written its first block.

    memory: what it resumes from, empty for a fresh boot. note: gets the guest before it may write: should the
    starter die first, the guest ends; should it die later, the guest is known. Raises: PortableError GUEST when it
    does not come up; what `note` raises.
    """
    waiting = begin(arguments, console)
    try:
        note(waiting.process)
    except BaseException:
        give_up(waiting)
        raise
    go(waiting, memory)
    return waiting.process


def begin(arguments: list[str], console: Path) -> Waiting:
    """Return the guest started with `arguments`, which writes nothing before `go`. Raises: OSError."""
    command = [sys.executable, "-E", "-s", "-m", "kernelzone.portable.guest", *arguments]
    with _console(console) as output:
        child = subprocess.Popen(  # noqa: S603 - a list, our own interpreter, no shell
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=output,
            cwd=_ROOT,  # `-m` finds the package there, installed or not
            env={"LC_ALL": "C", "PATH": "/usr/bin:/bin"},
            start_new_session=True,
            close_fds=True,
        )
    return Waiting(GuestProcess(child.pid, _started(child.pid) or 0), child, console)


def go(waiting: Waiting, memory: bytes) -> None:
    """Let the guest write, from `memory` if there is any; return once it has written its first block.

    Raises: PortableError GUEST when it does not come up; it is gone then.
    """
    try:
        if not _came_up(waiting.child, memory):
            raise PortableError("GUEST", f"the zone did not start: see {waiting.console}")
    except BaseException:
        give_up(waiting)
        raise
    waiting.child.returncode = 0  # it is meant to outlive this object, which would complain; `_reap` takes it away


def is_alive(guest: GuestProcess | None) -> bool:
    """Return whether this very process still runs."""
    return guest is not None and _started(guest.pid) == guest.started


def is_waiting(guest: GuestProcess) -> bool:
    """Return whether the guest has not come so far as to say that the zone runs."""
    try:
        return os.readlink(f"/proc/{guest.pid}/fd/0").startswith("pipe:")
    except OSError:  # it is ending
        return True


def end(guest: GuestProcess | None, number: signal.Signals = signal.SIGTERM, *, wait_s: float = END_S) -> bool:
    """Send `number` to the guest and return whether it ended in time. A pid that is another process is left alone."""
    if guest is None or not is_alive(guest):
        return True
    try:
        os.kill(guest.pid, number)
    except ProcessLookupError:
        return True
    return _ended(guest, time.monotonic() + wait_s)


def end_all(found: list[GuestProcess | None]) -> None:
    """End many guests at once, those that do not end in time by force."""
    for guest in found:
        end(guest, wait_s=0)
    deadline = time.monotonic() + END_S
    for guest in found:
        if guest is not None and not _ended(guest, deadline):
            kill(guest)


def kill(guest: GuestProcess | None) -> bool:
    """End the guest at once, as a power loss would; return whether it is gone."""
    return end(guest, signal.SIGKILL)


def _ended(guest: GuestProcess, deadline: float) -> bool:
    while is_alive(guest):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def _came_up(child: subprocess.Popen[bytes], memory: bytes) -> bool:
    assert child.stdin is not None
    assert child.stdout is not None
    try:
        child.stdin.write(GO + memory)
        child.stdin.close()
        waiting = select.poll()  # not select.select: an agent of many hosts may have more than 1 024 files open
        waiting.register(child.stdout, select.POLLIN)
        return bool(waiting.poll(START_S * 1000)) and child.stdout.readline() == b"running\n"
    except BrokenPipeError:
        return False
    finally:
        child.stdout.close()


def give_up(waiting: Waiting) -> None:
    """End a guest that is not wanted, and let go of what leads to it."""
    child = waiting.child
    child.kill()
    child.wait()
    for pipe in (child.stdin, child.stdout):
        with suppress(BrokenPipeError):
            if pipe is not None:
                pipe.close()


def _started(pid: int) -> int | None:
    """Return when the process started, None when it is gone; one that ended and waits for us is taken away."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    if fields[0] in (b"Z", b"X"):
        _reap(pid)
        return None
    return int(fields[19])


def _reap(pid: int) -> None:
    with suppress(ChildProcessError):  # another process started it, and takes it away
        os.waitpid(pid, os.WNOHANG)


def say(console: Path, line: str) -> None:
    """Add a line to what the guest says on its console."""
    with _console(console) as file:
        file.write(f"{line}\n".encode())


def _console(path: Path) -> BinaryIO:
    """Return the zone's console, opened to append; a long one begins anew."""
    is_long = path.exists() and path.stat().st_size > _MOST_CONSOLE_BYTES
    return path.open("wb" if is_long else "ab")
