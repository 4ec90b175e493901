"""Telling the one that started this process how it is, where it asked to be told: systemd.

Source: sd_notify(3): a datagram of NAME=VALUE lines to the socket that NOTIFY_SOCKET names. Elsewhere nothing happens.
"""

from __future__ import annotations

import os
import socket
from typing import Final

VARIABLE: Final = "NOTIFY_SOCKET"
READY: Final = "READY=1"
ALIVE: Final = "WATCHDOG=1"
STOPPING: Final = "STOPPING=1"


def tell(state: str) -> None:
    """Send one state; a supervisor that is not there, or does not listen, changes nothing."""
    address = os.environ.get(VARIABLE, "")
    if not address:
        return
    # "@": a name outside the file system, which the kernel writes with a leading zero byte
    name = "\0" + address[1:] if address.startswith("@") else address
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.sendto(state.encode("ascii"), name)
    except OSError:
        pass  # it asks again, and ends a process that stays silent
