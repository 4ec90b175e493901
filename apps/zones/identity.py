"""Which boot storage, and so which zone, a placement or reading is about (pure, but for the two bulk look-ups)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple
from uuid import UUID

from apps.zones.models import BootStorage, Zone
from kernelzone import suri
from kernelzone.words import ZoneName


class Named(NamedTuple):
    """A boot storage as somebody named it, with what is known of its zone. `placement`: (owner hostid, zone name)."""

    identity: str
    placement: tuple[str, str]
    uri: str
    device_ids: tuple[str, ...]
    zone_name: ZoneName
    zone_uuid: UUID | None


def storage_identity(uri: str, device_ids: Sequence[str], owner_hostid: str) -> str:
    """Return what tells this boot storage from every other: see `BootStorage.identity`."""
    if device_ids:
        return min(device_ids)
    return uri if _is_shareable(uri) else f"{owner_hostid} {uri}"


def storages_of(named: Iterable[Named]) -> dict[str, BootStorage]:
    """Return identity to row for every boot storage named; what was not known yet is there afterwards.

    A new storage belongs to the zone its verified uuid names, else to the zone of another storage of the same
    placement, else to a new zone.
    """
    wanted = {one.identity: one for one in named}
    found = {row.identity: row for row in BootStorage.objects.filter(identity__in=wanted).select_related("zone")}
    missing = [one for identity, one in wanted.items() if identity not in found]
    if missing:
        known = {wanted[identity].placement: row.zone for identity, row in found.items()}
        found |= _make_storages(missing, known)
    return found


def _make_storages(missing: list[Named], by_placement: dict[tuple[str, str], Zone]) -> dict[str, BootStorage]:
    by_uuid = _zones_by_uuid(missing)
    new_zones: list[Zone] = []
    rows = []
    for one in missing:
        zone = by_uuid.get(one.zone_uuid) or by_placement.get(one.placement)
        if zone is None:
            zone = Zone(name=one.zone_name, zone_uuid=one.zone_uuid)
            new_zones.append(zone)
        by_placement[one.placement] = zone
        if one.zone_uuid:
            by_uuid[one.zone_uuid] = zone
        rows.append(BootStorage(identity=one.identity, uri=one.uri, device_ids=list(one.device_ids), zone=zone))
    Zone.objects.bulk_create(new_zones)
    BootStorage.objects.bulk_create(rows)
    return {row.identity: row for row in rows}


def _zones_by_uuid(named: list[Named]) -> dict[UUID | None, Zone]:
    uuids = {one.zone_uuid for one in named if one.zone_uuid}
    return {zone.zone_uuid: zone for zone in Zone.objects.filter(zone_uuid__in=uuids)}


def _is_shareable(uri: str) -> bool:
    try:
        return suri.is_shareable(uri)
    except suri.SuriError:
        return False
