"""An order, and the warrant in one that is forced."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from kernelzone import strict
from kernelzone.facts import InUse, RegionStatus
from kernelzone.orders.errors import OrderError, demand
from kernelzone.orders.kinds import KINDS, Effect, Kind, KindRules
from kernelzone.words import Digest, HostId, ZoneName

ORDER_TYPE: Final = "application/vnd.kzfleet.order+json"
MAX_ORDER_BYTES: Final = 64 * 1024
# A message carries one signed order a line, and few orders but those of a sweep come together.
MOST_ORDERS_A_MESSAGE: Final = 100
# A warrant is short: what was approved is stale soon. Other orders may wait for a host for a day.
MAX_WARRANT_VALIDITY_S: Final = 600
MAX_ORDER_VALIDITY_S: Final = 24 * 3600
MAX_ATTEMPT: Final = 2


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
    demand(order.v == 1, "v is not 1")
    demand((order.zone is not None) or not rules.needs_zone, "this kind needs a zone")
    demand(
        (order.warrant is not None) == (rules.effect is Effect.FORCED),
        "a warrant belongs to forced kinds only",
    )
    longest = MAX_WARRANT_VALIDITY_S if order.warrant else MAX_ORDER_VALIDITY_S
    demand(0 < order.not_after - order.not_before <= longest, f"valid for at most {longest} s, and not for none")
    if order.warrant is not None:
        _check_warrant(order.warrant)


def _check_warrant(warrant: Warrant) -> None:
    demand(0 <= warrant.attempt <= MAX_ATTEMPT, f"attempt is 0 to {MAX_ATTEMPT}")
    demand(warrant.quorum >= 1, "a quorum is at least 1")
    demand(warrant.policy.max_reading_age_s > 0, "max_reading_age_s is positive")
    demand(bool(warrant.expect.regions), "expect names no region")
