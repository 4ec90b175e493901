"""Zones that go to another host, as jobs of the host they are on: one by one, or all that a host has."""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

from django.db import transaction

from apps.base.ids import uuid7
from apps.fleet.models import Host
from apps.fleet.selectors import host_for_update, hosts_visible_to
from apps.history.actors import person
from apps.history.services import append
from apps.jobs.models import Job
from apps.jobs.services import insert_job
from apps.zones.errors import TargetUnfit
from apps.zones.models import Placement, Zone
from apps.zones.selectors import zone_for_update
from apps.zones.services.verbs import placement_on, refuse_blocked
from kernelzone.orders import EvacuateArgs, Kind, MigrateArgs
from kernelzone.strict import write
from kernelzone.words import HostId, WordError, host_id, shown
from kernelzone.zoneadm import migration_target

_MAY_GO: Final = ("installed", "ready", "running")
# what a return brings back is here no more than configured
_MAY_COME: Final = ("configured", "unavailable")


@transaction.atomic(durable=True)
def migrate_zone(
    zone_id: UUID, *, owner_hostid: str, target_hostid: str, dry_run: bool, live_only: bool, actor: Any
) -> Job:
    """Return the new job by which the host `owner_hostid` migrates the zone to the host `target_hostid`.

    Both hosts check by themselves that it can be done. Raises: NotFound, NotAllowed, PlacementMissing, TargetUnfit,
    ZoneBlocked, and what `insert_job` raises.
    """
    zone = zone_for_update(zone_id, actor=actor, permission="zones.run")
    placement = placement_on(zone, owner_hostid)
    target = _target(target_hostid, placement.host, actor)
    refuse_blocked(zone)
    args = MigrateArgs(_address(target), HostId(target.owner_hostid), dry_run, live_only)
    job = insert_job(
        key=f"migrate:{uuid7()}",
        kind=Kind.MIGRATE,
        host=placement.host,
        zone_name=placement.name,
        zone_uuid=zone.zone_uuid,
        args=write(args),
        subject_kind="zone",
        subject_id=str(zone.pk),
        requested_by=actor,
    )
    append(
        "zone.migrate",
        actor=person(actor),
        subjects=[
            ("zone", str(zone.pk)),
            ("host", placement.host.owner_hostid),
            ("host", target.owner_hostid),
            ("job", str(job.pk)),
        ],
        data={"name": placement.name, "target_hostid": target.owner_hostid, "dry_run": dry_run, "live_only": live_only},
    )
    return job


@transaction.atomic(durable=True)
def evacuate_host(owner_hostid: str, *, dry_run: bool, every_zone: bool, is_return: bool, actor: Any) -> Job:
    """Return the new job by which a host sends its zones to their evacuation targets, or brings them back.

    Raises: NotFound, NotAllowed, ZoneBlocked for any zone that may go or come, and what `insert_job` raises.
    """
    states = _MAY_COME if is_return else _MAY_GO
    here = Placement.objects.filter(host__owner_hostid=owner_hostid, gone_at=None, state__in=states)
    zones = Zone.objects.select_for_update(no_key=True).filter(pk__in=list(here.values_list("zone", flat=True)))
    going = list(zones.order_by("pk"))  # locked before the host, as everywhere
    host = host_for_update(owner_hostid, actor=actor, permission="zones.run")
    for zone in going:
        refuse_blocked(zone)
    job = insert_job(
        key=f"evacuate:{uuid7()}",
        kind=Kind.EVACUATE,
        host=host,
        args=write(EvacuateArgs(dry_run, every_zone, is_return)),
        subject_kind="host",
        subject_id=host.owner_hostid,
        requested_by=actor,
    )
    append(
        "host.evacuate",
        actor=person(actor),
        subjects=[("host", host.owner_hostid), ("job", str(job.pk))],
        data={"dry_run": dry_run, "every_zone": every_zone, "is_return": is_return},
    )
    return job


def _target(target_hostid: str, source: Host, actor: Any) -> Host:
    try:
        target = hosts_visible_to(actor).filter(owner_hostid=host_id(target_hostid)).first()
    except WordError:
        target = None
    if target is None:
        raise TargetUnfit(why=f"no host {shown(target_hostid, 8)} is known")
    if target.pk == source.pk:
        raise TargetUnfit(why="the zone is on this host")
    return target


def _address(target: Host) -> str:
    """Return the target as `zoneadm migrate` takes it. Raises: TargetUnfit for a host without a usable hostname."""
    try:
        return migration_target(f"ssh://{target.hostname}")
    except WordError:
        raise TargetUnfit(why=f"host {target.owner_hostid} has told no hostname by which it can be reached") from None
