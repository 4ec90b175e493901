"""Which conflicts open obligations prove: a loser that has come back, and one whose guest still runs. Pure."""

from __future__ import annotations

from apps.conflicts.models import Conflict
from apps.conflicts.seen import Found, ObligationSeen, PlacementSeen, ZoneSeen
from kernelzone.facts import ReadingFacts, RecordFacts, RegionStatus

_ACTIVE = frozenset({"ready", "running"})


def return_pending(zone: ZoneSeen) -> Found | None:
    """Return the conflict of a loser that has come back and has not confirmed that it lost the zone."""
    back = [one for one in zone.obligations if not one.is_silent or one.owner_hostid in zone.returned]
    if not back:
        return None
    first = min(back, key=lambda one: one.since)
    here = placement_at(zone, first.host)
    return Found(
        Conflict.Kind.RETURN_PENDING,
        first.host,
        None,
        {
            "losers": sorted(one.owner_hostid for one in back),
            "owner_hostid": first.new_owner_hostid,
            "state": here.state if here else "not-configured",
            "since": int(first.since.timestamp()),
        },
    )


def running_losers(zone: ZoneSeen) -> list[PlacementSeen]:
    """Return the placements of losers whose guest was seen running after the zone was taken from them."""
    return [
        here
        for one in zone.obligations
        if (here := placement_at(zone, one.host)) is not None
        and here.state in _ACTIVE
        and here.last_seen_at >= one.since
    ]


def has_lost(placement: PlacementSeen, record: RecordFacts) -> bool:
    """Return whether host data says that the zone was taken from this host by force."""
    return "forced" in record.flags and record.previous_owner_hostid == placement.owner_hostid


def placement_at(zone: ZoneSeen, host: int | None) -> PlacementSeen | None:
    """Return the zone's placement on a host."""
    return next((one for one in zone.placements if host is not None and one.host == host), None)


def is_over(one: ObligationSeen, truth: ReadingFacts) -> bool:
    """Return whether what is believed of the owner, newer than the loss, names the loser again."""
    if truth.record is None or truth.record.state == "free" or truth.record.owner_hostid != one.owner_hostid:
        return False
    if truth.status is RegionStatus.IN_USE:  # Solaris: an attach said so, and there is no generation
        return truth.at > one.since.timestamp()
    return truth.generation > one.generation
