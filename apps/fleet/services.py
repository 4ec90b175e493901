"""Changing hosts and agents: who is trusted to speak for which host, and what a host says it is."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple
from uuid import UUID

from django.db import IntegrityError, transaction
from django.utils import timezone

from apps.accounts.models import User
from apps.base.bulk import update_each
from apps.base.errors import InvalidInput, NotFound
from apps.base.text import clean_text
from apps.fleet.collisions import note_boot, note_claims
from apps.fleet.errors import AgentExists, KeyInUse
from apps.fleet.models import Agent, Host, HostIdentity
from apps.fleet.selectors import host_for_update
from apps.fleet.workflow import LIVE
from apps.history.actors import SYSTEM, Actor, person
from apps.history.actors import agent as agent_actor
from apps.history.services import append
from kernelzone.envelope import EnvelopeError, public_key
from kernelzone.facts import HostFacts
from kernelzone.words import WordError, host_id, shown

# a sighting of a known identity is written at most so often: it says nothing new
IDENTITY_SEEN_EVERY: Final = timedelta(hours=1)
_LONGEST_HOSTNAME: Final = 255
_LONGEST_RELEASE: Final = 32
_LONGEST_MESSAGE: Final = 255
# column to field of HostFacts
_SAID_BY_HOST: Final = {
    "hostname": "hostname",
    "boot_environment": "boot_environment",
    "boot_environment_uuid": "boot_environment_uuid",
    "release": "release",
    "boot_id": "boot_id",
    "maintenance_on_host": "maintenance",
}


class HostName(NamedTuple):
    """A host as a person names it for an agent; only the owner hostid (8 hex digits) is a name in our sense."""

    owner_hostid: str
    hostname: str = ""
    site: str = ""
    rack: str = ""


@transaction.atomic(durable=True)
def trust_agent(*, uuid: UUID, key_hex: str, name: str, hosts: Sequence[HostName] = (), actor: Actor = SYSTEM) -> Agent:
    """Return the agent, trusted from now on to speak for `hosts`; said again, it changes nothing.

    key_hex: the raw Ed25519 public key, 64 hex digits.
    Raises: InvalidInput public_key, name_*, hostid; KeyInUse; AgentExists.
    """
    key_hex = _clean_key(key_hex)
    agent = Agent.objects.select_for_update(no_key=True).filter(pk=uuid).first()
    if agent is None:
        agent = _new_agent(uuid, key_hex, clean_text(name, noun="name"), actor)
    elif (agent.public_key, agent.state) != (key_hex, Agent.State.TRUSTED):
        raise AgentExists(agent=str(uuid))
    for host in hosts:
        give_host(agent, host, actor)
    return agent


@transaction.atomic(durable=True)
def assign_host(agent_uuid: UUID, host: HostName, *, actor: Actor = SYSTEM) -> Host:
    """Return the host, spoken for by this trusted agent from now on. Raises: NotFound, AgentExists, InvalidInput."""
    agent = Agent.objects.select_for_update(no_key=True).filter(pk=agent_uuid, state=Agent.State.TRUSTED).first()
    if agent is None:
        raise NotFound()
    return give_host(agent, host, actor)


@transaction.atomic(durable=True)
def start_maintenance(owner_hostid: str, *, actor: User) -> Host:
    """Return the host, in maintenance: it stays inspected. Raises: NotFound, NotAllowed."""
    host = host_for_update(owner_hostid, actor=actor, permission="fleet.maintain")
    if host.maintenance_since is None:
        _set_maintenance(host, timezone.now(), "host.start-maintenance", actor)
    return host


@transaction.atomic(durable=True)
def end_maintenance(owner_hostid: str, *, actor: User) -> Host:
    """Return the host, no longer in maintenance. Raises: NotFound, NotAllowed."""
    host = host_for_update(owner_hostid, actor=actor, permission="fleet.maintain")
    if host.maintenance_since is not None:
        _set_maintenance(host, None, "host.end-maintenance", actor)
    return host


@transaction.atomic(durable=True)
def retire_host(owner_hostid: str, *, actor: User) -> Host:
    """Return the host, shown and inspected no more; its history stays. Raises: NotFound, NotAllowed."""
    host = host_for_update(owner_hostid, actor=actor, permission="fleet.manage")
    host.retired_at = timezone.now()
    host.agent = None
    host.save(update_fields=["retired_at", "agent"])
    append("host.retire", actor=person(actor), subjects=[("host", host.owner_hostid)], data={})
    return host


def record_host_facts(seen: Sequence[tuple[Host, HostFacts]], *, now: datetime) -> None:
    """The hosts and their identities are as `seen` says, the last word on each counting. The caller's transaction."""
    newest = {host.pk: (host, _as_kept(facts)) for host, facts in seen}
    claims = [note_boot(host, facts) for host, facts in newest.values()]
    changed = [host for host, facts in newest.values() if _copy_facts(host, facts)]
    update_each(changed, [*_SAID_BY_HOST, "boot_ids"])
    note_claims((one for one in claims if one is not None), now)
    Host.objects.filter(pk__in=list(newest)).update(inspected_at=now, last_heard_at=now)
    _record_identities(list(newest.values()), now)


def record_states(digests: dict[Host, str], *, now: datetime) -> None:
    """The whole states of these hosts, of these digests, are taken in. In the caller's transaction."""
    changed = [host for host, digest in digests.items() if host.state_sha256 != digest]
    for host in changed:
        host.state_sha256 = digests[host]
    update_each(changed, ["state_sha256"])
    Host.objects.filter(pk__in=[host.pk for host in digests]).update(state_taken_at=now)


def forget_states(hosts: Iterable[Host]) -> None:
    """Something happened on these hosts: the next state that their agent tells of is news, whatever it is."""
    Host.objects.filter(pk__in=[host.pk for host in hosts]).update(state_sha256="")


def confirm_states(hosts: Iterable[Host], *, now: datetime) -> None:
    """These hosts were inspected, and are as they were."""
    Host.objects.filter(pk__in=[host.pk for host in hosts]).update(inspected_at=now, last_heard_at=now)


def _clean_key(key_hex: str) -> str:
    try:
        public_key(bytes.fromhex(key_hex))
    except (ValueError, EnvelopeError):
        raise InvalidInput(
            code="PUBLIC_KEY",
            field="public_key",
            message="this is not the public key of an agent",
            hint="Copy the 64 hex digits that kzagent init printed.",
        ) from None
    return key_hex.lower()


def _new_agent(uuid: UUID, key_hex: str, name: str, actor: Actor) -> Agent:
    try:
        with transaction.atomic():
            agent = Agent.objects.create(uuid=uuid, public_key=key_hex, name=name[:64], trusted_at=timezone.now())
    except IntegrityError:
        raise KeyInUse() from None
    append(
        "agent.trust", actor=actor, subjects=[("agent", str(uuid))], data={"name": agent.name, "public_key": key_hex}
    )
    return agent


def give_host(agent: Agent, named: HostName, actor: Actor) -> Host:
    """Return the host, spoken for by `agent` from now on. In the caller's transaction, which locks the agent.

    Raises: AgentExists, InvalidInput hostid.
    """
    try:
        owner_hostid = host_id(named.owner_hostid)
    except WordError as error:
        hint = "Take it from the command hostid on that host: eight hex digits, without 0x."
        raise InvalidInput(code=error.code, field="hostid", message=error.message, hint=hint) from None
    host, _ = Host.objects.select_for_update(no_key=True).get_or_create(owner_hostid=owner_hostid)
    before = host.agent
    if before is not None and before.pk != agent.pk and before.state in LIVE:
        raise AgentExists(owner_hostid=owner_hostid, agent=str(before.pk))
    changes: dict[str, Any] = {name: value for name, value in named._asdict().items() if value}
    changes |= {"owner_hostid": owner_hostid, "agent": agent, "retired_at": None}
    if any(getattr(host, name) != value for name, value in changes.items()):
        _save_assigned(host, changes, actor)
    return host


def _save_assigned(host: Host, changes: dict[str, Any], actor: Actor) -> None:
    # what another agent had told of it is no longer what it is compared with
    for name, value in (changes | {"state_sha256": ""}).items():
        setattr(host, name, value)
    host.save(update_fields=[*changes, "state_sha256"])
    subjects = [("host", host.owner_hostid), ("agent", str(host.agent_id))]
    data = {"hostname": host.hostname, "site": host.site, "rack": host.rack}
    append("host.assign", actor=actor, subjects=subjects, data=data)


def _set_maintenance(host: Host, since: datetime | None, event: str, actor: User) -> None:
    host.maintenance_since = since
    host.save(update_fields=["maintenance_since"])
    append(event, actor=person(actor), subjects=[("host", host.owner_hostid)], data={})


def _as_kept(facts: HostFacts) -> HostFacts:
    # a host says what it likes of itself, and people read it on pages and in terminals
    return replace(
        facts,
        hostname=shown(facts.hostname, _LONGEST_HOSTNAME),
        boot_environment=shown(facts.boot_environment),
        release=shown(facts.release, _LONGEST_RELEASE),
        boot_id=shown(facts.boot_id),
        maintenance=shown(facts.maintenance or "", _LONGEST_MESSAGE),
    )


def _copy_facts(host: Host, facts: HostFacts) -> bool:
    """Return whether the row, which is as `facts` say now, was not before."""
    before = [getattr(host, name) for name in _SAID_BY_HOST]
    for name, field in _SAID_BY_HOST.items():
        setattr(host, name, getattr(facts, field))
    return before != [getattr(host, name) for name in _SAID_BY_HOST]


def _record_identities(seen: list[tuple[Host, HostFacts]], now: datetime) -> None:
    known = _known_identities(seen)
    stale: list[int] = []
    for host, facts in seen:
        row = known.get(host.pk, {}).get(_identity(facts))
        if row is None:
            _record_new_identity(host, facts, now, is_first=host.pk not in known)
        elif row.last_seen_at < now - IDENTITY_SEEN_EVERY:
            stale.append(row.pk)
    if stale:
        HostIdentity.objects.filter(pk__in=stale).update(last_seen_at=now)


def _known_identities(seen: list[tuple[Host, HostFacts]]) -> dict[int, dict[tuple[Any, ...], HostIdentity]]:
    known: dict[int, dict[tuple[Any, ...], HostIdentity]] = {}
    for row in HostIdentity.objects.filter(host__in=[host for host, _ in seen]):
        key = (row.owner_hostid, row.hostname, row.boot_environment, row.boot_environment_uuid)
        known.setdefault(row.host_id, {})[key] = row
    return known


def _identity(facts: HostFacts) -> tuple[Any, ...]:
    return (facts.owner_hostid, facts.hostname, facts.boot_environment, facts.boot_environment_uuid)


def _record_new_identity(host: Host, facts: HostFacts, now: datetime, *, is_first: bool) -> None:
    HostIdentity.objects.create(
        host=host,
        owner_hostid=facts.owner_hostid,
        hostname=facts.hostname,
        boot_environment=facts.boot_environment,
        boot_environment_uuid=facts.boot_environment_uuid,
        first_seen_at=now,
        last_seen_at=now,
    )
    if not is_first:
        actor = agent_actor(host.agent) if host.agent is not None else SYSTEM
        data = {"hostname": facts.hostname, "boot_environment": facts.boot_environment}
        append("host.identity-changed", actor=actor, subjects=[("host", host.owner_hostid)], data=data)
