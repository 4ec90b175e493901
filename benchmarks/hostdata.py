"""Host data against its bare parts, side by side: `python benchmarks/hostdata.py [folder]`.

Goal: at most 1.5x, for reading and verifying one zone's host data (four pread, two checksums, two HKDF, two
AESCCM) and for a claim (four synchronous writes and the re-reads). Both sides are measured in turns on the
same file, and the medians are compared: a busy machine slows both alike.
"""

from __future__ import annotations

import hashlib
import mmap
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from uuid import UUID

from cryptography.hazmat.primitives.ciphers.aead import AESCCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from kernelzone.hostdata import (
    SLOT_OFFSETS,
    Device,
    HostDataState,
    Intent,
    Outcome,
    Record,
    change_host_data,
    initialise_host_data,
    read_region,
)
from kernelzone.hostdata import record as record_module
from kernelzone.hostdata.perform import perform_claim

ZONE_KEY, ZONE_UUID, AGENT = bytes(range(16)), UUID(int=1), UUID(int=2)
READS, CLAIMS, GOAL = 400, 60, 1.5


class NoJournal:
    """Keeps nothing: the journal is no part of what is compared."""

    def intent(self, old_a: bytes, old_b: bytes, new_a: bytes, new_b: bytes) -> None: ...

    def committed(self) -> None: ...

    def closed(self, outcome: str) -> None: ...


def main() -> int:
    """Print both comparisons; return 1 when one misses its goal."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else None
    with tempfile.TemporaryDirectory(dir=folder) as place:
        device = prepared(Path(place))
        met = [compare_reading(device), compare_claim(device, Path(place))]
    return 0 if all(met) else 1


def prepared(place: Path) -> Device:
    """Return the storage of a running zone."""
    (place / "disk").touch()
    device = Device(place / "disk")
    device.initialise_region()
    record = Record(
        state=HostDataState.RUNNING,
        owner_hostid="848611d4",
        owner_hostname="global2",
        owner_agent=AGENT,
        updated_at=1397419693,
        incarnation=os.urandom(16),
    )
    seal = {"zone_key": ZONE_KEY, "zone_uuid": ZONE_UUID, "agent": AGENT}
    initialise_host_data(device, record=record, journal=NoJournal(), lock_path=place / "lock", **seal)
    return device


def compare_reading(device: Device) -> bool:
    flags = os.O_RDONLY | (os.O_DIRECT if device.is_direct() else 0)
    fd = os.open(device.path, flags)
    page = mmap.mmap(-1, 16384)

    def bare() -> None:
        a, b = bare_reads(fd, page)
        for slot, image in enumerate((a, b)):
            bare_slot(image, slot)

    def whole() -> None:
        region = read_region(*device.read_slots(), zone_key=ZONE_KEY, zone_uuid=ZONE_UUID)
        assert region.status == "CLEAN"

    def whole_and_new() -> None:
        record_module._record.cache_clear()
        whole()

    try:
        shown("  (a record never seen before)", *measured(whole_and_new, bare, READS))
        return shown("read and verify one zone", *measured(whole, bare, READS))
    finally:
        os.close(fd)


def compare_claim(device: Device, place: Path) -> bool:
    """A claim and its bare I/O swap the same two pairs of images to and fro."""
    first = device.read_slots()
    seal = {"zone_key": ZONE_KEY, "zone_uuid": ZONE_UUID, "agent": AGENT}
    change_host_data(
        device, change=lambda truth: replace(truth, updated_at=2), journal=NoJournal(),
        lock_path=place / "lock", **seal,
    )  # fmt: skip
    pairs = [device.read_slots(), first]

    def whole() -> None:
        outcome = perform_claim(Intent(pairs[0], pairs[1]), device, NoJournal())
        assert outcome is Outcome.CLAIMED
        pairs.reverse()

    def bare() -> None:
        bare_claim(device.path, pairs[1])
        pairs.reverse()

    return shown("claim", *measured(whole, bare, CLAIMS))


def bare_reads(fd: int, page: mmap.mmap) -> tuple[bytes, bytes]:
    view = memoryview(page)
    for place in range(4):
        os.preadv(fd, [view[place * 4096 : place * 4096 + 4096]], SLOT_OFFSETS[place % 2])
    return page[:4096], page[4096:8192]


def bare_slot(image: bytes, slot: int) -> None:
    hashlib.sha256(image[:4064]).digest()
    purpose = b"kzfleet/kzhd/1/aes-128-ccm\x00" + ZONE_UUID.bytes + bytes((slot,)) + image[16:24]
    key = HKDF(algorithm=SHA256(), length=16, salt=image[56:72], info=purpose).derive(ZONE_KEY)
    AESCCM(key, 16).decrypt(image[72:85], image[128:2192], image[:128])


def bare_claim(path: Path, images: tuple[bytes, bytes]) -> None:
    """The I/O of W1 to W5 and nothing else: read, write A, read, write B, read; each write by itself, flushed."""
    page, slot_page = mmap.mmap(-1, 16384), mmap.mmap(-1, 4096)
    bare_open_reads(path, page)
    for slot, image in enumerate(images):
        slot_page[:] = image
        fd = os.open(path, os.O_RDWR | os.O_DSYNC)
        os.pwrite(fd, slot_page, SLOT_OFFSETS[slot])
        os.fsync(fd)
        os.close(fd)
        bare_open_reads(path, page)


def bare_open_reads(path: Path, page: mmap.mmap) -> None:
    fd = os.open(path, os.O_RDONLY | os.O_DIRECT)
    bare_reads(fd, page)
    os.close(fd)


def measured(whole: Callable[[], None], bare: Callable[[], None], times: int) -> tuple[float, float]:
    """Return the median seconds of both, measured in turns."""
    taken: tuple[list[float], list[float]] = ([], [])
    for _ in range(times):
        for action, seconds in zip((whole, bare), taken, strict=True):
            began = time.perf_counter()
            action()
            seconds.append(time.perf_counter() - began)
    return statistics.median(taken[0]), statistics.median(taken[1])


def shown(what: str, whole_s: float, bare_s: float) -> bool:
    ratio = whole_s / bare_s
    verdict = "met" if ratio <= GOAL else "MISSED"
    print(f"{what:30} {whole_s * 1e6:9.1f} us   bare parts {bare_s * 1e6:9.1f} us   {ratio:.2f}x of {GOAL}x {verdict}")
    return ratio <= GOAL


if __name__ == "__main__":
    sys.exit(main())
