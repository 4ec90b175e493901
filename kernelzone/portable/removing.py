"""How a zone is uninstalled: its boot storage is erased where host data proves that it is this host's to erase."""

from __future__ import annotations

from kernelzone.facts import RegionStatus
from kernelzone.hostdata import HostDataState, doubts
from kernelzone.portable import changes, erasing, high_water
from kernelzone.portable.reading import Look, device_guid
from kernelzone.portable.turn import Turn
from kernelzone.portable.verdicts import warned
from kernelzone.states import ZoneState


def uninstall(turn: Turn) -> tuple[str, ...]:
    """Erase the zone's boot storage and make the zone configured; return a warning for each storage left alone.

    Interrupted, the zone stays incomplete: another uninstall goes on. Nothing is erased while any host data is in
    doubt or names another host, for the zone may be used there.
    """
    looks = turn.look()
    turn.save(ZoneState.INCOMPLETE)
    if all(_is_erasable(turn, one) or one.status is RegionStatus.NO_STORAGE for one in looks):
        erased = [one for one in looks if one.pair is not None]
    else:
        erased = []
    for one in erased:
        journal = turn.placement.journal_path(one.device)
        erasing.erase(one, journal=journal, lock=turn.placement.claim_lock)
    for path in turn.placement.memory_paths() if erased else ():
        path.unlink(missing_ok=True)
    turn.save(ZoneState.CONFIGURED, zone_uuid=None, incarnation=None)
    left = [one for one in looks if one not in erased]
    return tuple(warned(turn.placement.zone, *(_left_words(turn, one) for one in left)).splitlines())


def _is_erasable(turn: Turn, one: Look) -> bool:
    region = one.region
    if one.status is RegionStatus.BLANK and one.path is not None:
        zone_uuid = turn.placement.stored_state().zone_uuid
        written_by = erasing.zone_of_blocks(one.path)
        return written_by is None or (zone_uuid is not None and written_by == zone_uuid.bytes)
    if one.status is not RegionStatus.CLEAN or region is None or region.record is None:
        return False
    mark = high_water.seen(turn.placement, one.device.uri)
    is_certain = not doubts(region, high_water=mark, device_guid=device_guid(one.device))
    return is_certain and changes.is_owner(turn.host, region.record)


def _left_words(turn: Turn, one: Look) -> str:
    record = one.region.record if one.region else None
    if one.status is not RegionStatus.CLEAN or record is None:
        return f"boot storage {one.device.uri} was left as it is: {one.status}"
    use = f"names host {record.owner_hostid} ({record.owner_hostname})"
    if record.state is HostDataState.FREE:
        use = "is free"
    elif changes.is_owner(turn.host, record):
        use = "names this host, but it or that of another boot device is in doubt"
    return f"boot storage {one.device.uri} was left as it is: its host data {use}"
