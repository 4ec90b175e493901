"""Is the worker still asking its broker for orders?

kombu has had ways to wait for ever on a connection that is no more (kombu 5.7 drops one after 20 s of silence). Such
an agent lives, reports, and gets no order any more. Nothing but a new start ends that for certain; what the agent was
doing meanwhile is recovered from as after any other end.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

# An answer comes every second while the worker has a hand free; kombu's own remedy comes first.
LEAST_SILENCE_S: Final = 30.0


class Pulse:
    """When the broker last answered, and how many orders are in hand. `most`: with so many, nothing is asked for."""

    def __init__(self, most: int, silence_s: float, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._most = most
        self._silence_s = max(silence_s, LEAST_SILENCE_S)
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._in_hand = 0
        self.has_stalled = False
        self._answered_at = monotonic()

    def beat(self) -> None:
        """The broker has answered."""
        with self._lock:
            self._answered_at = self._monotonic()

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Hold one hand busy."""
        with self._lock:
            self._in_hand += 1
        try:
            yield
        finally:
            with self._lock:
                self._in_hand -= 1
                # a worker with all hands full does not ask: its silence begins now
                self._answered_at = self._monotonic()

    def is_stalled(self, broker_answers: Callable[[], bool]) -> bool:
        """Return whether nothing was heard for too long from a broker that does answer others."""
        with self._lock:
            is_silent = self._monotonic() - self._answered_at > self._silence_s and self._in_hand < self._most
        if not is_silent or not broker_answers():
            return False
        self.has_stalled = True
        return True
