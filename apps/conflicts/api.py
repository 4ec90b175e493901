"""Conflicts, for programs: what is wrong, what is known, and the ways out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.utils import timezone
from rest_framework import mixins
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from apps.accounts.permissions import caller
from apps.base.api import Input, Number, Text, parameters
from apps.base.errors import FilterRefused, NotFound
from apps.conflicts.doors import Way, doors
from apps.conflicts.models import Conflict, EvidenceRow, EvidenceSheet, Obligation
from apps.conflicts.selectors import conflicts_visible_to, obligations_of_zone, sheet_progress, zoneadm_message
from apps.conflicts.sentences import conflict_sentence, hostids_in
from apps.conflicts.services import (
    DEFAULT_WINDOW_S,
    acknowledge_conflict,
    assert_word,
    gather_evidence,
    take_door,
    waive_door,
)
from apps.fleet.models import Host
from apps.fleet.selectors import host_names
from apps.jobs.models import Job
from kernelzone.words import WordError, canonical_uuid


class EvidenceIn(Input):
    """How long boot storage is to be watched, in seconds."""

    window_s = Number(default=DEFAULT_WINDOW_S)


class DoorIn(Input):
    """A safe way out, by its name."""

    door = Text()


class WaiverIn(Input):
    """A safe way out that is given up, and why."""

    door = Text()
    reason = Text()


class WordIn(Input):
    """What a person asserts about the owner, and how they know."""

    text = Text()
    how = Text()


def host_out(host: Host | None) -> dict[str, Any] | None:
    """Return a host as other resources name it."""
    return {"owner_hostid": host.owner_hostid, "hostname": host.hostname} if host else None


def conflicts_out(conflicts: Sequence[Conflict]) -> list[dict[str, Any]]:
    """Return conflicts as lists show them; hosts are called as people call them."""
    names = host_names(hostid for one in conflicts for hostid in hostids_in(one))
    return [_conflict_out(one, names) for one in conflicts]


def _conflict_out(conflict: Conflict, names: Mapping[str, str]) -> dict[str, Any]:
    return {
        "id": conflict.pk,
        "kind": conflict.kind,
        "severity": conflict.get_severity_display().lower(),
        "zone": {"id": conflict.zone_id, "name": conflict.zone.name},
        "host": host_out(conflict.host),
        "sentence": conflict_sentence(conflict, names),
        "facts": conflict.facts,
        "opened_at": conflict.opened_at,
        "last_seen_at": conflict.last_seen_at,
        "acknowledged_at": conflict.acknowledged_at,
        "acknowledged_by": conflict.acknowledged_by.get_username() if conflict.acknowledged_by else None,
        "resolved_at": conflict.resolved_at,
        "resolved_how": conflict.resolved_how or None,
    }


def door_out(way: Way) -> dict[str, Any]:
    """Return one door of the ladder."""
    return {
        "door": way.door,
        "state": way.state,
        "reason": way.reason,
        "is_forced": way.is_forced,
        "is_taken_by_hand": way.is_taken_by_hand,
        "job": way.job.pk if way.job else None,
    }


def obligation_out(row: Obligation) -> dict[str, Any]:
    """Return what a host that lost the zone has to confirm; `met_at` is null while it has not."""
    return {
        "id": row.pk,
        "owner_hostid": row.owner_hostid,
        "new_owner_hostid": row.new_owner_hostid,
        "opened_at": row.opened_at,
        "met_at": row.met_at,
        "met_how": row.met_how or None,
    }


def row_out(row: EvidenceRow) -> dict[str, Any]:
    """Return one row of a sheet; `word` is null while it is being asked."""
    return {
        "probe": row.probe,
        "source": row.source,
        "word": row.word or None,
        "value": row.value,
        "sentence": row.sentence,
        "asked_at": row.asked_at,
        "at": row.at,
    }


def sheet_out(sheet: EvidenceSheet) -> dict[str, Any]:
    """Return one evidence sheet, its rows in the order of the probes, and how far the write samples are."""
    return {
        "id": sheet.pk,
        "state": sheet.state,
        "target": sheet.target.owner_hostid,
        "window_s": sheet.window_s,
        "begun_at": sheet.begun_at,
        "deadline_at": sheet.deadline_at,
        "completed_at": sheet.completed_at,
        "facts_sha256": sheet.facts_sha256 or None,
        "rows": [row_out(row) for row in sheet.rows.all()],
        "progress": _progress(sheet),
    }


def _progress(sheet: EvidenceSheet) -> dict[str, Any] | None:
    job = sheet_progress(sheet) if sheet.state == EvidenceSheet.State.GATHERING else None
    return {"done": job.progress_done, "of": job.progress_of, "what": job.progress_what} if job else None


def accepted(job: Job) -> Response:
    """Return 202 with the job that was inserted."""
    location = f"/api/v1/jobs/{job.pk}"
    body = {"job": str(job.pk), "state": job.state, "links": {"job": location}}
    return Response(body, status=202, headers={"Location": location})


class ConflictViewSet(mixins.ListModelMixin, GenericViewSet[Conflict]):
    """Conflicts: list by zone, kind or openness; read one whole; acknowledge; gather evidence; take a safe door.

    Parameters of the list: zone (id), kind, open (yes or no).
    """

    required_permission = {
        "list": "conflicts.view",
        "retrieve": "conflicts.view",
        "acknowledge": "conflicts.acknowledge",
        "evidence": "conflicts.sample",
        "doors": "zones.run",
        "waivers": "forced_actions.request",
        "words": "conflicts.assert",
    }
    ordering = ("-severity", "opened_at", "pk")

    def get_queryset(self) -> QuerySet[Conflict]:
        """Return what the caller may see."""
        return conflicts_visible_to(caller(self.request))

    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Return a page of conflicts, the most severe first."""
        given = parameters(request, "zone", "kind", "open")
        page = self.paginate_queryset(_filtered(self.get_queryset(), given)) or []
        return self.get_paginated_response(conflicts_out(page))

    def retrieve(self, request: Request, pk: str) -> Response:
        """Return one conflict with the message of `zoneadm`, its doors and its newest sheets."""
        conflict = self.get_queryset().filter(pk=uuid_of(pk)).first()
        if conflict is None:
            raise NotFound()
        sheets = conflict.zone.sheets.select_related("target").prefetch_related("rows").order_by("-begun_at")[:5]
        return Response(
            {
                **conflicts_out([conflict])[0],
                "message": zoneadm_message(conflict) or None,
                "doors": [door_out(way) for way in doors(conflict, timezone.now())],
                "obligations": [obligation_out(row) for row in obligations_of_zone(conflict.zone)],
                "sheets": [sheet_out(sheet) for sheet in sheets],
            }
        )

    @action(detail=True, methods=["post"])
    def acknowledge(self, request: Request, pk: str) -> Response:
        """Return the conflict, acknowledged."""
        Input.parse(request.data)
        return Response(conflicts_out([acknowledge_conflict(uuid_of(pk), actor=caller(request))])[0])

    @action(detail=True, methods=["post"])
    def evidence(self, request: Request, pk: str) -> Response:
        """Return 202 with a new sheet, its questions on their way."""
        sheet = gather_evidence(uuid_of(pk), actor=caller(request), **EvidenceIn.parse(request.data))
        return Response(sheet_out(sheet), status=202)

    @action(detail=True, methods=["post"])
    def doors(self, request: Request, pk: str) -> Response:
        """Return 202 with the first job of a safe door."""
        return accepted(take_door(uuid_of(pk), actor=caller(request), **DoorIn.parse(request.data)))

    @action(detail=True, methods=["post"])
    def waivers(self, request: Request, pk: str) -> Response:
        """Return 201 with the waiver of a safe door."""
        waiver = waive_door(uuid_of(pk), actor=caller(request), **WaiverIn.parse(request.data))
        body = {"door": waiver.door, "reason": waiver.reason, "waived_at": waiver.waived_at}
        return Response(body, status=201)

    @action(detail=True, methods=["post"])
    def words(self, request: Request, pk: str) -> Response:
        """Return 201 with what was asserted."""
        word = assert_word(uuid_of(pk), actor=caller(request), **WordIn.parse(request.data))
        body = {"owner_hostid": word.owner_hostid, "text": word.text, "how": word.how, "said_at": word.said_at}
        return Response(body, status=201)


def uuid_of(text: str) -> UUID:
    """Return the uuid of an address. Raises: NotFound for anything else."""
    try:
        return canonical_uuid(text)
    except WordError:
        raise NotFound() from None


def _filtered(rows: QuerySet[Conflict], given: dict[str, str]) -> QuerySet[Conflict]:
    if "zone" in given:
        rows = rows.filter(zone=uuid_of(given["zone"]))
    if "kind" in given:
        if given["kind"] not in Conflict.Kind.values:
            raise FilterRefused(message="'kind' is not a kind of conflict", parameter="kind")
        rows = rows.filter(kind=given["kind"])
    if "open" in given:
        if given["open"] not in ("yes", "no"):
            raise FilterRefused(message="'open' is yes or no", parameter="open")
        rows = rows.filter(resolved_at__isnull=given["open"] == "yes")
    return rows


ROUTES = [("conflicts", ConflictViewSet)]
