"""The three clocks of an agent: wall time, a monotonic one that counts sleep, and which start of the machine it is.

Durations are measured by the monotonic clock only: the wall clock may jump either way at any moment.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Final
from uuid import uuid4

_BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")
# CLOCK_MONOTONIC stands still while a machine is suspended; a deadline must not.
_BOOTTIME: Final[int] = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


class Clock:
    """The machine's clocks; tests give an agent another one."""

    def __init__(self) -> None:
        self.boot_id = _machine_boot_id()

    def now(self) -> int:
        """Return the wall time, posix seconds."""
        return int(time.time())

    def monotonic_ms(self) -> int:
        """Return milliseconds since some moment in this start of the machine, time asleep included."""
        return time.clock_gettime_ns(_BOOTTIME) // 1_000_000


def _machine_boot_id() -> str:
    """Return what names this start of the machine; without a kernel that says so, this process."""
    try:
        return _BOOT_ID.read_text(encoding="ascii").strip()
    except OSError:
        return str(uuid4())
