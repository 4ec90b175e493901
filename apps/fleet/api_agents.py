"""Agents and join tokens, for programs: what `kzfleet agents`, `kzfleet confirm` and `kzfleet enrol-token` use."""

from __future__ import annotations

from typing import Any, ClassVar
from uuid import UUID

from django.db.models import QuerySet
from rest_framework import mixins, serializers, status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from apps.accounts.permissions import caller
from apps.base.api import Input, Text, parameters
from apps.base.errors import FilterRefused, NotFound
from apps.fleet.agents import resume_agent, revoke_agent, suspend_agent
from apps.fleet.enrolling import confirm_agent, reject_agent
from apps.fleet.joining import make_join_token, withdraw_join_token
from apps.fleet.models import Agent, JoinToken
from apps.fleet.selectors import agents_visible_to, hosts_wanted, open_join_tokens
from apps.fleet.services import HostName
from apps.fleet.workflow import State
from kernelzone.envelope import key_id
from kernelzone.words import WordError, canonical_uuid


class HostIn(Input):
    """A host a join token is for."""

    owner_hostid = Text()
    hostname = Text(default="")
    site = Text(default="")
    rack = Text(default="")


class JoinTokenIn(Input):
    """The hosts that one agent will speak for."""

    hosts = serializers.ListField(child=serializers.DictField(), allow_empty=True, max_length=2000)


class WordsIn(Input):
    """The six words as they stand on the host's terminal."""

    words = Text()


class ReasonIn(Input):
    """Why."""

    reason = Text()


class NothingIn(Input):
    """No fields."""


def agent_out(agent: Agent) -> dict[str, Any]:
    """Return one agent as the API shows it; its fingerprint words are on its own terminal and nowhere else."""
    return {
        "id": agent.pk,
        "name": agent.name,
        "state": agent.state,
        "state_reason": agent.state_reason or None,
        "key_id": key_id(bytes.fromhex(agent.public_key)),
        "public_key": agent.public_key,
        "key_since": agent.key_since,
        "old_key_until": agent.old_key_until,
        "sealing_key": agent.sealing_key or None,
        "hosts": sorted(host.owner_hostid for host in agent.hosts.all()),
        "hosts_wanted": hosts_wanted(agent) if agent.state == State.PENDING else [],
        "epoch": agent.epoch or None,
        "last_seq": agent.last_seq,
        "last_report_at": agent.last_report_at,
        "enrolled_at": agent.enrolled_at,
        "trusted_at": agent.trusted_at,
    }


def join_token_out(token: JoinToken) -> dict[str, Any]:
    """Return one join token as the API shows it, without its text."""
    return {
        "id": token.pk,
        "hosts": token.hosts,
        "created_by": token.created_by.get_username(),
        "created_at": token.created_at,
        "expires_at": token.expires_at,
    }


class AgentViewSet(mixins.ListModelMixin, GenericViewSet[Agent]):
    """Agents: list (parameter state), read one, and decide about it."""

    required_permission: ClassVar[dict[str, str]] = {
        "list": "fleet.view",
        "retrieve": "fleet.view",
        "confirm": "fleet.confirm",
        "reject": "fleet.manage",
        "suspend": "fleet.manage",
        "resume": "fleet.manage",
        "revoke": "fleet.manage",
    }
    ordering = ("-enrolled_at", "pk")

    def get_queryset(self) -> QuerySet[Agent]:
        """Return what the caller may see."""
        return agents_visible_to(self.request.user).prefetch_related("hosts")

    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Return a page of agents, the newest first."""
        given = parameters(request, "state")
        if given and given["state"] not in State.values:
            raise FilterRefused(message=f"'state' is one of {', '.join(State.values)}", parameter="state")
        page = self.paginate_queryset(self.get_queryset().filter(**given)) or []
        return self.get_paginated_response([agent_out(agent) for agent in page])

    def retrieve(self, request: Request, pk: str) -> Response:
        """Return one agent."""
        agent = self.get_queryset().filter(pk=_uuid(pk)).first()
        if agent is None:
            raise NotFound()
        return Response(agent_out(agent))

    @action(detail=True, methods=["post"])
    def confirm(self, request: Request, pk: str) -> Response:
        """Return the agent, believed from now on."""
        given = WordsIn.parse(request.data)
        return Response(agent_out(confirm_agent(_uuid(pk), actor=caller(request), words=given["words"])))

    @action(detail=True, methods=["post"])
    def reject(self, request: Request, pk: str) -> Response:
        """Return the agent, never believed."""
        NothingIn.parse(request.data)
        return Response(agent_out(reject_agent(_uuid(pk), actor=caller(request))))

    @action(detail=True, methods=["post"])
    def suspend(self, request: Request, pk: str) -> Response:
        """Return the agent, not believed for now."""
        return Response(agent_out(suspend_agent(_uuid(pk), actor=caller(request), **ReasonIn.parse(request.data))))

    @action(detail=True, methods=["post"])
    def resume(self, request: Request, pk: str) -> Response:
        """Return the agent, believed again."""
        return Response(agent_out(resume_agent(_uuid(pk), actor=caller(request), **ReasonIn.parse(request.data))))

    @action(detail=True, methods=["post"])
    def revoke(self, request: Request, pk: str) -> Response:
        """Return the agent, never believed again."""
        return Response(agent_out(revoke_agent(_uuid(pk), actor=caller(request), **ReasonIn.parse(request.data))))


class JoinTokenViewSet(mixins.ListModelMixin, GenericViewSet[JoinToken]):
    """Join tokens: list those that can be used, make one, withdraw one. The text is in the answer to making it only."""

    required_permission: ClassVar[dict[str, str]] = {
        "list": "fleet.manage",
        "create": "fleet.manage",
        "withdraw": "fleet.manage",
    }
    ordering = ("-pk",)

    def get_queryset(self) -> QuerySet[JoinToken]:
        """Return what the caller may see."""
        return open_join_tokens(self.request.user)

    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Return a page of join tokens, the newest first."""
        parameters(request)
        page = self.paginate_queryset(self.get_queryset()) or []
        return self.get_paginated_response([join_token_out(token) for token in page])

    def create(self, request: Request) -> Response:
        """Return 201 with the join token and, this once, its text."""
        given = JoinTokenIn.parse(request.data)
        hosts = [HostName(**HostIn.parse(host)) for host in given["hosts"]]
        token, text = make_join_token(hosts, actor=caller(request))
        return Response({**join_token_out(token), "token": text}, status=status.HTTP_201_CREATED)

    @action(detail=True, methods=["post"])
    def withdraw(self, request: Request, pk: str) -> Response:
        """Return the join token, which opens nothing any more."""
        NothingIn.parse(request.data)
        if not pk.isascii() or not pk.isdigit() or len(pk) > 18:
            raise NotFound()
        return Response(join_token_out(withdraw_join_token(int(pk), actor=caller(request))))


def _uuid(text: str) -> UUID:
    try:
        return canonical_uuid(text)
    except WordError:
        raise NotFound() from None
