"""Two places that speak with one key: a copied agent directory, or a machine that was cloned with its agent in it.

An agent gives each number of an epoch to one report, and never speaks in an epoch again that it has replaced. So the
same number with other content, or an old epoch that speaks after the new one began, proves a second place.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from apps.jobs.models import ReportSeen
from kernelzone.orders import Report

# as many reports are compared with what comes again; a copy meets its original at the first number it uses
KEPT: Final = 256
# clocks of two machines that both keep time differ by no more
CLOCKS_DIFFER_S: Final = 120
_DIGEST_BYTES: Final = 8
_SLOT_BYTES: Final = 4 + _DIGEST_BYTES
_BOOT_ID_LENGTH: Final = 64


class Posted(NamedTuple):
    """One verified envelope. `report` is None when its fields are not all as they must be: ingestion says why."""

    envelope: bytes
    payload: bytes
    epoch: str
    seq: int
    report: Report | None


class Double(NamedTuple):
    """A report that proves a second place, and why in words."""

    posted: Posted
    why: str


def find_double(posted: Iterable[Posted], seen: Mapping[str, ReportSeen], epoch: str) -> Double | None:
    """Return the first report that a single agent cannot have made, None when all are of one place.

    seen: by epoch, as far as known. epoch: the agent's present one.
    """
    for one in posted:
        known = seen.get(one.epoch)
        if known is None:
            continue
        if is_other(known, one):
            return Double(one, "one number was given to two reports")
        if one.epoch != epoch and not _is_held(known, one) and _spoke_after(one, seen.get(epoch)):
            return Double(one, "an epoch that was replaced went on")
    return None


def note_digest(seen: ReportSeen, posted: Posted) -> None:
    """Keep the digest of a report that is stored now; the row is saved by the caller."""
    ring = bytearray(bytes(seen.digests).ljust(KEPT * _SLOT_BYTES, b"\0"))
    at = _SLOT_BYTES * (posted.seq % KEPT)
    ring[at : at + _SLOT_BYTES] = _slot(posted)
    seen.digests = bytes(ring)


def note_begin(seen: ReportSeen, posted: Posted) -> None:
    """Keep when, by the agent's clocks, its epoch began; the row is saved by the caller."""
    if posted.report is not None:
        seen.began_at = posted.report.at
        seen.began_monotonic_ms = posted.report.monotonic_ms
        seen.began_boot_id = posted.report.boot_id[:_BOOT_ID_LENGTH]


def is_other(seen: ReportSeen, posted: Posted) -> bool:
    """Return whether another report was stored under this number, as far as that is remembered."""
    at = _SLOT_BYTES * (posted.seq % KEPT)
    kept = bytes(seen.digests)[at : at + _SLOT_BYTES]
    slot = _slot(posted)
    return kept[:4] == slot[:4] and kept != slot


def _slot(posted: Posted) -> bytes:
    return (posted.seq % 2**32).to_bytes(4, "big") + hashlib.sha256(posted.payload).digest()[:_DIGEST_BYTES]


def _is_held(seen: ReportSeen, posted: Posted) -> bool:
    return posted.seq <= seen.contiguous_seq or posted.seq in seen.later


def _spoke_after(posted: Posted, present: ReportSeen | None) -> bool:
    """Return whether the report was made, by its own clocks, after the present epoch had begun."""
    report = posted.report
    if report is None or present is None or present.began_at is None or present.began_monotonic_ms is None:
        return False
    if report.boot_id[:_BOOT_ID_LENGTH] == present.began_boot_id:
        return report.monotonic_ms > present.began_monotonic_ms
    return report.at > present.began_at + CLOCKS_DIFFER_S
