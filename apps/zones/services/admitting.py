"""Which readings count: a host is believed about the boot storage that it configures, and about no other."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from apps.fleet.models import Host
from apps.zones.bulk import rows_in
from apps.zones.identity import storage_identity
from apps.zones.models import BootStorage, Placement
from apps.zones.services.readings import Seen, put_aside
from kernelzone.facts import BootDevice, PlacementFacts

Placements = dict[Host, list[PlacementFacts]]


def admitted(seen: Sequence[Seen], reported: Placements) -> list[Seen]:
    """Return the readings of boot storage that their hosts configure; an event tells of each of the others.

    reported: the placements that came with them. What did not come with a placement (a probe) is looked up.
    """
    configured = _configured(reported)
    others = [one for one in seen if _names(one) not in configured]
    if not others:
        return list(seen)
    known = _known(others)
    refused = [one for one in others if _names(one) not in known]
    for one in refused:
        put_aside(one, "NOT_CONFIGURED")
    names = {_names(one) for one in refused}
    return [one for one in seen if _names(one) not in names]


def devices_of(owner_hostid: str, facts: PlacementFacts) -> tuple[BootDevice, ...]:
    """Return the boot storage of a placement; one without any is a zone of its own until it gets some."""
    nothing_yet = BootDevice(uri=f"none:{owner_hostid}/{facts.zone}", device_ids=(), id=0, bootpri=0)
    return facts.boot_storage or (nothing_yet,)


def _configured(reported: Placements) -> set[tuple[int, str, str]]:
    return {
        (host.pk, facts.zone, storage_identity(device.uri, device.device_ids, host.owner_hostid))
        for host, found in reported.items()
        for facts in found
        for device in facts.boot_storage
    }


def _names(one: Seen) -> tuple[int, str, str]:
    return (one.taken.host.pk, one.facts.zone, one.identity)


def _known(seen: Sequence[Seen]) -> set[tuple[int, str, str]]:
    """Return those whose host has a placement of that name, of the zone that the boot storage belongs to."""
    placements = Placement.objects.filter(gone_at=None, host__in=sorted({one.taken.host.pk for one in seen}))
    zones: dict[tuple[int, str], UUID] = {
        (row.host_id, row.name): row.zone_id for row in rows_in(placements, "name", (one.facts.zone for one in seen))
    }
    storages = rows_in(BootStorage.objects.all(), "identity", (one.identity for one in seen))
    zone_of = {row.identity: row.zone_id for row in storages}
    return {
        _names(one)
        for one in seen
        if one.identity in zone_of and zones.get((one.taken.host.pk, one.facts.zone)) == zone_of[one.identity]
    }
