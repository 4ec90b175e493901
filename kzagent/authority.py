"""The authority's last word: the newest beacon, and how old it is by the monotonic clock."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Final
from uuid import UUID

from kernelzone import envelope
from kernelzone.orders import BEACON_TYPE, MAX_BEACON_BYTES, Beacon, OrderError, read_beacon
from kzagent.authority_keys import AuthorityKeys
from kzagent.clock import Clock
from kzagent.identity import Settings

logger = logging.getLogger(__name__)

MAX_BEACON_AGE_S: Final = 600
MAX_CLOCK_DIFFERENCE_S: Final = 120
# Beyond so many the known ones are told once more, which changes nothing.
MOST_KNOWN: Final = 10_000


class Authority:
    """What the authority said last. `on_withdrawn` gets each order that is withdrawn, once."""

    def __init__(self, settings: Settings, clock: Clock, keys: AuthorityKeys | None = None) -> None:
        self.keys = keys or AuthorityKeys(settings)
        self._settings = settings
        self._clock = clock
        self._lock = threading.Lock()
        self._beacon: Beacon | None = None
        self._received_ms = 0
        self._withdrawn: set[UUID] = set()
        self.on_withdrawn: Callable[[tuple[UUID, ...]], object] = lambda orders: None

    def hear(self, text: str) -> bool:
        """Return whether `text` is a beacon of the authority, newer than the last one; it is then kept.

        Raises: JournalError when a withdrawal in it could not be kept; it counts when it comes again.
        """
        try:
            verified = envelope.verify(
                text.encode("utf-8"),
                payload_type=BEACON_TYPE,
                keys=self.keys.raw(),
                max_payload_bytes=MAX_BEACON_BYTES,
            )
            beacon = read_beacon(verified.payload)
        except (envelope.EnvelopeError, OrderError, UnicodeEncodeError) as error:
            logger.warning("a beacon was dropped: %s", getattr(error, "code", "FORMAT"))
            return False
        if beacon.v != 1 or beacon.deployment != self._settings.deployment:
            return False
        self._pass_on(beacon)
        return self._keep(beacon)

    def age_s(self) -> float | None:
        """Return how long ago the newest beacon came, None when none came since this agent started."""
        with self._lock:
            if self._beacon is None:
                return None
            return (self._clock.monotonic_ms() - self._received_ms) / 1000

    def has_spoken_lately(self) -> bool:
        """Return whether a beacon came within the time in which it counts."""
        age_s = self.age_s()
        return age_s is not None and age_s <= MAX_BEACON_AGE_S

    def clock_difference_s(self) -> float | None:
        """Return how far the wall clock here is ahead of the newest beacon's, None when none came."""
        with self._lock:
            if self._beacon is None:
                return None
            age_s = (self._clock.monotonic_ms() - self._received_ms) / 1000
            return self._clock.now() - (self._beacon.at + age_s)

    def is_clock_right(self) -> bool:
        """Return whether a recent beacon confirms this machine's wall clock."""
        difference_s = self.clock_difference_s()
        return self.has_spoken_lately() and difference_s is not None and abs(difference_s) <= MAX_CLOCK_DIFFERENCE_S

    def _pass_on(self, beacon: Beacon) -> None:
        # A withdrawal is never undone, so one in an older beacon, or in another of the same second, counts too.
        with self._lock:
            new = tuple(order for order in beacon.withdrawn if order not in self._withdrawn)
        if not new:
            return
        self.on_withdrawn(new)
        with self._lock:
            self._withdrawn = {*new, *(self._withdrawn if len(self._withdrawn) < MOST_KNOWN else ())}

    def _keep(self, beacon: Beacon) -> bool:
        # Only a newer one counts: the web tier may hold one back, and must not make an old one look fresh.
        with self._lock:
            if self._beacon is not None and beacon.at <= self._beacon.at:
                return False
            self._beacon = beacon
            self._received_ms = self._clock.monotonic_ms()
            return True
