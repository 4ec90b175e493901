"""What the return guard goes by: whose a zone is, as one host's readings of its host data prove it. Pure.

own        CLEAN host data on every boot storage names this host
lost       CLEAN host data on every boot storage names another owner
unproven   anything else: unreadable, torn, set back, contradictory, free, never read
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Final, NamedTuple

from kernelzone.facts import PlacementFacts, ReadingFacts, RecordFacts, RegionStatus
from kernelzone.obligations import Obligation
from kernelzone.states import ACTIVE, ZoneState
from kernelzone.words import HostId


class Standing(StrEnum):
    """Whose a zone is, as its host data proves it to one host."""

    OWN = "own"
    LOST = "lost"
    UNPROVEN = "unproven"


class Held(NamedTuple):
    """Why a zone must not boot on this host, and who has it."""

    why: str
    owner_hostid: HostId


BY_HOST_DATA: Final = "host-data"
BY_OBLIGATION: Final = "obligation"

UNKNOWN: Final = "unknown"
NOT_CONFIGURED: Final = "not-configured"
"""The state of a zone that an obligation names and the host does not configure any more."""


def standing(owner_hostid: HostId, readings: Sequence[ReadingFacts]) -> Standing:
    """Return whose the zone is, as readings of all its boot storage by the host `owner_hostid` prove it."""
    records = [one.record for one in readings if _is_believed(one)]
    if not records or len(records) != len(readings):
        return Standing.UNPROVEN
    owners = {_owner(record) for record in records}
    if owners == {owner_hostid}:
        return Standing.OWN
    return Standing.UNPROVEN if owners & {owner_hostid, None} else Standing.LOST


def why_held(
    placement: PlacementFacts, owner_hostid: HostId, readings: Sequence[ReadingFacts], obligation: Obligation | None
) -> Held | None:
    """Return why the zone must not boot on the host `owner_hostid`, None when nothing speaks against it.

    A zone that is moving is left to those who move it, and a claimant that never had the zone has lost nothing.
    """
    if any(word.startswith("migrating") for word in placement.auxiliary):
        return None
    proved = standing(owner_hostid, readings)
    if obligation is not None:
        is_back = bool(readings) and all(_is_newer(one, owner_hostid, obligation) for one in readings)
        return None if is_back else Held(BY_OBLIGATION, obligation.new_owner_hostid)
    if proved is not Standing.LOST or placement.state == ZoneState.CONFIGURED:
        return None
    record = next(one.record for one in readings if one.record is not None)
    had_it = placement.state != ZoneState.UNAVAILABLE or record.previous_owner_hostid == owner_hostid
    return Held(BY_HOST_DATA, record.owner_hostid) if had_it or placement.autoboot else None


def may_run(state: str) -> bool:
    """Return whether a zone in this state may be using its boot storage; one whose state is unknown may."""
    return state in ACTIVE or state not in set(ZoneState) | {NOT_CONFIGURED}


def _is_newer(reading: ReadingFacts, owner_hostid: HostId, obligation: Obligation) -> bool:
    """Return whether the reading, newer than the loss, names this host: by generation, or by when an attach said so."""
    if _owner(reading.record) != owner_hostid:
        return False
    if reading.status is RegionStatus.IN_USE:
        return reading.at > obligation.since
    return _is_believed(reading) and reading.generation > obligation.generation


def _is_believed(reading: ReadingFacts) -> bool:
    return reading.status is RegionStatus.CLEAN and reading.record is not None and reading.warning is None


def _owner(record: RecordFacts | None) -> HostId | None:
    return record.owner_hostid if record is not None and record.state != "free" else None
