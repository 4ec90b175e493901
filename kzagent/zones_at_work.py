"""On which zones an order is acting: the return guard leaves those alone until their next inspection."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from kernelzone.words import HostId, ZoneName


class ZonesAtWork:
    """Orders enter and leave; the guard acts on a zone only where none is, and none begins there while it does."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._orders: Counter[tuple[HostId, ZoneName | None]] = Counter()
        self._guarded: set[tuple[HostId, ZoneName]] = set()

    @contextmanager
    def order(self, owner_hostid: HostId, zone: ZoneName | None) -> Iterator[None]:
        """An order acts on the zone while the block runs; several may, and host data decides between them.

        zone: None for an order that acts on any zone of the host, as an evacuation does.
        """
        place = (owner_hostid, zone)
        with self._changed:
            self._changed.wait_for(lambda: not self._is_guarded(owner_hostid, zone))
            self._orders[place] += 1
        try:
            yield
        finally:
            with self._changed:
                self._orders[place] -= 1

    @contextmanager
    def guard(self, owner_hostid: HostId, zone: ZoneName) -> Iterator[bool]:
        """Yield whether nobody acts on the zone; then no order begins on it, and no other look, while the block runs.

        Other zones are not waited for: a command on one host may take minutes.
        """
        place = (owner_hostid, zone)
        with self._changed:
            is_at_work = self._orders[place] or self._orders[owner_hostid, None]
            is_idle = not is_at_work and place not in self._guarded
            if is_idle:
                self._guarded.add(place)
        try:
            yield is_idle
        finally:
            if is_idle:
                with self._changed:
                    self._guarded.discard(place)
                    self._changed.notify_all()

    def _is_guarded(self, owner_hostid: HostId, zone: ZoneName | None) -> bool:
        return any(place == (owner_hostid, zone or place[1]) for place in self._guarded)
