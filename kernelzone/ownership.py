"""What a set of readings proves about who uses a zone. Pure; never more certain than what was read.

Only a CLEAN region that was read whole proves an owner. CLAIM, SINGLE_A and SINGLE_B may become another owner's,
so their verdict is `unknown`: nothing is allowed without a person. An old time in a record proves nothing.
Of several readings of one boot storage the highest generation counts: generations only rise, clocks lie.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Final, Protocol
from uuid import UUID

from kernelzone.facts import NAMES_OWNER, RegionStatus
from kernelzone.states import ZoneState


class Verdict(StrEnum):
    """What the readings prove about a zone, seen from one host.

    FREE and OURS let the zone be attached here; every other verdict lets nothing happen without a person.
    HIDDEN: all hosts that looked show host data to nobody (Solaris); they ask it themselves on attach and boot.
    """

    FREE = "free"
    OURS = "ours"
    HELD_ELSEWHERE = "held-elsewhere"
    UNREADABLE = "unreadable"
    CONTRADICTORY = "contradictory"
    HIDDEN = "hidden"
    UNKNOWN = "unknown"


class RecordSeen(Protocol):
    """What is asked of a record: that of `facts.RecordFacts`."""

    @property
    def state(self) -> str: ...
    @property
    def owner_hostid(self) -> str: ...


class ReadingSeen(Protocol):
    """What is asked of a reading: that of `facts.ReadingFacts`, or a row with these fields."""

    @property
    def device(self) -> str: ...
    @property
    def device_ids(self) -> Sequence[str]: ...
    @property
    def at(self) -> int: ...
    @property
    def status(self) -> str: ...
    @property
    def generation(self) -> int: ...
    @property
    def zone_uuid(self) -> UUID | None: ...
    @property
    def raw_sha256(self) -> str | None: ...
    @property
    def record_sha256(self) -> str | None: ...
    @property
    def record(self) -> RecordSeen | None: ...
    @property
    def warning(self) -> str | None: ...


class PlacementSeen(Protocol):
    """What is asked of a placement. `state_since`: when its state was first reported."""

    @property
    def owner_hostid(self) -> str: ...
    @property
    def state(self) -> str: ...
    @property
    def state_since(self) -> datetime: ...


USABLE: Final = frozenset({Verdict.FREE, Verdict.OURS})

_NOT_LOOKED_AT: Final = frozenset({RegionStatus.NO_STORAGE, RegionStatus.HIDDEN})
_BY_STATUS: Final = {
    RegionStatus.SPLIT: Verdict.CONTRADICTORY,
    RegionStatus.UNREADABLE: Verdict.UNREADABLE,
}
_BY_WARNING: Final = {
    "ROLLBACK": Verdict.CONTRADICTORY,
    "CLONE_SUSPECTED": Verdict.CONTRADICTORY,
    "KEY_UNKNOWN": Verdict.UNREADABLE,
}
_ALWAYS_COUNT: Final = frozenset({"ROLLBACK", "CLONE_SUSPECTED"})
# What one reading of one boot storage says: the verdict and the owner it names ("" for none).
_Finding = tuple[Verdict, str]


def verdict(readings: Iterable[ReadingSeen], owner_hostid: str) -> Verdict:
    """Return what the readings of one zone's boot storage prove, seen from host `owner_hostid`.

    readings: the newest of each reader and each boot storage. Those of one boot storage (by device id, else by
    normalised URI) must agree, and so must the boot storages of one zone.
    """
    by_storage: dict[tuple[str, ...], list[ReadingSeen]] = {}
    for reading in readings:
        by_storage.setdefault(tuple(reading.device_ids) or (reading.device,), []).append(reading)
    if len({seen.zone_uuid for group in by_storage.values() for seen in _clean(group)} - {None}) > 1:
        return Verdict.CONTRADICTORY
    return _together({_of_storage(group, owner_hostid.lower()) for group in by_storage.values()})


def weight(status: str, generation: int, at: int) -> tuple[bool, int, int]:
    """Return what readings that name an owner are ordered by: the greatest is believed.

    What was read comes before what an attach said; of that the newest counts, for it has no generation.
    """
    is_read = status == RegionStatus.CLEAN
    return is_read, generation, 0 if is_read else at


def is_over(seen: ReadingSeen, placements: Iterable[PlacementSeen]) -> bool:
    """Return whether the host that an attach named has let go of the zone since: it proves nothing any more."""
    return (
        seen.status == RegionStatus.IN_USE
        and seen.record is not None
        and any(
            one.owner_hostid == seen.record.owner_hostid
            and one.state == ZoneState.CONFIGURED
            and one.state_since.timestamp() > seen.at
            for one in placements
        )
    )


def owner_of(reading: ReadingSeen) -> str | None:
    """Return the owner hostid the reading proves, None when it proves none or says `free`."""
    if _of_reading(reading, "")[0] is not Verdict.HELD_ELSEWHERE or reading.record is None:
        return None
    return reading.record.owner_hostid


def _of_storage(readings: list[ReadingSeen], owner_hostid: str) -> _Finding:
    """Return the finding of one boot storage from all its readings."""
    looked = [seen for seen in readings if seen.status not in _NOT_LOOKED_AT]
    clean = _clean(looked)
    if not clean and any(seen.status == RegionStatus.IN_USE for seen in looked):
        return _of_newest_attach(looked, owner_hostid)
    if not looked and any(seen.status == RegionStatus.HIDDEN for seen in readings):
        return Verdict.HIDDEN, ""
    if not clean:
        return _together_finding({_of_reading(seen, owner_hostid) for seen in looked})
    newest = max(seen.generation for seen in clean)
    looked = [seen for seen in looked if seen.status != RegionStatus.IN_USE]  # older than a look, or of less worth
    truths = [seen for seen in clean if seen.generation == newest]
    if len({seen.record_sha256 for seen in truths}) > 1:
        return Verdict.CONTRADICTORY, ""
    findings = {_of_reading(seen, owner_hostid) for seen in truths}
    return _together_finding(findings | {_against(seen) for seen in looked if _speaks_against(seen, truths)})


def _of_newest_attach(looked: list[ReadingSeen], owner_hostid: str) -> _Finding:
    """Return what the newest attach said. It has no generation: only here does a clock say what came later."""
    said = [seen for seen in looked if seen.status == RegionStatus.IN_USE]
    newest = max(seen.at for seen in said)
    return _together_finding({_of_reading(seen, owner_hostid) for seen in said if seen.at == newest})


def _speaks_against(seen: ReadingSeen, truths: list[ReadingSeen]) -> bool:
    """Whether a reading casts doubt on the newest clean ones: it saw something else, and not earlier."""
    if seen.warning in _ALWAYS_COUNT:
        return True
    if _is_clean(seen):
        return False
    if seen.raw_sha256 in {truth.raw_sha256 for truth in truths}:
        return False  # the same bytes: this reader has another key, or none
    return seen.generation >= truths[0].generation or not seen.generation


def _against(seen: ReadingSeen) -> _Finding:
    """Return what a reading that speaks against clean ones makes of them."""
    damaged = seen.status in (RegionStatus.UNREADABLE, RegionStatus.BLANK, RegionStatus.SPLIT)
    return (Verdict.CONTRADICTORY if damaged or seen.warning in _ALWAYS_COUNT else Verdict.UNKNOWN), ""


def _of_reading(seen: ReadingSeen, owner_hostid: str) -> _Finding:
    if seen.warning:
        return _BY_WARNING.get(seen.warning, Verdict.UNKNOWN), ""
    if seen.status not in NAMES_OWNER or seen.record is None:
        return _BY_STATUS.get(RegionStatus(seen.status), Verdict.UNKNOWN), ""
    if seen.record.state == "free":
        return Verdict.FREE, ""
    owner = seen.record.owner_hostid.lower()
    return (Verdict.OURS if owner == owner_hostid else Verdict.HELD_ELSEWHERE), owner


def _together_finding(findings: set[_Finding]) -> _Finding:
    if len(findings) == 1:
        return next(iter(findings))
    found = {one for one, _ in findings}
    if not found or (Verdict.UNKNOWN in found and Verdict.CONTRADICTORY not in found):
        return Verdict.UNKNOWN, ""
    return Verdict.CONTRADICTORY, ""


def _together(findings: set[_Finding]) -> Verdict:
    """Return the verdict over all boot storages of a zone: a copy that could not be read never makes it usable."""
    certain = {one for one in findings if one[0] in {*USABLE, Verdict.HELD_ELSEWHERE}}
    found = {one for one, _ in findings}
    if Verdict.CONTRADICTORY in found or len(certain) > 1:
        return Verdict.CONTRADICTORY
    if certain == findings and certain:
        return certain.pop()[0]
    if Verdict.HELD_ELSEWHERE in found:
        return Verdict.HELD_ELSEWHERE
    if found == {Verdict.HIDDEN}:
        return Verdict.HIDDEN
    return Verdict.UNREADABLE if Verdict.UNREADABLE in found else Verdict.UNKNOWN


def _is_clean(seen: ReadingSeen) -> bool:
    return seen.status == RegionStatus.CLEAN


def _clean(readings: Iterable[ReadingSeen]) -> list[ReadingSeen]:
    return [seen for seen in readings if _is_clean(seen)]
