"""Ending the agent that runs from a directory, and it alone: what it has begun on its hosts goes on."""

from __future__ import annotations

import fcntl
import os
import signal
import time
from pathlib import Path
from typing import Final

from kzagent.assembly import LOCK_NAME
from kzagent.errors import SetupError

WITHIN_S: Final = 30.0


def stop_agent(directory: Path, within_s: float = WITHIN_S) -> bool:
    """Return whether an agent ran from `directory`; none does afterwards.

    Raises: SetupError when it cannot be told, or does not end in time.
    """
    try:
        fd = os.open(directory / LOCK_NAME, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    except OSError as error:
        raise SetupError(f"{directory} cannot be used ({error.strerror})") from error
    try:
        if not _is_held(fd):
            return False
        _tell(directory, os.pread(fd, 32, 0))
        _wait(directory, fd, within_s)
        return True
    finally:
        os.close(fd)


def _tell(directory: Path, content: bytes) -> None:
    try:
        pid = int(content)
        if pid > 1:
            os.kill(pid, signal.SIGTERM)
            return
    except ProcessLookupError:
        return  # it has just ended
    except (ValueError, OSError) as error:
        raise SetupError(f"the agent of {directory} cannot be told to stop ({error})") from error
    raise SetupError(f"the lock in {directory} names no process")


def _wait(directory: Path, fd: int, within_s: float) -> None:
    end = time.monotonic() + within_s
    while _is_held(fd):
        if time.monotonic() > end:
            raise SetupError(f"the agent of {directory} has not ended within {within_s:g} s; it was told to")
        time.sleep(0.05)


def _is_held(fd: int) -> bool:
    """Return whether a process holds the lock; asking takes it for a moment, and gives it back."""
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    fcntl.flock(fd, fcntl.LOCK_UN)
    return False
