"""Jobs, for programs: follow one to its end, take one back; and hosts, which are inspected by a job."""

from __future__ import annotations

from typing import Any, ClassVar
from uuid import UUID

from django.db.models import QuerySet
from rest_framework import mixins
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from apps.accounts.permissions import caller
from apps.base.api import number_parameter, parameters
from apps.base.errors import FilterRefused, NotFound
from apps.fleet.api import HostViewSet, owner_hostid
from apps.fleet.api_agents import NothingIn
from apps.jobs.models import Job, JobLine
from apps.jobs.selectors import jobs_somebody_wanted, jobs_visible_to, lines_of
from apps.jobs.services import cancel_job, inspect_now
from apps.jobs.workflow import OPEN, State
from kernelzone.orders import Kind
from kernelzone.words import WordError, canonical_uuid

MAX_LINES = 1000
LAST_LINE = 2**31 - 1


def job_out(job: Job) -> dict[str, Any]:
    """Return one job as the API shows it; `id` is the order's."""
    return {
        "id": job.pk,
        "kind": job.kind,
        "owner_hostid": job.host.owner_hostid,
        "hostname": job.host.hostname,
        "zone_name": job.zone_name or None,
        "zone_uuid": job.zone_uuid,
        "state": job.state,
        "is_open": job.state in OPEN,
        "code": job.code or None,
        "progress": {"done": job.progress_done, "of": job.progress_of, "what": job.progress_what},
        "subject": {"kind": job.subject_kind, "id": job.subject_id} if job.subject_kind else None,
        "requested_by": job.requested_by.get_username() if job.requested_by is not None else None,
        "created_at": job.created_at,
        "not_before": job.not_before,
        "not_after": job.not_after,
        "signed_at": job.signed_at,
        "sent_at": job.sent_at,
        "sent_count": job.sent_count,
        "started_at": job.started_at,
        "finished_at": job.finished_at,
    }


def line_out(line: JobLine) -> dict[str, Any]:
    """Return one line of live output."""
    return {"number": line.number, "at": line.at, "text": line.text}


class JobViewSet(mixins.ListModelMixin, GenericViewSet[Job]):
    """Jobs: list, newest first; read one with its live output; take one back.

    Parameters of the list: state, kind, owner_hostid, zone_name, sweep (true: also the inspections nobody asked for).
    Parameter of one: after, the number of the last line that is known.
    """

    required_permission: ClassVar[dict[str, str]] = {
        "list": "jobs.view",
        "retrieve": "jobs.view",
        "cancel": "jobs.cancel",
    }
    ordering = ("-created_at", "-pk")

    def get_queryset(self) -> QuerySet[Job]:
        """Return what the caller may see."""
        return jobs_visible_to(self.request.user)

    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Return a page of jobs, newest first."""
        given: dict[str, Any] = dict(parameters(request, "state", "kind", "owner_hostid", "zone_name", "sweep"))
        _refuse_unknown("state", given, State.values)
        _refuse_unknown("kind", given, list(Kind))
        _refuse_unknown("sweep", given, ["true", "false"])
        rows = jobs_visible_to if given.pop("sweep", "false") == "true" else jobs_somebody_wanted
        if "owner_hostid" in given:
            given["host__owner_hostid"] = owner_hostid(given.pop("owner_hostid"))
        page = self.paginate_queryset(rows(request.user).filter(**given)) or []
        return self.get_paginated_response([job_out(job) for job in page])

    def retrieve(self, request: Request, pk: str) -> Response:
        """Return one job and at most 1 000 lines of its output after line `after`."""
        after = number_parameter("after", parameters(request, "after").get("after", "0"), 0, LAST_LINE)
        job = self.get_queryset().filter(pk=_id(pk)).first()
        if job is None:
            raise NotFound()
        return Response({**job_out(job), "lines": [line_out(line) for line in lines_of(job, after=after)[:MAX_LINES]]})

    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, pk: str) -> Response:
        """Return the job: cancelled, or running on while its agent is asked to take the order back."""
        NothingIn.parse(request.data)
        return Response(job_out(cancel_job(_id(pk), actor=caller(request))))


class InspectedHostViewSet(HostViewSet):
    """Hosts, and the order to look at one now."""

    required_permission: ClassVar[dict[str, str]] = {**HostViewSet.required_permission, "inspect": "fleet.inspect"}

    @action(detail=True, methods=["post"])
    def inspect(self, request: Request, pk: str) -> Response:
        """Return 202 with the job that inspects the host."""
        NothingIn.parse(request.data)
        job = inspect_now(owner_hostid(pk), actor=caller(request))
        location = f"/api/v1/jobs/{job.pk}"
        body = {"job": str(job.pk), "state": job.state, "links": {"job": location}}
        return Response(body, status=202, headers={"Location": location})


def _id(text: str) -> UUID:
    try:
        return canonical_uuid(text)
    except WordError:
        raise NotFound() from None


def _refuse_unknown(name: str, given: dict[str, Any], known: list[str]) -> None:
    if name in given and given[name] not in known:
        raise FilterRefused(message=f"'{name}' is not one of {', '.join(known)}", parameter=name)


ROUTES = [("hosts", InspectedHostViewSet), ("jobs", JobViewSet)]
