"""CPU seconds of this process and of all it started, by what they are: a busy machine slows clocks, hardly these."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Final

_TICK_S: Final = 1 / os.sysconf("SC_CLK_TCK")
# what stands in a command line, and what its process is called here
_ROLES: Final = {
    "-m kzagent run": "agents",
    "uvicorn": "web",
    "-Q control": "control",
    "manage.py sign": "signer",
    "-Q noop": "no-op workers",
    "valkey": "broker",
    "redis": "broker",
}


def cpu_seconds() -> dict[str, float]:
    """Return the CPU seconds so far of this process ("here") and of the processes it started, by role."""
    found = {"here": time.process_time()}
    for pid in _descendants(os.getpid()):
        role = _role(pid)
        found[role] = found.get(role, 0.0) + _used_s(pid)
    return found


def spent(before: dict[str, float], after: dict[str, float]) -> dict[str, float]:
    """Return what was used between two looks, by role."""
    return {role: seconds - before.get(role, 0.0) for role, seconds in after.items()}


def _descendants(pid: int) -> list[int]:
    """Return the processes below this one; none where the system does not tell (/proc)."""
    found: list[int] = []
    for tasks in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in tasks.read_text().split():
            found += [int(child), *_descendants(int(child))]
    return found


def _role(pid: int) -> str:
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return "others"
    return next((role for word, role in _ROLES.items() if word in words), "others")


def _used_s(pid: int) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) * _TICK_S
