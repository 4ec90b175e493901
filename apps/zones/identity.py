"""Which boot storage, and so which zone, a placement or reading is about.

A new boot storage belongs to the zone whose uuid was verified in it, else to the zone of another storage of the same
placement, else to a new zone. A known one stays with its zone until a verified uuid says that it is another's.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple
from uuid import UUID

from apps.history.actors import Actor, part
from apps.history.services import append
from apps.zones.bulk import rows_in
from apps.zones.models import BootStorage, Zone
from kernelzone import suri
from kernelzone.words import ZoneName

_CONTROL: Final[Actor] = part("control")


class Named(NamedTuple):
    """A boot storage as somebody named it, with what is known of its zone. `placement`: (owner hostid, zone name).

    zone_uuid: only as verified in host data. is_initialised: that host data was begun anew, by whoever has the key.
    """

    identity: str
    placement: tuple[str, str]
    uri: str
    device_ids: tuple[str, ...]
    zone_name: ZoneName
    zone_uuid: UUID | None = None
    is_initialised: bool = False


class Storages(NamedTuple):
    """Boot storages by identity, and the zones that lost or won one of them just now."""

    rows: dict[str, BootStorage]
    moved: set[UUID]


def storage_identity(uri: str, device_ids: Sequence[str], owner_hostid: str) -> str:
    """Return what tells this boot storage from every other: see `BootStorage.identity`."""
    if device_ids:
        return min(one.lower() for one in device_ids)
    return uri if _is_shareable(uri) else f"{owner_hostid} {uri}"


def storages_of(named: Iterable[Named]) -> Storages:
    """Return every boot storage named; what was not known yet is there afterwards, what moved is where it belongs."""
    wanted = _by_identity(named)
    with_zone = BootStorage.objects.select_related("zone")
    found = {row.identity: row for row in rows_in(with_zone, "identity", wanted)}
    zones = _zones_by_uuid(wanted.values())
    missing = [one for identity, one in wanted.items() if identity not in found]
    if missing:
        known = {wanted[identity].placement: row.zone for identity, row in found.items()}
        found |= _make_storages(missing, known, zones)
    return Storages(found, _move_storages(wanted, found, zones))


def _by_identity(named: Iterable[Named]) -> dict[str, Named]:
    """Return one name for each boot storage, the last with a verified uuid: who could not read proves nothing."""
    wanted: dict[str, Named] = {}
    for one in named:
        if one.zone_uuid is not None or one.identity not in wanted:
            wanted[one.identity] = one
    return wanted


def _make_storages(
    missing: list[Named], by_placement: dict[tuple[str, str], Zone], by_uuid: dict[UUID, Zone]
) -> dict[str, BootStorage]:
    new_zones: list[Zone] = []
    rows = []
    for one in sorted(missing, key=lambda one: one.zone_uuid is None):  # who has a uuid says which zone it is
        zone = by_uuid.get(one.zone_uuid) if one.zone_uuid else by_placement.get(one.placement)
        if zone is None:
            zone = Zone(name=one.zone_name, zone_uuid=one.zone_uuid)
            new_zones.append(zone)
        by_placement.setdefault(one.placement, zone)
        if one.zone_uuid:
            by_uuid[one.zone_uuid] = zone
        rows.append(BootStorage(identity=one.identity, uri=one.uri, device_ids=list(one.device_ids), zone=zone))
    Zone.objects.bulk_create(new_zones)
    BootStorage.objects.bulk_create(rows)
    return {row.identity: row for row in rows}


def _move_storages(wanted: dict[str, Named], found: dict[str, BootStorage], zones: dict[UUID, Zone]) -> set[UUID]:
    """Return the zones that lost or won a boot storage: each is of the zone whose uuid was verified in it."""
    moved: set[UUID] = set()
    for identity, one in wanted.items():
        row = found[identity]
        if one.zone_uuid is None or row.zone.zone_uuid == one.zone_uuid:
            continue
        if one.zone_uuid not in zones and (row.zone.zone_uuid is None or one.is_initialised):
            _name_uuid(row.zone, one.zone_uuid)
            zones[one.zone_uuid] = row.zone
            continue
        moved |= _move(row, one.zone_uuid, one.zone_name, zones)
    return moved


def _name_uuid(zone: Zone, zone_uuid: UUID) -> None:
    zone.zone_uuid = zone_uuid
    zone.save(update_fields=["zone_uuid"])


def _move(row: BootStorage, zone_uuid: UUID, name: ZoneName, zones: dict[UUID, Zone]) -> set[UUID]:
    before = row.zone
    if zone_uuid not in zones:
        zones[zone_uuid] = Zone.objects.create(name=name, zone_uuid=zone_uuid)
    row.zone = zones[zone_uuid]
    row.save(update_fields=["zone"])
    append(
        "zone.storage-moved",
        actor=_CONTROL,
        subjects=[("zone", str(row.zone_id)), ("zone", str(before.pk))],
        data={"storage": row.identity, "zone_uuid": zone_uuid},
    )
    return {before.pk, row.zone.pk}


def _zones_by_uuid(named: Iterable[Named]) -> dict[UUID, Zone]:
    uuids = {one.zone_uuid for one in named if one.zone_uuid}
    return {zone.zone_uuid: zone for zone in rows_in(Zone.objects.all(), "zone_uuid", uuids) if zone.zone_uuid}


def _is_shareable(uri: str) -> bool:
    try:
        return suri.is_shareable(uri)
    except suri.SuriError:
        return False
