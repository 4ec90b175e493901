"""On which zones an order is acting: the return guard leaves those alone until their next inspection."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from kernelzone.words import HostId, ZoneName


class ZonesAtWork:
    """Orders enter and leave; the guard acts only where none is, and none begins while it does."""

    def __init__(self) -> None:
        self._changing = threading.Lock()
        self._orders: Counter[tuple[HostId, ZoneName]] = Counter()

    @contextmanager
    def order(self, owner_hostid: HostId, zone: ZoneName) -> Iterator[None]:
        """An order acts on the zone while the block runs; several may, and host data decides between them."""
        with self._changing:
            self._orders[owner_hostid, zone] += 1
        try:
            yield
        finally:
            with self._changing:
                self._orders[owner_hostid, zone] -= 1

    @contextmanager
    def guard(self, owner_hostid: HostId, zone: ZoneName) -> Iterator[bool]:
        """Yield whether no order acts on the zone; then none begins, here or on another zone, while the block runs."""
        with self._changing:
            yield not self._orders[owner_hostid, zone]
