"""Taking in a batch of reports: the cost follows what changed, not how many zones were looked at."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from uuid import UUID

from django.conf import settings
from django.utils import timezone
from django.utils.module_loading import import_string

from apps.fleet.models import Host
from apps.fleet.services import record_host_facts
from apps.history.services import events_last
from apps.jobs.results import TakenResult
from apps.zones.identity import Named, StorageRow, storage_identity, storages_of
from apps.zones.services.admitting import Placements, admitted, devices_of
from apps.zones.services.holding_back import note_held_back
from apps.zones.services.owners import settle_owners
from apps.zones.services.placements import Configured, note_placements
from apps.zones.services.readings import Seen, record_readings
from kernelzone.facts import PlacementFacts, ReadingFacts, RegionStatus


def take_inspections(taken: Sequence[TakenResult]) -> None:
    """Take in whole hosts: their facts, all their placements (what is missing is gone), their readings."""
    now = timezone.now()
    with events_last():
        record_host_facts([(one.host, one.result.host) for one in taken], now=now)
        newest = {one.host.pk: one for one in taken}
        placements = {one.host: list(one.result.placements) for one in newest.values()}
        ever: dict[Host, list[PlacementFacts]] = {}
        for one in taken:
            ever.setdefault(one.host, []).extend(one.result.placements)
        _take(placements, admitted(_seen(taken), ever), are_whole=True, now=now)
        note_held_back([(one.host, one.result.held_back) for one in newest.values()], now=now)
        for path in settings.CONFIGURATIONS_TAKEN:
            import_string(path)(list(newest.values()), now)


def take_probes(taken: Sequence[TakenResult]) -> None:
    """Take in the readings made at the end of write sampling."""
    with events_last():
        _take({}, admitted(_seen(taken), {}), are_whole=False, now=timezone.now())


def take_verbs(taken: Sequence[TakenResult]) -> None:
    """Take in what a zone looked like after a verb: its placement there, and its readings."""
    placements: dict[Host, list[PlacementFacts]] = {}
    for one in taken:
        if one.result.placement is not None:
            placements.setdefault(one.host, []).append(one.result.placement)
    with events_last():
        _take(placements, admitted(_seen(taken), placements), are_whole=False, now=timezone.now())


def _seen(taken: Iterable[TakenResult]) -> list[Seen]:
    return [Seen(one, facts) for one in taken for facts in one.result.readings]


def _take(placements: Placements, seen: list[Seen], *, are_whole: bool, now: datetime) -> None:
    storages = storages_of([*_named_by_placements(placements), *_named_by_readings(seen)])
    configured = [_configured(host, facts, storages.rows) for host, found in placements.items() for facts in found]
    touched = storages.moved
    touched |= note_placements(configured, whole_hosts=list(placements) if are_whole else [], now=now)
    recorded = record_readings(seen, storages.rows, now=now)
    touched |= {one.row.zone_id for one in recorded}
    if touched:
        known = settle_owners(touched, recorded, now=now)
        for path in settings.ZONES_TOUCHED:
            import_string(path)(touched, now, known)


def _named_by_placements(placements: Placements) -> Iterable[Named]:
    for host, found in placements.items():
        for facts in found:
            for device in devices_of(host.owner_hostid, facts):
                yield Named(
                    identity=storage_identity(device.uri, device.device_ids, host.owner_hostid),
                    placement=(host.owner_hostid, facts.zone),
                    uri=device.uri,
                    device_ids=device.device_ids,
                    zone_name=facts.zone,
                )


def _named_by_readings(seen: Iterable[Seen]) -> Iterable[Named]:
    for one in seen:
        record = one.facts.record
        yield Named(
            identity=one.identity,
            placement=(one.taken.host.owner_hostid, one.facts.zone),
            uri=one.facts.device,
            device_ids=one.facts.device_ids,
            zone_name=one.facts.zone,
            zone_uuid=_verified_uuid(one.facts),
            is_initialised=record is not None and "initialised" in record.flags,
        )


def _verified_uuid(facts: ReadingFacts) -> UUID | None:
    # a uuid in a header proves nothing before a tag under the zone's key was verified, and a copy nothing at all
    is_verified = facts.status is RegionStatus.CLEAN and facts.record is not None and facts.warning is None
    return facts.zone_uuid if is_verified else None


def _configured(host: Host, facts: PlacementFacts, storages: dict[str, StorageRow]) -> Configured:
    """Return the placement with its first boot storage, which says whose it is, and what its others say."""
    devices = sorted(devices_of(host.owner_hostid, facts), key=lambda device: (device.bootpri, device.id))
    first, *others = (storages[storage_identity(one.uri, one.device_ids, host.owner_hostid)] for one in devices)
    also_on = {one.zone.name for one in others if one.zone_id != first.zone_id}
    return Configured(host, facts, first, tuple(sorted(also_on)))
