"""Taking in a batch of reports: the cost follows what changed, not how many zones were looked at."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.conf import settings
from django.utils import timezone
from django.utils.module_loading import import_string

from apps.fleet.services import record_host_facts
from apps.jobs.results import TakenResult
from apps.zones.identity import Named, storage_identity, storages_of
from apps.zones.models import BootStorage
from apps.zones.services.owners import settle_owners
from apps.zones.services.placements import Configured, note_placements
from apps.zones.services.readings import Seen, record_readings
from kernelzone.facts import BootDevice, PlacementFacts, ReadingFacts


def take_inspections(taken: Sequence[TakenResult]) -> None:
    """Take in whole hosts: their facts, all their placements (what is missing is gone), their readings."""
    now = timezone.now()
    record_host_facts([(one.host, one.result.host) for one in taken], now=now)
    newest = {one.host.pk: one for one in taken}
    placements = {one.host: list(one.result.placements) for one in newest.values()}
    _take(placements, _seen(taken), are_whole=True, now=now)
    for path in settings.CONFIGURATIONS_TAKEN:
        import_string(path)(list(newest.values()), now)


def take_probes(taken: Sequence[TakenResult]) -> None:
    """Take in the readings made at the end of write sampling."""
    _take({}, _seen(taken), are_whole=False, now=timezone.now())


def take_verbs(taken: Sequence[TakenResult]) -> None:
    """Take in what a zone looked like after a verb: its placement there, and its readings."""
    placements: dict[Any, list[PlacementFacts]] = {}
    for one in taken:
        if one.result.placement is not None:
            placements.setdefault(one.host, []).append(one.result.placement)
    _take(placements, _seen(taken), are_whole=False, now=timezone.now())


def _seen(taken: Iterable[TakenResult]) -> list[Seen]:
    return [Seen(one, facts) for one in taken for facts in one.result.readings]


def _take(placements: dict[Any, list[PlacementFacts]], seen: list[Seen], *, are_whole: bool, now: datetime) -> None:
    storages = storages_of([*_named_by_placements(placements, _verified_uuids(seen)), *_named_by_readings(seen)])
    configured = [
        Configured(host, facts, _first_storage(host.owner_hostid, facts, storages))
        for host, found in placements.items()
        for facts in found
    ]
    touched = note_placements(configured, whole_hosts=list(placements) if are_whole else [], now=now)
    recorded = record_readings(seen, storages, now=now)
    touched |= {reading.zone_id for reading in recorded}
    if touched:
        settle_owners(touched, recorded, now=now)
        for path in settings.ZONES_TOUCHED:
            import_string(path)(touched, now)


def _named_by_placements(
    placements: dict[Any, list[PlacementFacts]], uuids: dict[tuple[str, str], UUID]
) -> Iterable[Named]:
    for host, found in placements.items():
        for facts in found:
            for device in facts.boot_storage or (_no_storage(host.owner_hostid, facts),):
                yield Named(
                    identity=storage_identity(device.uri, device.device_ids, host.owner_hostid),
                    placement=(host.owner_hostid, facts.zone),
                    uri=device.uri,
                    device_ids=device.device_ids,
                    zone_name=facts.zone,
                    zone_uuid=uuids.get((host.owner_hostid, facts.zone)),
                )


def _named_by_readings(seen: Iterable[Seen]) -> Iterable[Named]:
    for one in seen:
        yield Named(
            identity=one.identity,
            placement=(one.taken.host.owner_hostid, one.facts.zone),
            uri=one.facts.device,
            device_ids=one.facts.device_ids,
            zone_name=one.facts.zone,
            zone_uuid=_verified_uuid(one.facts),
        )


def _verified_uuids(seen: Iterable[Seen]) -> dict[tuple[str, str], UUID]:
    found = {(one.taken.host.owner_hostid, one.facts.zone): _verified_uuid(one.facts) for one in seen}
    return {placement: uuid for placement, uuid in found.items() if uuid}


def _verified_uuid(facts: ReadingFacts) -> UUID | None:
    # a uuid in a header proves nothing before a tag under the zone's key was verified
    return facts.zone_uuid if facts.record is not None else None


def _no_storage(owner_hostid: str, facts: PlacementFacts) -> BootDevice:
    # a placement without boot storage is a zone of its own until it gets one
    return BootDevice(uri=f"none:{owner_hostid}/{facts.zone}", device_ids=(), id=0, bootpri=0)


def _first_storage(owner_hostid: str, facts: PlacementFacts, storages: dict[str, BootStorage]) -> BootStorage:
    devices = facts.boot_storage or (_no_storage(owner_hostid, facts),)
    first = min(devices, key=lambda device: (device.bootpri, device.id))
    return storages[storage_identity(first.uri, first.device_ids, owner_hostid)]
