"""A beacon: the signed time, and the orders that are withdrawn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from kernelzone import strict
from kernelzone.orders.errors import OrderError

BEACON_TYPE: Final = "application/vnd.kzfleet.beacon+json"
MAX_BEACON_BYTES: Final = 64 * 1024


@dataclass(frozen=True, slots=True)
class Beacon:
    """The authority's time (posix s) and the orders that are withdrawn; part of every answer to reports."""

    v: int
    deployment: UUID
    at: int
    withdrawn: tuple[UUID, ...]


def read_beacon(payload: bytes) -> Beacon:
    """Return the beacon of verified `payload` bytes. Raises: OrderError."""
    try:
        return strict.read(Beacon, strict.load(payload, max_bytes=MAX_BEACON_BYTES), "beacon")
    except strict.StrictError as error:
        raise OrderError(str(error)) from error


def write_beacon(beacon: Beacon) -> bytes:
    """Return the canonical bytes of `beacon`."""
    return strict.canonical(strict.write(beacon))
