"""Storage and journals that misbehave in one way at a time, in the place of `hostdata.Device`."""

from __future__ import annotations

from kernelzone.hostdata import HostDataError


class MemoryDevice:
    """Two slots in memory. `before_write`, `before_read`: called with the count so far, to let others act there."""

    def __init__(self, slots):
        self.slots = list(slots)
        self.writes = self.reads = 0
        self.before_write = self.before_read = lambda count: None

    def read_slots(self):
        self.before_read(self.reads)
        self.reads += 1
        return tuple(self.slots)

    def write_slot(self, slot, image):
        self.before_write(self.writes)
        self.writes += 1
        self.store(slot, image)

    def store(self, slot, image):
        self.slots[slot] = image

    def is_direct(self):
        return True


class LosesWrite(MemoryDevice):
    """Confirms write number `lost` and keeps the old bytes (F12)."""

    def __init__(self, slots, lost):
        super().__init__(slots)
        self.lost = lost

    def store(self, slot, image):
        if self.writes - 1 != self.lost:
            super().store(slot, image)


class Misdirects(MemoryDevice):
    """Puts the image of slot A where slot B is (F13)."""

    def store(self, slot, image):
        super().store(1, image)


class FailsWrite(MemoryDevice):
    """Answers write number `failed` with an I/O error, after storing `kept` of its 8 sectors (F11)."""

    def __init__(self, slots, failed, kept, *, direct=True):
        super().__init__(slots)
        self.failed, self.kept, self.direct = failed, kept, direct

    def store(self, slot, image):
        if self.writes - 1 != self.failed:
            super().store(slot, image)
            return
        size = self.kept * 512
        super().store(slot, image[:size] + self.slots[slot][size:])
        raise HostDataError("HD_IO", "injected")

    def is_direct(self):
        return self.direct


class CannotRead(MemoryDevice):
    """Cannot be read from reading number `first` on (F28)."""

    def __init__(self, slots, first, code="HD_IO"):
        super().__init__(slots)
        self.first, self.code = first, code

    def read_slots(self):
        if self.reads >= self.first:
            raise HostDataError(self.code)
        return super().read_slots()


class StaleReads(MemoryDevice):
    """Takes writes and keeps showing what it held at the beginning (F28)."""

    def __init__(self, slots):
        super().__init__(slots)
        self.shown = tuple(slots)

    def read_slots(self):
        super().read_slots()
        return self.shown


class ListJournal:
    """Keeps entries in order; fails at the entry named by `fails_at`."""

    def __init__(self, fails_at=None):
        self.entries, self.images, self.fails_at = [], None, fails_at

    def _keep(self, name, entry):
        if name == self.fails_at:
            raise OSError(28, "No space left on device")
        self.entries.append(entry)

    def intent(self, *four):
        self._keep("intent", "intent")
        self.images = four

    def committed(self):
        self._keep("committed", "committed")

    def closed(self, outcome):
        self._keep("closed", f"closed {outcome}")
