"""A flag one thread waits on and others raise."""

from __future__ import annotations

import threading


class Wakeup:
    """Raised any number of times between two waits, it wakes the waiting thread once."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def wake(self) -> None:
        """Wake the thread that waits, or the next one that does."""
        self._event.set()

    def wait(self, timeout_s: float) -> bool:
        """Return whether it was woken within `timeout_s`; the flag is down afterwards."""
        woken = self._event.wait(timeout_s)
        self._event.clear()
        return woken
