"""Reading conflicts: who may see them, what `zoneadm` would say, and what was gathered about them."""

from __future__ import annotations

from uuid import UUID

from django.contrib.auth.models import AnonymousUser
from django.db.models import F, QuerySet

from apps.accounts.models import User
from apps.accounts.selectors import has_permission, require
from apps.base.errors import NotFound
from apps.conflicts.models import Conflict, EvidenceSheet, Obligation
from apps.jobs.models import Job
from apps.zones.models import Reading, Sighting, Zone
from kernelzone.zoneadm import InUse, ctime, in_use_message


def conflicts_visible_to(user: User | AnonymousUser) -> QuerySet[Conflict]:
    """Return the conflicts this account may see, the most severe first."""
    if not has_permission(user, "conflicts.view"):
        return Conflict.objects.none()
    return Conflict.objects.select_related("zone", "host", "acknowledged_by")


def open_conflicts(user: User | AnonymousUser) -> QuerySet[Conflict]:
    """Return the visible conflicts that are not resolved."""
    return conflicts_visible_to(user).filter(resolved_at=None)


def conflict_for_update(conflict_id: UUID, *, actor: User, permission: str) -> Conflict:
    """Return the locked conflict. Raises: NotFound (absent and invisible alike), NotAllowed."""
    visible = conflicts_visible_to(actor).select_for_update(no_key=True, of=("self",))
    conflict = visible.filter(pk=conflict_id).first()
    if conflict is None:
        raise NotFound()
    require(actor, permission)
    return conflict


def reading_of(conflict: Conflict) -> Reading | None:
    """Return the newest reading of the host the conflict is about, else of any host."""
    sightings = Sighting.objects.filter(storage__zone=conflict.zone).select_related("reading").order_by("-confirmed_at")
    own = sightings.filter(host=conflict.host_id).first() or sightings.first()
    return own.reading if own else conflict.reading


def zoneadm_message(conflict: Conflict) -> str:
    """Return, byte for byte, what `zoneadm attach` prints on the host that wants the zone; "" without a record."""
    reading = reading_of(conflict)
    in_use = in_use_of(reading, name_here(conflict)) if reading else None
    return in_use_message(in_use) if in_use else ""


def in_use_of(reading: Reading, zone_name: str) -> InUse | None:
    """Return the six fields of the message as this reading has them; None when there is no record."""
    record = reading.facts.get("record")
    if record is None:
        return None
    return InUse(
        zone_name,
        record["owner_hostid"],
        record["state"],
        record["owner_hostname"],
        record["boot_environment"] or "",
        record["boot_environment_uuid"] or "",
        ctime(record["updated_at"]),
    )


def obligations_of_zone(zone: Zone) -> QuerySet[Obligation]:
    """Return what hosts that lost the zone had to confirm, the open ones first, the newest ten."""
    return Obligation.objects.filter(zone=zone).order_by(F("met_at").desc(nulls_first=True), "-opened_at")[:10]


def obligations_of_host(owner_hostid: str) -> QuerySet[Obligation]:
    """Return what this host had to confirm that it lost, the open ones first, the newest ten."""
    rows = Obligation.objects.filter(owner_hostid=owner_hostid)
    return rows.order_by(F("met_at").desc(nulls_first=True), "-opened_at")[:10]


def latest_sheet(zone: Zone) -> EvidenceSheet | None:
    """Return the newest evidence sheet of the zone, complete or not."""
    return zone.sheets.prefetch_related("rows").select_related("target", "reading").order_by("-begun_at").first()


def sheet_progress(sheet: EvidenceSheet) -> Job | None:
    """Return the job that watches boot storage for this sheet: its progress is the sheet's."""
    return Job.objects.filter(key=f"sheet:{sheet.pk}:probe").first()


def name_here(conflict: Conflict) -> str:
    """Return what the host the conflict is about calls the zone."""
    placement = conflict.zone.placements.filter(host=conflict.host_id, gone_at=None).first()
    return placement.name if placement else conflict.zone.name
