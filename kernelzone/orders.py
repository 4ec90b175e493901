"""The fields of every order, warrant, report and beacon, read strictly; agent and site both import this module.

An order is bytes signed by the authority key; a report is bytes signed by an agent; a beacon is the signed time with
the withdrawn orders. `kernelzone.envelope` verifies the bytes first, then this module reads exactly those.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, NamedTuple, TypeVar
from uuid import UUID

from kernelzone import strict
from kernelzone.facts import (
    HeldBack,
    HostFacts,
    InUse,
    Outcome,
    PlacementFacts,
    ReadingFacts,
    RegionStatus,
    Sample,
)
from kernelzone.words import Digest, HostId, ZoneName

ORDER_TYPE: Final = "application/vnd.kzfleet.order+json"
REPORT_TYPE: Final = "application/vnd.kzfleet.report+json"
BEACON_TYPE: Final = "application/vnd.kzfleet.beacon+json"

MAX_ORDER_BYTES: Final = 64 * 1024
MAX_REPORT_BYTES: Final = 8 * 1024 * 1024
MAX_BEACON_BYTES: Final = 64 * 1024
# A message carries one signed order a line, and few orders but those of a sweep come together.
MOST_ORDERS_A_MESSAGE: Final = 100
# A warrant is short: what was approved is stale soon. Other orders may wait for a host for a day.
MAX_WARRANT_VALIDITY_S: Final = 600
MAX_ORDER_VALIDITY_S: Final = 24 * 3600
MAX_ATTEMPT: Final = 2
# the code of an inspection without result: the host is as the digest in the order's args says
UNCHANGED: Final = "UNCHANGED"

T = TypeVar("T")


class OrderError(ValueError):
    """An order, report or beacon that is not of the form it must have. `code` is FIELD."""

    code = "FIELD"


class Effect(StrEnum):
    """What running an order twice would do."""

    READ_ONLY = "read-only"
    SAFE = "safe"  # compare-and-swap, or naturally idempotent
    FORCED = "forced"  # at most once, with a warrant


class Kind(StrEnum):
    """The kinds of orders. The kinds of later parts are added here and in `KINDS` only."""

    INSPECT = "inspect"
    PROBE = "probe"
    EXPORT = "export"
    CONFIGURE = "configure"
    INSTALL = "install"
    ATTACH = "attach"
    DETACH = "detach"
    READY = "ready"
    BOOT = "boot"
    HALT = "halt"
    SHUTDOWN = "shutdown"
    SUSPEND = "suspend"
    MIGRATE = "migrate"
    EVACUATE = "evacuate"
    MARK_UNAVAILABLE = "mark-unavailable"
    DISABLE_AUTOBOOT = "disable-autoboot"
    WITHDRAW = "withdraw"
    FORCE_TAKEOVER = "force-takeover"
    INITIALIZE_HOSTDATA = "initialize-hostdata"


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


# --- args and results of the kinds -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class NoArgs:
    """Nothing beside the zone named in the order."""


@dataclass(frozen=True, slots=True)
class InspectArgs:
    """The digest of the host's state that the site has: while it is so, the answer is UNCHANGED. None: wanted whole."""

    known_state: Digest | None


@dataclass(frozen=True, slots=True)
class ProbeArgs:
    """How long boot storage is watched for writes, in seconds, 1 to 600."""

    window_s: int


@dataclass(frozen=True, slots=True)
class ConfigureArgs:
    """A zonecfg command file without key source, at most 32 KiB of text."""

    text: str


@dataclass(frozen=True, slots=True)
class MigrateArgs:
    """Where the zone goes: `target` as `zoneadm migrate` takes it, and the owner hostid of the host that is meant.

    `live_only`: only if the zone runs.
    """

    target: str
    target_hostid: HostId
    dry_run: bool
    live_only: bool


@dataclass(frozen=True, slots=True)
class EvacuateArgs:
    """`every_zone`: also those that do not run. `is_return`: bring back what went away."""

    dry_run: bool
    every_zone: bool
    is_return: bool


@dataclass(frozen=True, slots=True)
class WithdrawArgs:
    """The order that is taken back."""

    order: UUID


@dataclass(frozen=True, slots=True)
class ForcedArgs:
    """How long boot storage must have been quiet right before the act, in seconds."""

    quiet_window_s: int


@dataclass(frozen=True, slots=True)
class ConfigurationText:
    """One exported configuration, its key source removed; `sha256` is of the text."""

    zone: ZoneName
    text: str
    sha256: Digest


@dataclass(frozen=True, slots=True)
class InspectResult:
    """One host, whole: facts, placements, one reading per boot storage, configurations, what its guard holds back."""

    host: HostFacts
    placements: tuple[PlacementFacts, ...]
    readings: tuple[ReadingFacts, ...]
    configurations: tuple[ConfigurationText, ...]
    held_back: tuple[HeldBack, ...] = ()


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """Write samples over the window, and a reading made after it."""

    window_s: int
    samples: tuple[Sample, ...]
    changed_blocks: int
    readings: tuple[ReadingFacts, ...]


@dataclass(frozen=True, slots=True)
class ExportResult:
    """The configuration of one zone."""

    configuration: ConfigurationText


@dataclass(frozen=True, slots=True)
class VerbResult:
    """How a verb ended, and the zone as it was found afterwards. `in_use`: when it was refused for that."""

    outcome: Outcome
    placement: PlacementFacts | None
    readings: tuple[ReadingFacts, ...]
    in_use: InUse | None


@dataclass(frozen=True, slots=True)
class ZoneMoved:
    """What an evacuation made of one zone: evacuated, returned, skipped or failed; "" for no target or no error."""

    zone: ZoneName
    fate: str
    target: str
    error: str


@dataclass(frozen=True, slots=True)
class EvacuateResult:
    """How an evacuation ended as a whole, and zone by zone. What a dry run says is what would be."""

    outcome: Outcome
    zones: tuple[ZoneMoved, ...]


@dataclass(frozen=True, slots=True)
class WithdrawResult:
    """False when the order had reached INTENT before: the veto came too late."""

    withdrawn: bool


class KindRules(NamedTuple):
    """What every part needs to know of a kind."""

    effect: Effect
    needs_zone: bool
    args: type
    result: type


_VERB: Final = KindRules(Effect.SAFE, True, NoArgs, VerbResult)
_FORCED: Final = KindRules(Effect.FORCED, True, ForcedArgs, VerbResult)

KINDS: Final[dict[Kind, KindRules]] = {
    Kind.INSPECT: KindRules(Effect.READ_ONLY, False, InspectArgs, InspectResult),
    Kind.PROBE: KindRules(Effect.READ_ONLY, True, ProbeArgs, ProbeResult),
    Kind.EXPORT: KindRules(Effect.READ_ONLY, True, NoArgs, ExportResult),
    Kind.CONFIGURE: KindRules(Effect.SAFE, True, ConfigureArgs, VerbResult),
    Kind.INSTALL: _VERB,
    Kind.ATTACH: _VERB,
    Kind.DETACH: _VERB,
    Kind.READY: _VERB,
    Kind.BOOT: _VERB,
    Kind.HALT: _VERB,
    Kind.SHUTDOWN: _VERB,
    Kind.SUSPEND: _VERB,
    Kind.MIGRATE: KindRules(Effect.SAFE, True, MigrateArgs, VerbResult),
    Kind.EVACUATE: KindRules(Effect.SAFE, False, EvacuateArgs, EvacuateResult),
    Kind.MARK_UNAVAILABLE: _VERB,
    Kind.DISABLE_AUTOBOOT: _VERB,
    Kind.WITHDRAW: KindRules(Effect.SAFE, False, WithdrawArgs, WithdrawResult),
    Kind.FORCE_TAKEOVER: _FORCED,
    Kind.INITIALIZE_HOSTDATA: _FORCED,
}


# --- orders ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ZoneRef:
    """A zone as an order names it; the uuid is None while no host data was ever read."""

    name: ZoneName
    uuid: UUID | None


@dataclass(frozen=True, slots=True)
class Approver:
    """One person's yes: who, when (posix s), and the number of its event in the history."""

    person: UUID
    at: int
    event: int


@dataclass(frozen=True, slots=True)
class PolicyRef:
    """The policy version a request was made under. `max_reading_age_s`: how old its reading may be at the act."""

    id: str
    version: int
    max_reading_age_s: int


@dataclass(frozen=True, slots=True)
class ReadingRef:
    """The reading the decision rests on, as the agent's own journal knows it."""

    nonce: str
    epoch: str
    boot_id: str


@dataclass(frozen=True, slots=True)
class RegionDigest:
    """One boot storage and the raw digest of its two slots."""

    device: str
    raw_sha256: Digest


@dataclass(frozen=True, slots=True)
class Expectation:
    """What host data must say right before the act. `record_sha256` is None where no record could be read."""

    status: RegionStatus
    generation: int
    record_sha256: Digest | None
    regions: tuple[RegionDigest, ...]
    in_use: InUse | None


@dataclass(frozen=True, slots=True)
class Warrant:
    """What lets one agent run one forced action once.

    `attempt`: 0 to 2. `checkpoint`, `proofs` and `fence` are None until those parts exist; their places are here.
    """

    id: UUID
    attempt: int
    requester: UUID
    approvers: tuple[Approver, ...]
    quorum: int
    break_glass: bool
    policy: PolicyRef
    evidence_sha256: Digest
    reason_sha256: Digest
    reading: ReadingRef
    expect: Expectation
    high_water: int
    checkpoint: str | None
    proofs: str | None
    fence: str | None


@dataclass(frozen=True, slots=True)
class Order:
    """One signed instruction to one agent about one host. Times are posix seconds."""

    v: int
    deployment: UUID
    order: UUID
    kind: Kind
    agent: UUID
    owner_hostid: HostId
    zone: ZoneRef | None
    not_before: int
    not_after: int
    args: dict[str, Any]
    warrant: Warrant | None

    @property
    def rules(self) -> KindRules:
        """The rules of this order's kind."""
        return KINDS[self.kind]

    def read_args(self) -> Any:
        """Return the args as the dataclass of the kind; `read_order` has checked that they are."""
        return strict.read(self.rules.args, self.args, "/args")


def read_order(payload: bytes) -> Order:
    """Return the order of verified `payload` bytes.

    Raises: OrderError for anything but exactly the fields of its kind, a warrant on a kind without one, a forced
    kind without, or times that no rule allows.
    """
    try:
        order = strict.read(Order, strict.load(payload, max_bytes=MAX_ORDER_BYTES), "order")
        _check_order(order)
        order.read_args()
    except strict.StrictError as error:
        raise OrderError(str(error)) from error
    return order


def write_order(order: Order) -> bytes:
    """Return the canonical bytes of `order`, checked as its reader will check them. Raises: OrderError."""
    payload = strict.canonical(strict.write(order))
    read_order(payload)
    return payload


def _check_order(order: Order) -> None:
    rules = KINDS[order.kind]
    _demand(order.v == 1, "v is not 1")
    _demand((order.zone is not None) or not rules.needs_zone, "this kind needs a zone")
    _demand(
        (order.warrant is not None) == (rules.effect is Effect.FORCED),
        "a warrant belongs to forced kinds only",
    )
    longest = MAX_WARRANT_VALIDITY_S if order.warrant else MAX_ORDER_VALIDITY_S
    _demand(0 < order.not_after - order.not_before <= longest, f"valid for at most {longest} s, and not for none")
    if order.warrant is not None:
        _check_warrant(order.warrant)


def _check_warrant(warrant: Warrant) -> None:
    _demand(0 <= warrant.attempt <= MAX_ATTEMPT, f"attempt is 0 to {MAX_ATTEMPT}")
    _demand(warrant.quorum >= 1, "a quorum is at least 1")
    _demand(warrant.policy.max_reading_age_s > 0, "max_reading_age_s is positive")
    _demand(bool(warrant.expect.regions), "expect names no region")


# --- reports ---------------------------------------------------------------------------------------------------------


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
    _demand(report.v == 1, "v is not 1")
    _demand(report.seq >= 1, "seq begins at 1")
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


# --- beacons ---------------------------------------------------------------------------------------------------------


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


def _demand(holds: bool, rule: str) -> None:
    if not holds:
        raise OrderError(rule)
