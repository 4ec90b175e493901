"""The zones that hosts lost to a forced action while they were away: what the authority signs, and an agent obeys.

A host that comes back must not start such a zone. Host data says so too, where it can be read; a signed obligation
also says it where it cannot, and where boot storage was set back to a copy from before the takeover.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from kernelzone import strict
from kernelzone.orders import ZoneRef
from kernelzone.words import HostId

OBLIGATION_TYPE: Final = "application/vnd.kzfleet.obligation+json"
MAX_OBLIGATIONS_BYTES: Final = 512 * 1024
# so many fit the bytes above, whatever the names in them
MOST_OBLIGATIONS: Final = 1000


class ObligationError(ValueError):
    """Obligations that are not of the form they must have. `code` is FIELD."""

    code = "FIELD"


@dataclass(frozen=True, slots=True)
class Obligation:
    """One zone that the host `owner_hostid` has lost to `new_owner_hostid`.

    `zone`: as the losing host names it. `generation`: of the host data that made the new owner; host data that names
    the loser again counts only above it. `warrant`: the order that took the zone. `since`: posix s.
    """

    obligation: UUID
    owner_hostid: HostId
    zone: ZoneRef
    new_owner_hostid: HostId
    generation: int
    warrant: UUID
    since: int


@dataclass(frozen=True, slots=True)
class Obligations:
    """All that the hosts of one agent have lost and not confirmed. Of two, the later `at` (posix s) holds."""

    v: int
    deployment: UUID
    agent: UUID
    at: int
    obligations: tuple[Obligation, ...]


def read_obligations(payload: bytes) -> Obligations:
    """Return the obligations of verified `payload` bytes. Raises: ObligationError."""
    try:
        found = strict.read(Obligations, strict.load(payload, max_bytes=MAX_OBLIGATIONS_BYTES), "obligations")
    except strict.StrictError as error:
        raise ObligationError(str(error)) from error
    if found.v != 1:
        raise ObligationError("v is not 1")
    return found


def write_obligations(obligations: Obligations) -> bytes:
    """Return the canonical bytes of `obligations`, checked as their reader will check them. Raises: ObligationError."""
    payload = strict.canonical(strict.write(obligations))
    read_obligations(payload)
    return payload
