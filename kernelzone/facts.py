"""What a driver finds out about a host: plain values that agents report and the site stores.

Unknown is a value: a field that could not be read is None, or the state is `unknown`; nothing is guessed.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final
from uuid import UUID

from kernelzone.words import Digest, HostId, ZoneName


class RegionStatus(StrEnum):
    """What the two slots of a boot storage prove, or why they could not be read (host-data format, part Read)."""

    CLEAN = "CLEAN"
    CLAIM = "CLAIM"
    SINGLE_A = "SINGLE_A"
    SINGLE_B = "SINGLE_B"
    SPLIT = "SPLIT"
    UNREADABLE = "UNREADABLE"
    BLANK = "BLANK"
    UNSTABLE = "UNSTABLE"  # two reads differed three times: somebody is writing
    NO_STORAGE = "NO_STORAGE"  # the device could not be opened or read
    IN_USE = "IN_USE"  # not read: an attach on Solaris, refused or not, said who uses the zone; `at` is when
    HIDDEN = "HIDDEN"  # not read: Solaris shows host data to nobody, and no attach has said anything


NAMES_OWNER: Final = frozenset({RegionStatus.CLEAN, RegionStatus.IN_USE})
"""With a record in it, such a reading names the owner."""


@dataclass(frozen=True, slots=True)
class HostFacts:
    """One host as it says it is. `boot_id` changes with every start of the host; `at` is its own clock, posix s.

    `maintenance`: why `sysadm maintain` keeps zones away from it; None when it does not, or was not asked.
    """

    owner_hostid: HostId
    hostname: str
    boot_environment: str
    boot_environment_uuid: UUID
    release: str
    boot_id: str
    at: int
    maintenance: str | None = None


@dataclass(frozen=True, slots=True)
class BootDevice:
    """One boot storage of a configuration: its normalised URI and the NAA/EUI ids the URI names."""

    uri: str
    device_ids: tuple[str, ...]
    id: int
    bootpri: int


@dataclass(frozen=True, slots=True)
class PlacementFacts:
    """One zone as one host knows it. `key_id`: 32 hex digits, of the configured key, None without a key.

    `evacuation_target`: where `sysadm evacuate` would take it, None where nothing is set or nobody asked.
    """

    zone: ZoneName
    zone_uuid: UUID | None
    state: str
    auxiliary: tuple[str, ...]
    autoboot: bool
    boot_storage: tuple[BootDevice, ...]
    key_id: str | None
    configuration_sha256: Digest | None
    evacuation_target: str | None = None


@dataclass(frozen=True, slots=True)
class RecordFacts:
    """What one verified host-data record says. `updated_at`: posix s by the owner's clock, information only.

    `state`: free installed ready running suspended migrating-out unavailable. `flags`: forced initialised repaired.
    """

    state: str
    owner_hostid: HostId
    owner_hostname: str
    boot_environment: str | None
    boot_environment_uuid: UUID | None
    updated_at: int
    flags: tuple[str, ...]
    incarnation: str
    warrant_sha256: Digest | None
    previous_owner_hostid: HostId | None
    previous_owner_hostname: str | None
    is_suspended: bool


@dataclass(frozen=True, slots=True)
class ReadingFacts:
    """One look at the host data of one boot storage.

    `nonce`: 32 hex digits chosen by the reader, names the reading in a warrant. `at`: posix s by the reader's clock.
    `device`: the normalised URI. `raw_sha256`: of both slot images; None when they could not be read. `record`: the
    truth, `claim`: an unfinished claim over it. `key_ids`: 32 hex digits each, read from the slot headers.
    `slot_errors`: slot "A" or "B" to its HD_ code. `warning`: ROLLBACK, CLONE_SUSPECTED or KEY_UNKNOWN.
    """

    nonce: str
    zone: ZoneName
    at: int
    device: str
    device_ids: tuple[str, ...]
    status: RegionStatus
    generation: int
    zone_uuid: UUID | None
    raw_sha256: Digest | None
    record_sha256: Digest | None
    record: RecordFacts | None
    claim: RecordFacts | None
    key_ids: tuple[str, ...]
    configured_key_id: str | None
    slot_errors: dict[str, str]
    warning: str | None


@dataclass(frozen=True, slots=True)
class HeldBack:
    """One zone that the return guard keeps from booting on a host, as it was found afterwards.

    `why`: `host-data` (it names another owner) or `obligation` (a signed one stands, named in `obligation`).
    `owner_hostid`: who has the zone. `state`: as in PlacementFacts, or `not-configured`.
    """

    zone: ZoneName
    why: str
    owner_hostid: HostId
    obligation: UUID | None
    state: str
    autoboot: bool


@dataclass(frozen=True, slots=True)
class InUse:
    """The six fields `zoneadm attach` prints when another host uses the zone; the time is kept as text.

    Source: Oracle Solaris 11.4 kernel zones guide, Storage Information From Host Data.
    """

    owner_hostid: HostId
    last_known_state: str
    hostname: str
    boot_environment: str
    boot_environment_uuid: str
    last_update_time: str


@dataclass(frozen=True, slots=True)
class Sample:
    """One look at boot storage while watching for writes: blocks looked at, and how many had changed since the last.

    `at_ms`: since the window began. `device`: the normalised URI.
    """

    at_ms: int
    device: str
    blocks: int
    changed_blocks: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one verb ended. `code`: DONE or what is wrong (UNPARSED when its words are not known). `lines`: redacted."""

    verb: str
    is_done: bool
    exit_code: int | None
    code: str
    lines: tuple[str, ...]
