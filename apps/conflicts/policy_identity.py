"""Which conflicts come from things that should be different and are one: boot storage of two zones, two hosts. Pure."""

from __future__ import annotations

from itertools import combinations
from typing import Final

from apps.conflicts.models import Conflict
from apps.conflicts.seen import Found, PlacementSeen, ZoneSeen


def storage_shared(zone: ZoneSeen) -> Found | None:
    """Return the conflict of two different zones that are configured on one boot storage.

    Storages are told apart by NAA or EUI id where they have one (`storage_identity`), so placements of one zone row
    are on one storage whatever their URIs.
    """
    sharing = {place for pair in combinations(zone.placements, 2) if are_two_zones(*pair) for place in pair}
    others = {name for one in zone.placements for name in one.also_on}
    if not sharing and not others:
        return None
    places = sharing or {one for one in zone.placements if one.also_on}
    newest = max(places, key=lambda one: (one.state_since, one.name))
    return Found(
        Conflict.Kind.STORAGE_SHARED,
        newest.host,
        None,
        {
            "placements": sorted({f"{one.name} on {one.owner_hostid}" for one in places}),
            "names": sorted({one.name for one in places} | others),
        },
    )


def hostid_collision(zone: ZoneSeen) -> Found | None:
    """Return the conflict of a zone on a host under whose hostid somebody else answers too."""
    here = next((one for one in zone.placements if zone.collided.get(one.owner_hostid)), None)
    hostid = here.owner_hostid if here else next((one for one, others in zone.collided.items() if others), None)
    if hostid is None:
        return None
    facts = {"owner_hostid": hostid, "others": sorted(zone.collided[hostid])}
    return Found(Conflict.Kind.HOSTID_COLLISION, here.host if here else None, None, facts)


def are_two_zones(one: PlacementSeen, other: PlacementSeen) -> bool:
    """Return whether two placements on one boot storage are of two zones, and not of one zone that may move.

    On one host they always are. On two, a zone that may move has one name everywhere, or at least one key.
    """
    if one.host == other.host:
        return True
    return one.name != other.name and (one.key_id != other.key_id or not one.key_id)


__all__: Final = ["are_two_zones", "hostid_collision", "storage_shared"]
