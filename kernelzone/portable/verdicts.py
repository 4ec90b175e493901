"""What a verb may do, after a look at the boot storage of its zone; and what `zoneadm` says when it may not.

The in-use, wrong-key and no-host-data messages are Solaris' own. The others are ours: Solaris publishes none for
host data that is not whole, is not the same on every device, or is in the way of an install.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kernelzone import zoneadm
from kernelzone.facts import RegionStatus
from kernelzone.hostdata import HostDataState, Record, doubts
from kernelzone.portable import high_water
from kernelzone.portable.placement import Placement
from kernelzone.portable.reading import Look, device_guid, state_word

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
    """Return what CLEAN host data says of the one who uses the zone, the same on every boot storage.

    One incarnation in two states is its owner's verb that was interrupted between two devices: the first device is
    claimed first, so it is the truth, and the owner's next verb writes it to all.
    Raises: Refused HD_CONTRADICTORY; as `whole_records`.
    """
    records = _whole(placement, looks)
    if len({(record.state is HostDataState.FREE, record.owner_hostid, record.incarnation) for record in records}) != 1:
        lines = ["host data is not the same on every boot device:"]
        lines += [f"  {one.device.uri}: {_use_words(one)}" for one in looks]
        lines.append("Nothing was changed; a person must decide who uses the zone")
        raise Refused("HD_CONTRADICTORY", said(placement.zone, *lines), unavailable=True)
    _refuse_older(placement, looks)
    return records[0]


def whole_records(placement: Placement, looks: list[Look]) -> list[Record]:
    """Return what CLEAN and undoubted host data says on each boot storage, in boot order.

    One device that cannot be read, is torn, empty or a copy is enough to refuse: it might name another host.
    Raises: Refused WRONG_KEY, NO_HOST_DATA, HD_NOT_CLEAN, HD_UNSTABLE, CLONE_SUSPECTED, ROLLBACK.
    """
    records = _whole(placement, looks)
    _refuse_older(placement, looks)
    return records


def _whole(placement: Placement, looks: list[Look]) -> list[Record]:
    _refuse_unreadable(placement, looks)
    whole = [one.region.record for one in looks if one.region and one.status is RegionStatus.CLEAN]
    records = [record for record in whole if record is not None]
    if len(records) != len(looks):
        raise not_whole(placement.zone, looks)
    _refuse_copies(placement.zone, looks)
    return records


def refuse_unless_ours_or_free(host: Host, placement: Placement, looks: list[Look]) -> None:
    """Return when this host may attach: every boot storage is free, or names this host.

    Where some are free and the others ours, this host's attach or detach was interrupted between two devices.
    Raises: Refused IN_USE; as `true_record`.
    """
    records = whole_records(placement, looks)
    others = [record for record in records if not _is_free(record) and record.owner_hostid != host.owner_hostid]
    if others or all(_is_free(record) for record in records):
        usable_record(host, placement, looks)


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


def _refuse_copies(zone: str, looks: list[Look]) -> None:
    for one in looks:
        wanted = device_guid(one.device)
        if one.region and one.region.record and "CLONE_SUSPECTED" in doubts(one.region, device_guid=wanted):
            text = said(
                zone,
                f"host data on {one.device.uri} was written for device {one.region.record.device_guid}",
                "Nothing was changed; this storage is a copy, and the zone may be in use on the other one",
                "If the copy is meant to be used and the other one is not, attach it with",
                f"   zoneadm -z {zone} attach -x force-takeover",
            )
            raise Refused("CLONE_SUSPECTED", text, unavailable=True)


def _refuse_older(placement: Placement, looks: list[Look]) -> None:
    for one in looks:
        generation, mark = one.region.generation if one.region else 0, high_water.seen(placement, one.device.uri)
        if generation < mark:
            text = said(
                placement.zone,
                f"host data on {one.device.uri} is of generation {generation}, but {mark} was seen before",
                "Nothing was changed; the boot storage was set back to an older copy, and a person must decide",
            )
            raise Refused("ROLLBACK", text, unavailable=True)


def not_whole(zone: str, looks: list[Look]) -> Refused:
    """Return the refusal of host data that is missing, torn, contradictory or being written on some boot storage.

    Each such device is named with what is wrong with it.
    """
    unstable = [one for one in looks if one.status is RegionStatus.UNSTABLE]
    if unstable:
        lines = [f"host data on {one.device.uri} is being written; try again" for one in unstable]
        return Refused("HD_UNSTABLE", said(zone, *lines))
    bad = [one for one in looks if one.status is not RegionStatus.CLEAN]
    lines = [f"host data on {one.device.uri} {_damage_words(one)}" for one in bad]
    lines.append("Nothing was changed; a person must decide who uses the zone")
    is_new = all(one.status is RegionStatus.BLANK for one in bad)
    if is_new:  # perhaps only just added: no reason to call the zone unavailable
        lines[-1] = f"A boot device that was added gets its host data with: zoneadm -z {zone} apply"
    return Refused("HD_NOT_CLEAN", said(zone, *lines), unavailable=not is_new)


def _damage_words(one: Look) -> str:
    if one.status is RegionStatus.NO_STORAGE:
        return "cannot be read"
    if one.status is RegionStatus.BLANK:
        return "was never written"
    errors = one.region.slot_errors if one.region else (None, None)
    damage = "".join(f", slot {slot} {code}" for slot, code in zip("AB", errors, strict=True) if code)
    return f"is not whole: {one.status}{damage}"


def _use_words(one: Look) -> str:
    assert one.region is not None
    record = one.region.record
    assert record is not None
    use = f"{state_word(record.state)}, {'last used' if _is_free(record) else 'used'}"
    owner = f"{record.owner_hostid} ({record.owner_hostname})"
    return f"generation {one.region.generation}, {use} by host {owner}, incarnation {record.incarnation.hex()}"


def _is_free(record: Record) -> bool:
    return record.state is HostDataState.FREE
