"""A report: what an agent says of an order, of a host, or that it is there."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, TypeVar
from uuid import UUID

from kernelzone import strict
from kernelzone.orders.errors import OrderError, demand
from kernelzone.orders.kinds import KINDS, Kind
from kernelzone.words import Digest, HostId

REPORT_TYPE: Final = "application/vnd.kzfleet.report+json"
MAX_REPORT_BYTES: Final = 8 * 1024 * 1024
# the code of an inspection without result: the host is as the digest in the order's args says
UNCHANGED: Final = "UNCHANGED"

T = TypeVar("T")


class ReportState(StrEnum):
    """How far an order is, as its agent says. REFUSED and NOT_APPLIED: nothing was changed."""

    RUNNING = "running"
    DONE = "done"
    REFUSED = "refused"
    FAILED = "failed"
    NOT_APPLIED = "not-applied"
    LOST = "lost"
    UNKNOWN = "unknown"


FINAL_REPORT_STATES: Final = frozenset(ReportState) - {ReportState.RUNNING}


@dataclass(frozen=True, slots=True)
class Progress:
    """How far: `done` of `of`, in words."""

    done: int
    of: int
    what: str


@dataclass(frozen=True, slots=True)
class Report:
    """What an agent says, signed by it.

    `seq` has no gaps within an `epoch` (32 hex digits). `at`: posix s by the agent's clock; `monotonic_ms` and
    `boot_id` place it on the agent's monotonic clock. `order` None: said unasked; then `owner_hostid` names the host
    whose full state (an InspectResult) is in `result`, or is None for a heartbeat (`Heartbeat` in `result`).
    `high_water`: zone uuid to the highest generation this agent has seen.
    """

    v: int
    deployment: UUID
    agent: UUID
    owner_hostid: HostId | None
    epoch: str
    seq: int
    order: UUID | None
    at: int
    monotonic_ms: int
    boot_id: str
    state: ReportState
    progress: Progress | None
    code: str
    lines: tuple[str, ...]
    result: dict[str, Any] | None
    high_water: dict[str, int]


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """For every host the agent can speak for: owner hostid to the digest of its state. A silent host is not listed."""

    hosts: dict[str, Digest]


def read_report(payload: bytes) -> Report:
    """Return the report of verified `payload` bytes. Raises: OrderError."""
    try:
        report = strict.read(Report, strict.load(payload, max_bytes=MAX_REPORT_BYTES), "report")
    except strict.StrictError as error:
        raise OrderError(str(error)) from error
    demand(report.v == 1, "v is not 1")
    demand(report.seq >= 1, "seq begins at 1")
    return report


def write_report(report: Report) -> bytes:
    """Return the canonical bytes of `report`."""
    return strict.canonical(strict.write(report))


def read_result(kind: Kind, result: dict[str, Any] | None) -> Any:
    """Return the result of an order of `kind` as its dataclass, None when the report has none. Raises: OrderError."""
    if result is None:
        return None
    return _read_field(KINDS[kind].result, result)


def read_heartbeat(result: dict[str, Any] | None) -> Heartbeat:
    """Return the heartbeat in a report without order and host. Raises: OrderError."""
    return _read_field(Heartbeat, result)


def _read_field(kind: type[T], value: Any) -> T:
    try:
        return strict.read(kind, value, "result")
    except strict.StrictError as error:
        raise OrderError(str(error)) from error
