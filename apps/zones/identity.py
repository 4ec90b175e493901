"""Which boot storage, and so which zone, a placement or reading is about.

A new boot storage belongs to the zone whose uuid was verified in it, else to the zone of another storage of the same
placement, else to a new zone. A known one stays with its zone until a verified uuid says that it is another's.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple
from uuid import UUID

from apps.history.actors import Actor, part
from apps.history.services import append
from apps.zones.bulk import parts, rows_in
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


@dataclass(slots=True)
class ZoneNamed:
    """A zone by its names; `zone_uuid` is None while none was verified."""

    pk: UUID
    name: str
    zone_uuid: UUID | None


@dataclass(slots=True)
class StorageRow:
    """A boot storage, and the zone it belongs to."""

    pk: int
    identity: str
    zone: ZoneNamed

    @property
    def zone_id(self) -> UUID:
        """The key of its zone."""
        return self.zone.pk


class Storages(NamedTuple):
    """Boot storages by identity, and the zones that lost or won one of them just now."""

    rows: dict[str, StorageRow]
    moved: set[UUID]


def storage_identity(uri: str, device_ids: Sequence[str], owner_hostid: str) -> str:
    """Return what tells this boot storage from every other: see `BootStorage.identity`."""
    if device_ids:
        return min(one.lower() for one in device_ids)
    return uri if _is_shareable(uri) else f"{owner_hostid} {uri}"


def storages_of(named: Iterable[Named]) -> Storages:
    """Return every boot storage named; what was not known yet is there afterwards, what moved is where it belongs."""
    wanted = _by_identity(named)
    found = _known(wanted)
    zones = _zones_by_uuid(wanted.values(), [row.zone for row in found.values()])
    missing = [one for identity, one in wanted.items() if identity not in found]
    if missing:
        known = {wanted[identity].placement: row.zone for identity, row in found.items()}
        found |= _make_storages(missing, known, zones)
    return Storages(found, _move_storages(wanted, found, zones))


def _known(identities: Iterable[str]) -> dict[str, StorageRow]:
    rows = BootStorage.objects.values_list("pk", "identity", "zone", "zone__name", "zone__zone_uuid")
    found: dict[str, StorageRow] = {}
    zones: dict[UUID, ZoneNamed] = {}
    for some in parts(identities):
        for pk, identity, zone_id, name, zone_uuid in rows.filter(identity__in=some):
            zone = zones.setdefault(zone_id, ZoneNamed(zone_id, name, zone_uuid))
            found[identity] = StorageRow(pk, identity, zone)
    return found


def _by_identity(named: Iterable[Named]) -> dict[str, Named]:
    """Return one name for each boot storage, the last with a verified uuid: who could not read proves nothing."""
    wanted: dict[str, Named] = {}
    for one in named:
        if one.zone_uuid is not None or one.identity not in wanted:
            wanted[one.identity] = one
    return wanted


def _make_storages(
    missing: list[Named], by_placement: dict[tuple[str, str], ZoneNamed], by_uuid: dict[UUID, ZoneNamed]
) -> dict[str, StorageRow]:
    new_zones: list[Zone] = []
    rows = []
    zones = []
    for one in sorted(missing, key=lambda one: one.zone_uuid is None):  # who has a uuid says which zone it is
        zone = by_uuid.get(one.zone_uuid) if one.zone_uuid else by_placement.get(one.placement)
        if zone is None:
            new_zones.append(Zone(name=one.zone_name, zone_uuid=one.zone_uuid))
            zone = _named(new_zones[-1])
        by_placement.setdefault(one.placement, zone)
        if one.zone_uuid:
            by_uuid[one.zone_uuid] = zone
        rows.append(BootStorage(identity=one.identity, uri=one.uri, device_ids=list(one.device_ids), zone_id=zone.pk))
        zones.append(zone)
    Zone.objects.bulk_create(new_zones)
    BootStorage.objects.bulk_create(rows)
    return {row.identity: StorageRow(row.pk, row.identity, zone) for row, zone in zip(rows, zones, strict=True)}


def _named(zone: Zone) -> ZoneNamed:
    return ZoneNamed(zone.pk, zone.name, zone.zone_uuid)


def _move_storages(wanted: dict[str, Named], found: dict[str, StorageRow], zones: dict[UUID, ZoneNamed]) -> set[UUID]:
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


def _name_uuid(zone: ZoneNamed, zone_uuid: UUID) -> None:
    zone.zone_uuid = zone_uuid
    Zone.objects.filter(pk=zone.pk).update(zone_uuid=zone_uuid)


def _move(row: StorageRow, zone_uuid: UUID, name: ZoneName, zones: dict[UUID, ZoneNamed]) -> set[UUID]:
    before = row.zone
    if zone_uuid not in zones:
        zones[zone_uuid] = _named(Zone.objects.create(name=name, zone_uuid=zone_uuid))
    row.zone = zones[zone_uuid]
    BootStorage.objects.filter(pk=row.pk).update(zone=row.zone_id)
    append(
        "zone.storage-moved",
        actor=_CONTROL,
        subjects=[("zone", str(row.zone_id)), ("zone", str(before.pk))],
        data={"storage": row.identity, "zone_uuid": zone_uuid},
    )
    return {before.pk, row.zone.pk}


def _zones_by_uuid(named: Iterable[Named], known: Iterable[ZoneNamed]) -> dict[UUID, ZoneNamed]:
    """Return the zones of these uuids. known: the zones of the boot storages named, which need not be asked for."""
    zones = {zone.zone_uuid: zone for zone in known if zone.zone_uuid}
    others = {one.zone_uuid for one in named if one.zone_uuid and one.zone_uuid not in zones}
    return zones | {
        zone.zone_uuid: _named(zone) for zone in rows_in(Zone.objects.all(), "zone_uuid", others) if zone.zone_uuid
    }


def _is_shareable(uri: str) -> bool:
    try:
        return suri.is_shareable(uri)
    except suri.SuriError:
        return False
