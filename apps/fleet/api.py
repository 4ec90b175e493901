"""Hosts, for programs. What needs a job is added by the app of jobs, which also mounts this."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db.models import QuerySet
from rest_framework import mixins
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from apps.accounts.permissions import caller
from apps.base.api import parameters
from apps.base.errors import FilterRefused, InvalidInput, NotFound
from apps.fleet.api_agents import AgentViewSet, JoinTokenViewSet, NothingIn
from apps.fleet.models import Host
from apps.fleet.selectors import hosts_with_silence, is_silent
from apps.fleet.services import end_maintenance, start_maintenance
from kernelzone.words import HostId, WordError, host_id


def host_out(host: Host) -> dict[str, Any]:
    """Return one host as the API shows it. `is_silent`: nobody spoke for it of late; whether it runs is unknown."""
    return {
        "owner_hostid": host.owner_hostid,
        "hostname": host.hostname,
        "site": host.site,
        "rack": host.rack,
        "labels": host.labels,
        "agent": host.agent_id,
        "agent_state": host.agent.state if host.agent is not None else None,
        "is_silent": is_silent(host),
        "boot_environment": host.boot_environment,
        "boot_environment_uuid": host.boot_environment_uuid,
        "release": host.release,
        "maintenance_since": host.maintenance_since,
        "maintenance_on_host": host.maintenance_on_host or None,
        "first_seen_at": host.first_seen_at,
        "last_heard_at": host.last_heard_at,
        "inspected_at": host.inspected_at,
    }


class HostViewSet(mixins.ListModelMixin, GenericViewSet[Host]):
    """Hosts by owner hostid: list, read one with the names it was seen under, maintenance.

    Parameters of the list: hostname, site, rack, silent (true or false).
    """

    required_permission: ClassVar[dict[str, str]] = {
        "list": "fleet.view",
        "retrieve": "fleet.view",
        "start_maintenance": "fleet.maintain",
        "end_maintenance": "fleet.maintain",
    }
    ordering = ("owner_hostid",)

    def get_queryset(self) -> QuerySet[Host]:
        """Return what the caller may see."""
        return hosts_with_silence(self.request.user)

    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Return a page of hosts, by owner hostid."""
        given: dict[str, Any] = dict(parameters(request, "hostname", "site", "rack", "silent"))
        if "silent" in given:
            given["is_silent"] = _truth("silent", given.pop("silent"))
        page = self.paginate_queryset(self.get_queryset().filter(**given)) or []
        return self.get_paginated_response([host_out(host) for host in page])

    def retrieve(self, request: Request, pk: str) -> Response:
        """Return one host and its identities, newest first."""
        host = self.get_queryset().filter(owner_hostid=owner_hostid(pk)).first()
        if host is None:
            raise NotFound()
        identities = host.identities.order_by("-last_seen_at").values(
            "hostname", "boot_environment", "boot_environment_uuid", "first_seen_at", "last_seen_at"
        )
        return Response({**host_out(host), "identities": list(identities)})

    @action(detail=True, methods=["post"], url_path="maintenance/start")
    def start_maintenance(self, request: Request, pk: str) -> Response:
        """Return the host, in maintenance."""
        NothingIn.parse(request.data)
        return Response(host_out(start_maintenance(owner_hostid(pk), actor=caller(request))))

    @action(detail=True, methods=["post"], url_path="maintenance/end")
    def end_maintenance(self, request: Request, pk: str) -> Response:
        """Return the host, no longer in maintenance."""
        NothingIn.parse(request.data)
        return Response(host_out(end_maintenance(owner_hostid(pk), actor=caller(request))))


def owner_hostid(text: str) -> HostId:
    """Return the owner hostid in an address. Raises: InvalidInput hostid."""
    try:
        return host_id(text)
    except WordError as error:
        hint = "Take it from the list of hosts: eight hex digits, without 0x."
        raise InvalidInput(code=error.code, field="owner_hostid", message=error.message, hint=hint) from None


def _truth(name: str, text: str) -> bool:
    if text not in ("true", "false"):
        raise FilterRefused(message=f"'{name}' is true or false", parameter=name)
    return text == "true"


# hosts are mounted by apps.jobs.api, which can also inspect them
ROUTES: list[tuple[str, Any]] = [("agents", AgentViewSet), ("join-tokens", JoinTokenViewSet)]
