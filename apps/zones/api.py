"""Zones, for programs: what is known of them, their readings, and the safe verbs."""

from __future__ import annotations

from typing import Any, ClassVar
from uuid import UUID

from django.db.models import QuerySet
from rest_framework import mixins, serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from apps.base.api import Input, Text, parameters
from apps.base.errors import FilterRefused, NotFound
from apps.fleet.api import owner_hostid
from apps.jobs.models import Job
from apps.zones.models import Placement, Reading, Zone
from apps.zones.selectors import placements_present, readings_of, sightings_of, zones_visible_to
from apps.zones.services import evacuate_host, migrate_zone, run_verb
from kernelzone.ownership import Verdict
from kernelzone.words import WordError, canonical_uuid


class VerbIn(Input):
    """A safe verb, and the host that is to run it."""

    verb = Text()
    owner_hostid = Text()


class MigrationIn(Input):
    """The host that the zone is on, and the one it goes to. `live_only`: only if it runs."""

    owner_hostid = Text()
    target_hostid = Text()
    dry_run = serializers.BooleanField(default=False)
    live_only = serializers.BooleanField(default=False)


class EvacuationIn(Input):
    """The host whose zones go; `every_zone`: also those that do not run. `is_return`: bring back what went."""

    owner_hostid = Text()
    dry_run = serializers.BooleanField(default=False)
    every_zone = serializers.BooleanField(default=False)
    is_return = serializers.BooleanField(default=False)


def zone_out(zone: Zone) -> dict[str, Any]:
    """Return one zone as lists show it."""
    return {
        "id": zone.pk,
        "name": zone.name,
        "zone_uuid": zone.zone_uuid,
        "verdict": zone.verdict,
        "verdict_at": zone.verdict_at,
        "owner_hostid": zone.owner_hostid or None,
        "high_water": zone.high_water,
    }


def placement_out(placement: Placement) -> dict[str, Any]:
    """Return one placement as the API shows it."""
    return {
        "owner_hostid": placement.host.owner_hostid,
        "hostname": placement.host.hostname,
        "name": placement.name,
        "state": placement.state,
        "auxiliary": placement.auxiliary,
        "autoboot": placement.autoboot,
        "held_back": placement.held_back or None,
        "key_id": placement.key_id or None,
        "evacuation_target": placement.evacuation_target or None,
        "state_since": placement.state_since,
        "last_seen_at": placement.last_seen_at,
    }


def reading_out(reading: Reading) -> dict[str, Any]:
    """Return one reading as the API shows it."""
    return {
        "id": reading.pk,
        "nonce": reading.nonce,
        "storage": reading.storage.uri,
        "read_by": reading.host.owner_hostid,
        "seen_at": reading.seen_at,
        "recorded_at": reading.recorded_at,
        "status": reading.status,
        "generation": reading.generation,
        "owner_hostid": reading.owner_hostid or None,
        "raw_sha256": reading.raw_sha256 or None,
        "record_sha256": reading.record_sha256 or None,
        "warning": reading.warning or None,
        "record": reading.facts["record"],
        "claim": reading.facts["claim"],
        "slot_errors": reading.facts["slot_errors"],
    }


class ZoneViewSet(mixins.ListModelMixin, GenericViewSet[Zone]):
    """Zones: list by name or verdict, read one whole, its readings, run a safe verb, and migrate.

    Parameters of the list: name, verdict, owner_hostid.
    """

    required_permission = {
        "list": "zones.view",
        "retrieve": "zones.view",
        "readings": "zones.view",
        "verbs": "zones.run",
        "migrations": "zones.run",
    }
    ordering: tuple[str, ...] = ("name", "pk")

    def get_queryset(self) -> QuerySet[Zone]:
        """Return what the caller may see."""
        return zones_visible_to(self.request.user)

    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Return a page of zones, by name."""
        given = parameters(request, "name", "verdict", "owner_hostid")
        if given.get("verdict", Verdict.FREE) not in list(Verdict):
            raise FilterRefused(message="'verdict' is not a verdict", parameter="verdict")
        page = self.paginate_queryset(self.get_queryset().filter(**given)) or []
        return self.get_paginated_response([zone_out(zone) for zone in page])

    def retrieve(self, request: Request, pk: str) -> Response:
        """Return one zone with its placements and the newest reading of every host."""
        zone = self._zone(pk)
        return Response(
            {
                **zone_out(zone),
                "placements": [placement_out(row) for row in placements_present([zone])],
                "sightings": [
                    {**reading_out(row.reading), "confirmed_at": row.confirmed_at} for row in sightings_of(zone)
                ],
            }
        )

    @action(detail=True)
    def readings(self, request: Request, pk: str) -> Response:
        """Return a page of the zone's readings, newest first."""
        parameters(request)
        self.ordering = ("-recorded_at", "-pk")
        rows: Any = readings_of(self._zone(pk))
        page: list[Any] = self.paginate_queryset(rows) or []
        return self.get_paginated_response([reading_out(row) for row in page])

    @action(detail=True, methods=["post"])
    def verbs(self, request: Request, pk: str) -> Response:
        """Return 202 with the job that runs a safe verb on one host."""
        return _accepted(run_verb(self._id(pk), actor=request.user, **VerbIn.parse(request.data)))

    @action(detail=True, methods=["post"])
    def migrations(self, request: Request, pk: str) -> Response:
        """Return 202 with the job by which the zone's host migrates it to another."""
        return _accepted(migrate_zone(self._id(pk), actor=request.user, **MigrationIn.parse(request.data)))

    def _zone(self, pk: str) -> Zone:
        zone = self.get_queryset().filter(pk=self._id(pk)).first()
        if zone is None:
            raise NotFound()
        return zone

    def _id(self, pk: str) -> UUID:
        try:
            return canonical_uuid(pk)
        except WordError:
            raise NotFound() from None


class EvacuationViewSet(GenericViewSet[Job]):
    """Evacuations: a host sends its zones to their evacuation targets, or brings them back."""

    required_permission: ClassVar[dict[str, str]] = {"create": "zones.run"}
    queryset = Job.objects.none()

    def create(self, request: Request) -> Response:
        """Return 202 with the job of the host."""
        given = EvacuationIn.parse(request.data)
        return _accepted(evacuate_host(owner_hostid(given.pop("owner_hostid")), actor=request.user, **given))


def _accepted(job: Job) -> Response:
    location = f"/api/v1/jobs/{job.pk}"
    body = {"job": str(job.pk), "state": job.state, "links": {"job": location}}
    return Response(body, status=202, headers={"Location": location})


ROUTES: list[tuple[str, Any]] = [("zones", ZoneViewSet), ("evacuations", EvacuationViewSet)]
