"""The kinds of orders, with the args and the result of each."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NamedTuple
from uuid import UUID

from kernelzone.facts import HeldBack, HostFacts, InUse, Outcome, PlacementFacts, ReadingFacts, Sample
from kernelzone.words import Digest, HostId, ZoneName


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
