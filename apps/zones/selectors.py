"""Reading what is known of zones."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.db.models import QuerySet

from apps.accounts.selectors import has_permission, require
from apps.base.errors import NotFound
from apps.zones.models import OwnershipInterval, Placement, Reading, Sighting, Zone


def zones_visible_to(user: Any) -> QuerySet[Zone]:
    """Return the zones `user` may see, by name."""
    if not has_permission(user, "zones.view"):
        return Zone.objects.none()
    return Zone.objects.filter(retired_at=None).order_by("name", "id")


def zone_for_update(zone_id: UUID, *, actor: Any, permission: str) -> Zone:
    """Return the zone, its row locked, once `actor` may do `permission`. Raises: NotFound, NotAllowed."""
    zone = zones_visible_to(actor).select_for_update(no_key=True).filter(pk=zone_id).first()
    if zone is None:
        raise NotFound()
    require(actor, permission)
    return zone


def placements_present(zones: Iterable[Zone]) -> QuerySet[Placement]:
    """Return the placements of these zones that hosts configure now, with their hosts."""
    return Placement.objects.filter(zone__in=zones, gone_at=None).select_related("host").order_by("zone", "host")


def sightings_of(zone: Zone) -> QuerySet[Sighting]:
    """Return what each host says now of the zone's boot storage, with reading and host, newest first."""
    rows = Sighting.objects.filter(storage__zone=zone).select_related("reading", "host", "storage")
    return rows.order_by("-confirmed_at")


def readings_of(zone: Zone) -> QuerySet[Reading]:
    """Return every reading of the zone, newest first."""
    return zone.readings.select_related("host", "storage").order_by("-recorded_at", "-id")


def timeline_of(zone: Zone) -> QuerySet[OwnershipInterval]:
    """Return who owned the zone and since when, oldest first."""
    return zone.intervals.select_related("reading").order_by("since")
