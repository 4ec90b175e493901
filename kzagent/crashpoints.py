"""Places of the agent where a test may kill it; those inside a claim are in kernelzone.crashpoints.

Armed by the same variable. The sweep in tests/kzagent kills an agent at each name of both lists.
"""

from __future__ import annotations

import os
import signal
from typing import Final

from kernelzone.crashpoints import VARIABLE

CRASHPOINTS: Final = (
    "agent.after-accepted",
    "agent.before-attach",
    "agent.during-attach",
    "agent.after-attach",
    "agent.after-result-stored",
)


def crashpoint(name: str) -> None:
    """End this process by SIGKILL if the crash point `name`, a registered one, is armed."""
    if name not in CRASHPOINTS:
        raise ValueError(f"crash point {name} is not registered")
    if os.environ.get(VARIABLE) == name:
        os.kill(os.getpid(), signal.SIGKILL)
