"""Safe verbs as jobs: what a host does to a zone that is its own, or free."""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.utils.module_loading import import_string

from apps.base.ids import uuid7
from apps.history.actors import person
from apps.history.services import append
from apps.jobs.models import Job
from apps.jobs.services import insert_job
from apps.zones.errors import PlacementMissing, VerbNotOffered, ZoneBlocked
from apps.zones.models import Placement, Zone
from apps.zones.selectors import zone_for_update
from kernelzone.orders import Kind
from kernelzone.words import WordError, host_id, shown

SAFE_VERBS: Final = (
    Kind.ATTACH,
    Kind.DETACH,
    Kind.READY,
    Kind.BOOT,
    Kind.HALT,
    Kind.SHUTDOWN,
    Kind.SUSPEND,
    Kind.MARK_UNAVAILABLE,
    Kind.DISABLE_AUTOBOOT,
)


@transaction.atomic(durable=True)
def run_verb(zone_id: UUID, *, verb: str, owner_hostid: str, actor: Any) -> Job:
    """Return the new job that runs `verb` for the zone on the host `owner_hostid`.

    The host itself checks host data again before it acts. Raises: NotFound, NotAllowed, VerbNotOffered,
    PlacementMissing, ZoneBlocked, and what `insert_job` raises.
    """
    zone = zone_for_update(zone_id, actor=actor, permission="zones.run")
    if verb not in SAFE_VERBS:
        raise VerbNotOffered(verb=shown(verb, 32))
    placement = placement_on(zone, owner_hostid)
    refuse_blocked(zone)
    job = insert_job(
        key=f"verb:{uuid7()}",
        kind=verb,
        host=placement.host,
        zone_name=placement.name,
        zone_uuid=zone.zone_uuid,
        subject_kind="zone",
        subject_id=str(zone.pk),
        requested_by=actor,
    )
    append(
        f"zone.{verb}",
        actor=person(actor),
        subjects=[("zone", str(zone.pk)), ("host", placement.host.owner_hostid), ("job", str(job.pk))],
        data={"name": placement.name},
    )
    return job


def refuse_blocked(zone: Zone) -> None:
    """Do nothing while nothing forbids acting on the zone. Raises: ZoneBlocked."""
    for path in settings.ZONE_BLOCKERS:
        why = import_string(path)(zone)
        if why:
            raise ZoneBlocked(why=why)


def placement_on(zone: Zone, owner_hostid: str) -> Placement:
    """Return the zone as that host configures it. Raises: PlacementMissing."""
    try:
        rows = zone.placements.filter(gone_at=None, host__owner_hostid=host_id(owner_hostid)).select_related("host")
    except WordError:
        raise PlacementMissing(owner_hostid=shown(owner_hostid, 8)) from None
    placement = rows.first()
    if placement is None:
        raise PlacementMissing(owner_hostid=owner_hostid)
    return placement
