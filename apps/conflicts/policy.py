"""Which conflicts the newest readings and placements of one zone prove. Pure: no row is read or written here.

Precedence on one block: both slots another key's: `key-wrong`; a tag that does not verify under the right key, or a
rollback: `tampered`; else `torn`.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Final

from apps.conflicts.models import Conflict
from apps.conflicts.policy_identity import are_two_zones, hostid_collision, storage_shared
from apps.conflicts.policy_returns import has_lost, return_pending, running_losers
from apps.conflicts.seen import Found, PlacementSeen, SightingSeen, ZoneSeen
from kernelzone.facts import NAMES_OWNER, ReadingFacts, RecordFacts, RegionStatus
from kernelzone.ownership import is_over, weight

Kind = Conflict.Kind
Severity = Conflict.Severity

SEVERITY: Final = {
    Kind.FORCED_OUTSIDE: Severity.CRITICAL,
    Kind.DOUBLE_RUN: Severity.CRITICAL,
    Kind.TAMPERED: Severity.CRITICAL,
    Kind.HOSTID_COLLISION: Severity.CRITICAL,
    Kind.HELD_ELSEWHERE: Severity.HIGH,
    Kind.KEY_WRONG: Severity.HIGH,
    Kind.TORN: Severity.HIGH,
    Kind.STORAGE_SHARED: Severity.HIGH,
    Kind.RETURN_PENDING: Severity.HIGH,
    Kind.STALE_CONFIGURATION: Severity.LOW,
}

_ACTIVE: Final = frozenset({"ready", "running"})
_IN_USE: Final = frozenset({"installed", "ready", "running"})
_LEFT: Final = frozenset({"configured", "unavailable"})
_STAYS_PROVED: Final = frozenset({"ROLLBACK", "CLONE_SUSPECTED"})
_TORN: Final = frozenset(
    {
        RegionStatus.CLAIM,
        RegionStatus.SINGLE_A,
        RegionStatus.SINGLE_B,
        RegionStatus.SPLIT,
        RegionStatus.UNREADABLE,
    }
)


def conflicts_of(zone: ZoneSeen) -> list[Found]:
    """Return the conflicts of one zone, at most one of each kind."""
    found = (rule(zone) for rule in RULES)
    return [one for one in found if one is not None]


def truth_of(zone: ZoneSeen) -> tuple[SightingSeen, RecordFacts] | None:
    """Return the sighting that is believed of the owner, with its record; None when none names one.

    The CLEAN one of the highest generation; else the newest that an attach on Solaris amounts to.
    """
    named = [
        (seen, seen.facts.record)
        for seen in zone.sightings
        if seen.facts.status in NAMES_OWNER
        and seen.facts.record is not None
        and not is_over(seen.facts, zone.placements)
    ]
    return max(named, key=_weight, default=None)


def _weight(pair: tuple[SightingSeen, RecordFacts]) -> tuple[tuple[bool, int, int], datetime]:
    facts = pair[0].facts
    return weight(facts.status, facts.generation, facts.at), pair[0].confirmed_at


def _held_elsewhere(zone: ZoneSeen) -> Found | None:
    truth = truth_of(zone)
    if truth is None or truth[1].state == "free":
        return None
    seen, record = truth
    wanting = [one for one in zone.placements if _wants(one, record, zone)]
    if not wanting:
        return None
    claimant = max(wanting, key=lambda one: (one.state == "unavailable", one.last_seen_at))
    own = _sighting_from(zone, claimant.host) or seen
    return Found(
        Kind.HELD_ELSEWHERE,
        claimant.host,
        own.reading,
        {
            "owner_hostid": record.owner_hostid,
            "owner_hostname": record.owner_hostname,
            "state": record.state,
            "generation": seen.facts.generation,
            "claimants": sorted(one.owner_hostid for one in wanting),
        },
    )


def _wants(placement: PlacementSeen, record: RecordFacts, zone: ZoneSeen) -> bool:
    """Whether this host wants the zone: it could not have it, or the owner shows no sign of having it at all."""
    if placement.owner_hostid == record.owner_hostid:
        return False
    if placement.is_silent and placement.owner_hostid not in zone.claimants:
        return False
    if placement.state == "unavailable" and not has_lost(placement, record):
        return True
    return placement.state in _LEFT and not _owner_has_it(zone, record)


def _owner_has_it(zone: ZoneSeen, record: RecordFacts) -> bool:
    return any(
        one.owner_hostid == record.owner_hostid and one.state in _IN_USE and not one.is_silent
        for one in zone.placements
    )


def _stale_configuration(zone: ZoneSeen) -> Found | None:
    truth = truth_of(zone)
    if truth is None or not _owner_has_it(zone, truth[1]):
        return None
    theirs = [one for one in zone.placements if one.owner_hostid == truth[1].owner_hostid]
    left = [
        one
        for one in zone.placements
        if _is_left(one, truth[1]) and not any(are_two_zones(one, other) for other in theirs)
    ]
    if not left:
        return None
    return Found(
        Kind.STALE_CONFIGURATION,
        left[0].host,
        truth[0].reading,
        {"owner_hostid": truth[1].owner_hostid, "left_on": sorted(one.owner_hostid for one in left)},
    )


def _is_left(placement: PlacementSeen, record: RecordFacts) -> bool:
    """Whether the host has the zone configured and nothing more; one it was taken from stays unavailable there."""
    if placement.owner_hostid == record.owner_hostid:
        return False
    return placement.state == "configured" or (placement.state == "unavailable" and has_lost(placement, record))


def _double_run(zone: ZoneSeen) -> Found | None:
    active = [one for one in zone.placements if one.state in _ACTIVE and not _migrates(one)]
    together = [one for one in active if any(other is not one and _overlap(one, other) for other in active)]
    # one that runs where the zone was taken is alarm enough: the new owner may start it at any moment
    together += [one for one in running_losers(zone) if one not in together and not _migrates(one)]
    if not together:
        return None
    newest = max(together, key=lambda one: one.state_since)
    return Found(
        Kind.DOUBLE_RUN,
        newest.host,
        None,
        {"running_on": sorted(one.owner_hostid for one in together)},
    )


def _migrates(placement: PlacementSeen) -> bool:
    return any(word.startswith("migrating") for word in placement.auxiliary)


def _overlap(one: PlacementSeen, other: PlacementSeen) -> bool:
    """Whether both were seen active at one time; a report from before the other's start proves nothing."""
    return one.last_seen_at >= other.state_since and other.last_seen_at >= one.state_since


def _key_wrong(zone: ZoneSeen) -> Found | None:
    return _first_block(zone, Kind.KEY_WRONG, _is_key_wrong)


def _tampered(zone: ZoneSeen) -> Found | None:
    return _first_block(zone, Kind.TAMPERED, lambda facts: not _is_key_wrong(facts) and _is_tampered(facts))


def _torn(zone: ZoneSeen) -> Found | None:
    return _first_block(zone, Kind.TORN, lambda facts: not _is_key_wrong(facts) and _is_torn(facts))


def _is_key_wrong(facts: ReadingFacts) -> bool:
    return facts.warning == "KEY_UNKNOWN" or _errors(facts) == ["HD_KEYID", "HD_KEYID"]


def _is_tampered(facts: ReadingFacts) -> bool:
    return "HD_TAG" in _errors(facts) or facts.warning == "ROLLBACK"


def _is_torn(facts: ReadingFacts) -> bool:
    return facts.status in _TORN and not _is_tampered(facts)


def _errors(facts: ReadingFacts) -> list[str]:
    return [facts.slot_errors[slot] for slot in sorted(facts.slot_errors)]


def _is_out_of_date(one: SightingSeen, zone: ZoneSeen) -> bool:
    """Whether somebody read other, whole host data there since: what was wrong then is repaired.

    A key that does not fit stays wrong while the newer host data is under another key too; a rollback stays proved.
    """
    if one.facts.warning in _STAYS_PROVED:
        return False
    return any(
        other.storage == one.storage
        and other.facts.status is RegionStatus.CLEAN
        and other.facts.warning is None
        and other.confirmed_at > one.confirmed_at
        and other.facts.raw_sha256 != one.facts.raw_sha256
        and (not _is_key_wrong(one.facts) or one.facts.configured_key_id in other.facts.key_ids)
        for other in zone.sightings
    )


def _first_block(zone: ZoneSeen, kind: Conflict.Kind, holds: Callable[[ReadingFacts], bool]) -> Found | None:
    seen = next((one for one in zone.sightings if holds(one.facts) and not _is_out_of_date(one, zone)), None)
    if seen is None:
        return None
    facts = seen.facts
    return Found(
        kind,
        seen.host,
        seen.reading,
        {
            "device": facts.device,
            "status": facts.status.value,
            "slot_errors": facts.slot_errors,
            "warning": facts.warning,
            "key_ids": list(facts.key_ids),
            "configured_key_id": facts.configured_key_id,
        },
    )


def _forced_outside(zone: ZoneSeen) -> Found | None:
    truth = truth_of(zone)
    if truth is None:
        return None
    seen, record = truth
    by_hand = {"forced", "initialised"} & set(record.flags)
    if not by_hand or (record.warrant_sha256 or "") in zone.warranted:
        return None
    return Found(
        Kind.FORCED_OUTSIDE,
        seen.host,
        seen.reading,
        {
            "owner_hostid": record.owner_hostid,
            "owner_hostname": record.owner_hostname,
            "previous_owner_hostid": record.previous_owner_hostid,
            "flags": sorted(by_hand),
            "generation": seen.facts.generation,
        },
    )


def _sighting_from(zone: ZoneSeen, host: int) -> SightingSeen | None:
    return next((seen for seen in zone.sightings if seen.host == host), None)


RULES: Final[tuple[Callable[[ZoneSeen], Found | None], ...]] = (
    _forced_outside,
    _double_run,
    _tampered,
    _held_elsewhere,
    _key_wrong,
    _torn,
    _stale_configuration,
    return_pending,
    storage_shared,
    hostid_collision,
)
