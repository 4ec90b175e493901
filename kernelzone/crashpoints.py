"""Places where a test may kill this process, each by its name.

Why in the product: "what if it dies exactly here" can only be answered by dying exactly here. Without
KZ_CRASHPOINT in the environment a crash point costs one look-up and does nothing.
"""

from __future__ import annotations

import os
import signal
from typing import Final

VARIABLE: Final = "KZ_CRASHPOINT"
CRASHPOINTS: Final = (
    "claim.before-intent",
    "claim.after-intent",
    "claim.inside-slot-a",
    "claim.after-slot-a",
    "claim.before-slot-b",
    "claim.inside-slot-b",
    "claim.after-slot-b",
    "claim.before-committed",
    "claim.after-committed",
    "migrate.after-configured",
    "migrate.after-booted-in",
    "migrate.after-marked-out",
    "migrate.after-suspended",
    "migrate.before-handed-over",
    "migrate.after-handed-over",
    "migrate.before-going",
    "migrate.after-going",
)


def is_armed(name: str) -> bool:
    """Return whether this process is to die at the crash point `name`, which must be a registered one."""
    if name not in CRASHPOINTS:
        raise ValueError(f"crash point {name} is not registered")
    return os.environ.get(VARIABLE) == name


def crashpoint(name: str) -> None:
    """End this process by SIGKILL if the crash point `name` is armed."""
    if is_armed(name):
        os.kill(os.getpid(), signal.SIGKILL)
