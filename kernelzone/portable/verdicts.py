"""What a verb may do, after a look at the boot storage of its zone; and what `zoneadm` says when it may not.

The in-use, wrong-key and no-host-data messages are Solaris' own. The others are ours: Solaris publishes none for
host data that is not whole, is not the same on every device, or is in the way of an install.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kernelzone import zoneadm
from kernelzone.facts import RegionStatus
from kernelzone.hostdata import HostDataState, Record
from kernelzone.portable import high_water
from kernelzone.portable.placement import Placement
from kernelzone.portable.reading import Look, state_word

if TYPE_CHECKING:
    from kernelzone.portable.host import Host


class Refused(Exception):
    """A verb that does not go on. `text`: what it prints; `unavailable`: the zone enters that state."""

    def __init__(self, code: str, text: str, *, unavailable: bool = False) -> None:
        super().__init__(code)
        self.code = code
        self.text = text
        self.unavailable = unavailable


def said(zone: str, *lines: str) -> str:
    """Return lines as the zone's brand prints errors."""
    return "".join(f"zone '{zone}': error: {line}\n" for line in lines)


def warned(zone: str, *lines: str) -> str:
    """Return lines as the zone's brand prints warnings of a verb that went on."""
    return "".join(f"zone '{zone}': warning: {line}\n" for line in lines)


def usable_record(host: Host, placement: Placement, looks: list[Look]) -> Record:
    """Return the record of host data that this host may act on: free, or naming this host, on every boot storage.

    Raises: Refused IN_USE; as `true_record`.
    """
    record = true_record(placement, looks)
    if record.state is not HostDataState.FREE and record.owner_hostid != host.owner_hostid:
        raise Refused("IN_USE", in_use_text(placement.zone, record), unavailable=True)
    return record


def true_record(placement: Placement, looks: list[Look]) -> Record:
    """Return what CLEAN host data says, the same on every boot storage.

    Raises: Refused WRONG_KEY, NO_HOST_DATA, HD_NOT_CLEAN, HD_UNSTABLE, HD_CONTRADICTORY, ROLLBACK.
    """
    _refuse_unreadable(placement, looks)
    records = []
    for one in looks:
        if one.region is None or one.status is not RegionStatus.CLEAN or one.region.record is None:
            raise not_whole(placement.zone, one)
        records.append(one.region.record)
    if len({(record.state, record.owner_hostid, record.incarnation) for record in records}) != 1:
        text = said(placement.zone, "host data is not the same on every boot device; a person must decide")
        raise Refused("HD_CONTRADICTORY", text, unavailable=True)
    _refuse_older(placement, looks)
    return records[0]


def in_use_text(zone: str, record: Record) -> str:
    """Return the in-use message about the owner that `record` names."""
    environment = record.boot_environment
    return zoneadm.in_use_message(
        zoneadm.InUse(
            zone,
            record.owner_hostid,
            state_word(record.state),
            record.owner_hostname,
            environment.name if environment else "",
            str(environment.uuid) if environment else "",
            zoneadm.ctime(record.updated_at),
        )
    )


def _refuse_unreadable(placement: Placement, looks: list[Look]) -> None:
    zone = placement.zone
    readable = [one for one in looks if one.status not in (RegionStatus.NO_STORAGE, RegionStatus.BLANK)]
    if not readable:
        raise Refused("NO_HOST_DATA", zoneadm.no_host_data_message(zone), unavailable=True)
    unreadable = [one.region for one in readable if one.status is RegionStatus.UNREADABLE]
    if any(region and "HD_KEYID" in region.slot_errors for region in unreadable):
        raise Refused("WRONG_KEY", zoneadm.wrong_key_message(zone), unavailable=True)
    if len(unreadable) == len(readable):
        raise Refused("NO_HOST_DATA", zoneadm.no_host_data_message(zone), unavailable=True)


def _refuse_older(placement: Placement, looks: list[Look]) -> None:
    marks = high_water.seen(placement)
    for one in looks:
        generation, mark = one.region.generation if one.region else 0, marks.get(one.device.uri, 0)
        if generation < mark:
            text = said(
                placement.zone,
                f"host data on {one.device.uri} is of generation {generation}, but {mark} was seen before",
                "Nothing was changed; the boot storage was set back to an older copy, and a person must decide",
            )
            raise Refused("ROLLBACK", text, unavailable=True)


def not_whole(zone: str, one: Look) -> Refused:
    """Return the refusal of host data that is torn, contradictory or being written, with what is wrong with it."""
    if one.status is RegionStatus.UNSTABLE:
        text = said(zone, f"host data on {one.device.uri} is being written; try again")
        return Refused("HD_UNSTABLE", text)
    errors = one.region.slot_errors if one.region else (None, None)
    damage = "".join(f", slot {slot} {code}" for slot, code in zip("AB", errors, strict=True) if code)
    text = said(
        zone,
        f"host data on {one.device.uri} is not whole: {one.status}{damage}",
        "Nothing was changed; a person must decide who uses the zone",
    )
    return Refused("HD_NOT_CLEAN", text, unavailable=True)
