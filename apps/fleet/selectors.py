"""Reading hosts and agents. A host is silent when its agent has not spoken for it of late; that proves nothing."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.db.models import BooleanField, Case, Q, QuerySet, Value, When
from django.utils import timezone

from apps.accounts.models import User
from apps.accounts.selectors import has_permission, require
from apps.base.errors import NotFound
from apps.fleet.models import Agent, AuthorityKey, Deployment, Host, HostidClaim, JoinToken

MAX_AUTHORITY_KEYS: Final = 2

TAKE_ANYWAY: Final = timedelta(minutes=5)


def deployment_uuid() -> UUID:
    """Return the uuid that every order and report of this installation carries; made when first asked for."""
    row, _ = Deployment.objects.get_or_create(pk=1)
    return row.uuid


def hosts_present() -> QuerySet[Host]:
    """Return the hosts that were not retired."""
    return Host.objects.filter(retired_at=None)


def hosts_visible_to(user: User | AnonymousUser) -> QuerySet[Host]:
    """Return the hosts this account may see: all that were not retired, or none."""
    return hosts_present() if has_permission(user, "fleet.view") else Host.objects.none()


def heard_since(now: datetime | None = None) -> datetime:
    """Return the moment since which a host must have been heard not to be silent."""
    return (now or timezone.now()) - timedelta(seconds=settings.HOST_SILENT_AFTER_S)


def silent_hosts(now: datetime | None = None) -> QuerySet[Host]:
    """Return the present hosts nobody has spoken for of late; whether they run is unknown."""
    return hosts_present().filter(_is_silent(now))


def hosts_with_silence(user: User | AnonymousUser, now: datetime | None = None) -> QuerySet[Host]:
    """Return the visible hosts with their agent and `is_silent`, in one query."""
    silent = Case(When(_is_silent(now), then=Value(True)), default=Value(False), output_field=BooleanField())
    return hosts_visible_to(user).select_related("agent").annotate(is_silent=silent)


def is_silent(host: Host, now: datetime | None = None) -> bool:
    """Return whether nobody has spoken for `host` of late."""
    return is_silent_since(host.last_heard_at, now)


def is_silent_since(heard: datetime | None, now: datetime | None = None) -> bool:
    """Return whether a host that was `heard` last then is silent; None: never."""
    return heard is None or heard < heard_since(now)


def known_state(host: Host, now: datetime) -> str | None:
    """Return the digest of the state of `host` that was taken in of late, None when it is wanted whole again.

    What was known may mean something else since another host spoke; so no state is skipped for longer.
    """
    is_young = host.state_taken_at is not None and host.state_taken_at > now - TAKE_ANYWAY
    return host.state_sha256 if is_young and host.state_sha256 else None


def host_by_owner_hostid(owner_hostid: str) -> Host | None:
    """Return the host of this owner hostid (8 hex digits, lower case), retired or not; None when never known."""
    return Host.objects.filter(owner_hostid=owner_hostid).first()


def hosts_by_owner_hostid(owner_hostids: Iterable[str]) -> dict[str, Host]:
    """Return owner hostid to host, for those that are known; one query."""
    found = Host.objects.select_related("agent").filter(owner_hostid__in=set(owner_hostids))
    return {host.owner_hostid: host for host in found}


def collided_hostids() -> dict[str, tuple[str, ...]]:
    """Return owner hostid to who else answers under it, for those where somebody does."""
    found: dict[str, tuple[str, ...]] = {}
    for row in HostidClaim.objects.filter(ended_at=None).select_related("host", "agent").order_by("pk"):
        found[row.host.owner_hostid] = (*found.get(row.host.owner_hostid, ()), str(row))
    return found


def trusted_agent(agent_uuid: UUID) -> Agent | None:
    """Return the agent if it is known and trusted."""
    return Agent.objects.filter(pk=agent_uuid, state=Agent.State.TRUSTED).first()


def agents_visible_to(user: User | AnonymousUser) -> QuerySet[Agent]:
    """Return the agents this account may see: all, or none."""
    return Agent.objects.all() if has_permission(user, "fleet.view") else Agent.objects.none()


def agent_for_update(agent_uuid: UUID, *, actor: User, permission: str) -> Agent:
    """Return the locked agent. Raises: NotFound (absent and invisible alike), NotAllowed."""
    agent = agents_visible_to(actor).select_for_update(no_key=True).filter(pk=agent_uuid).first()
    if agent is None:
        raise NotFound()
    require(actor, permission)
    return agent


def agents_needing_somebody(user: User | AnonymousUser) -> QuerySet[Agent]:
    """Return the visible agents that wait for a person: to be confirmed, or suspended. The oldest first."""
    waiting = [Agent.State.PENDING, Agent.State.SUSPENDED]
    return agents_visible_to(user).filter(state__in=waiting).select_related("join_token").order_by("enrolled_at")


def hosts_wanted(agent: Agent) -> list[dict[str, str]]:
    """Return the hosts a pending agent asked to speak for, as its join token names them."""
    token = JoinToken.objects.filter(agent=agent).first()
    return list(token.hosts) if token is not None else []


def open_join_tokens(user: User | AnonymousUser, now: datetime | None = None) -> QuerySet[JoinToken]:
    """Return the join tokens that can still be used, to those who may make them; newest first."""
    if not has_permission(user, "fleet.manage"):
        return JoinToken.objects.none()
    unused = JoinToken.objects.filter(used_at=None, withdrawn_at=None, expires_at__gt=now or timezone.now())
    return unused.select_related("created_by")


def authority_keys() -> list[str]:
    """Return the public keys of orders, the newest first, at most two; none before the signer has run."""
    return list(AuthorityKey.objects.order_by("-id").values_list("public_key", flat=True)[:MAX_AUTHORITY_KEYS])


def host_for_update(owner_hostid: str, *, actor: User, permission: str) -> Host:
    """Return the locked host. Raises: NotFound (absent and invisible alike), NotAllowed."""
    host = hosts_visible_to(actor).select_for_update(no_key=True).filter(owner_hostid=owner_hostid).first()
    if host is None:
        raise NotFound()
    require(actor, permission)
    return host


def _is_silent(now: datetime | None) -> Q:
    return Q(last_heard_at=None) | Q(last_heard_at__lt=heard_since(now))


def host_names(owner_hostids: Iterable[str]) -> dict[str, str]:
    """Return owner hostid to what people call the host, for those that are known; one query, none for nothing."""
    wanted = set(owner_hostids)
    return {hostid: str(host) for hostid, host in hosts_by_owner_hostid(wanted).items()} if wanted else {}
