"""A new agent: it asks with a join token, a person compares six words, it is told what it needs to run."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils import timezone

from apps.accounts.models import User
from apps.base.errors import MalformedRequest, NotFound
from apps.fleet.agents import move_agent
from apps.fleet.broker_users import agent_broker_url, new_broker_password
from apps.fleet.errors import AgentExists, FingerprintDiffers, JoinTokenRefused, KeyInUse
from apps.fleet.models import Agent, Host, JoinToken
from apps.fleet.selectors import agent_for_update, authority_keys, deployment_uuid
from apps.fleet.services import HostName, give_host
from apps.fleet.workflow import LIVE, Move, State
from apps.history.actors import agent as agent_actor
from apps.history.actors import person
from apps.history.services import append, events_last
from kernelzone import strict
from kernelzone.enrolment import (
    DELIVERY,
    Delivery,
    Enrolment,
    Question,
    SealingKey,
    StatementError,
    raw_key,
    read_enrolment,
    read_statement,
    token_sha256,
)
from kernelzone.envelope import key_id
from kernelzone.fingerprint import fingerprint, is_fingerprint
from kernelzone.sealing import SealError, seal, sealing_public_key
from kernelzone.words import shown


@transaction.atomic(durable=True)
def enrol_agent(token: str, enrolment: str, sealing: str) -> Agent:
    """Return the pending agent; said again by the same agent, it changes nothing.

    enrolment, sealing: the envelopes of its statements. Raises: MalformedRequest, JoinTokenRefused, AgentExists,
    KeyInUse.
    """
    asked, sealing_key = _read(enrolment, sealing)
    row = _token_for_update(token, asked)
    if row.agent is not None:
        if (row.agent.pk, row.agent.public_key) != (asked.agent, asked.public_key):
            raise JoinTokenRefused()
        return row.agent
    taken = Host.objects.filter(owner_hostid__in=asked.hosts, agent__state__in=LIVE).select_related("agent").first()
    if taken is not None:
        raise AgentExists(owner_hostid=taken.owner_hostid, agent=str(taken.agent_id))
    agent = _new_agent(asked, sealing_key, sealing)
    row.hosts = [host for host in row.hosts if host["owner_hostid"] in asked.hosts]
    row.agent, row.used_at = agent, timezone.now()
    row.save(update_fields=["agent", "used_at", "hosts"])
    subjects = [("agent", str(agent.pk)), ("join-token", str(row.pk)), *(("host", host) for host in asked.hosts)]
    data = {"name": agent.name, "key_id": key_id(bytes.fromhex(agent.public_key)), "sealing_key": agent.sealing_key}
    append("agent.enrol", actor=agent_actor(agent), subjects=subjects, data=data)
    return agent


@transaction.atomic(durable=True)
def confirm_agent(agent_uuid: UUID, *, actor: User, words: str) -> Agent:
    """Return the agent, believed from now on about the hosts that it asked for.

    words: the six words that stand on the host's terminal, as a person typed them.
    Raises: NotFound, NotAllowed, TransitionRefused, FingerprintDiffers, AgentExists.
    """
    agent = agent_for_update(agent_uuid, actor=actor, permission="fleet.confirm")
    with events_last():
        if agent.state == State.PENDING and not is_fingerprint(words, fingerprint_of(agent)):
            raise FingerprintDiffers()
        move_agent(agent, Move.CONFIRM, actor=person(actor), trusted_at=timezone.now())
        for host in sorted(agent.join_token.hosts, key=lambda host: str(host["owner_hostid"])):
            give_host(agent, HostName(**host), person(actor))
    return agent


@transaction.atomic(durable=True)
def reject_agent(agent_uuid: UUID, *, actor: User) -> Agent:
    """Return the agent, never believed. Raises: NotFound, NotAllowed, TransitionRefused."""
    agent = agent_for_update(agent_uuid, actor=actor, permission="fleet.manage")
    return move_agent(agent, Move.REJECT, actor=person(actor), reason="Its enrolment was rejected.")


@transaction.atomic(durable=True)
def answer_enrolment(agent_uuid: UUID, question: str) -> tuple[State, str | None]:
    """Return the agent's state and, once it is trusted and until its first report, what it needs, sealed to it.

    question: the envelope of a `Question` by that agent. Each answer carries a new broker password: only the last
    one counts. Raises: NotFound, MalformedRequest, AgentExists once it has reported.
    """
    agent = Agent.objects.select_for_update(no_key=True).filter(pk=agent_uuid).first()
    if agent is None:
        raise NotFound()
    try:
        asked = read_statement(Question, question, keys=[bytes.fromhex(agent.public_key)])
    except StatementError as error:
        raise MalformedRequest(message=f"this is not a question of that agent: {error}") from None
    if asked.agent != agent.pk:
        raise MalformedRequest(message="this is not a question of that agent")
    if agent.state != State.TRUSTED:
        return State(agent.state), None
    if agent.epoch or not agent.sealing_key:
        raise AgentExists(agent=str(agent.pk))
    return State.TRUSTED, _sealed_delivery(agent)


def fingerprint_of(agent: Agent) -> tuple[str, ...]:
    """Return the six words of the agent's two keys; it has enrolled itself."""
    return fingerprint(bytes.fromhex(agent.public_key), bytes.fromhex(agent.sealing_key))


def _sealed_delivery(agent: Agent) -> str | None:
    keys = authority_keys()
    if not keys:
        return None  # the signer has not run yet: the agent asks again
    delivery = Delivery(
        v=1,
        deployment=deployment_uuid(),
        agent=agent.pk,
        authority_keys=tuple(keys),
        broker=_broker_url(agent),
        broker_prefix=settings.CELERY_BROKER_TRANSPORT_OPTIONS["global_keyprefix"],
    )
    content = strict.canonical(strict.write(delivery))
    return seal(content, key=bytes.fromhex(agent.sealing_key), purpose=DELIVERY)


def _broker_url(agent: Agent) -> str:
    """Return the broker's URL, with a new password of the agent's own where the site writes the broker's users."""
    if not settings.BROKER_USERS_FILE:
        return str(settings.AGENT_BROKER_URL)
    return agent_broker_url(agent, new_broker_password(agent, actor=agent_actor(agent)))


def _read(enrolment: str, sealing: str) -> tuple[Enrolment, SealingKey]:
    try:
        asked, sealing_key = read_enrolment(enrolment, sealing)
        sealing_public_key(bytes.fromhex(sealing_key.sealing_key))
    except (StatementError, SealError, ValueError) as error:
        raise MalformedRequest(message=f"this is not an enrolment: {shown(str(error), 200)}") from None
    return asked, sealing_key


def _token_for_update(token: str, asked: Enrolment, now: datetime | None = None) -> JoinToken:
    """Return the locked join token, good for this enrolment or used by it before. Raises: JoinTokenRefused."""
    digest = token_sha256(token)
    # the agent is not joined: who waited for the lock would see the new row and not yet the agent that it names
    row = JoinToken.objects.select_for_update(no_key=True).filter(sha256=digest, withdrawn_at=None).first()
    if row is None or asked.token_sha256 != digest:
        raise JoinTokenRefused()
    if row.agent_id is None and row.expires_at <= (now or timezone.now()):
        raise JoinTokenRefused()
    if not set(asked.hosts) <= {host["owner_hostid"] for host in row.hosts}:
        raise JoinTokenRefused()
    return row


def _new_agent(asked: Enrolment, sealing_key: SealingKey, sealing: str) -> Agent:
    if Agent.objects.filter(pk=asked.agent).exists():
        raise AgentExists(agent=str(asked.agent))
    used = Q(public_key=asked.public_key) | Q(old_key=asked.public_key) | Q(sealing_key=sealing_key.sealing_key)
    if Agent.objects.filter(used).exists():
        raise KeyInUse()
    try:
        with transaction.atomic():
            return Agent.objects.create(
                uuid=asked.agent,
                name=shown(asked.name) or asked.hosts[0],
                public_key=raw_key(asked.public_key).hex(),
                sealing_key=sealing_key.sealing_key,
                sealing_statement=sealing,
                state=State.PENDING,
            )
    except IntegrityError:
        raise KeyInUse() from None
