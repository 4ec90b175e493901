"""An agent's new identity key: named by the old one, which is believed for a day more."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from django.db import IntegrityError, transaction
from django.utils import timezone

from apps.base.errors import NotFound
from apps.fleet.errors import KeyInUse, NewKeyRefused
from apps.fleet.models import Agent
from apps.fleet.selectors import deployment_uuid
from apps.fleet.workflow import State
from apps.history.actors import agent as agent_actor
from apps.history.services import append
from kernelzone.enrolment import NewAgentKey, SealingKey, StatementError, raw_key, read_statement
from kernelzone.envelope import key_id

BOTH_FOR: Final = timedelta(hours=24)


@transaction.atomic(durable=True)
def rotate_agent_key(agent_uuid: UUID, statement: str, sealing: str, *, now: datetime | None = None) -> Agent:
    """Return the agent with its new key; said again it changes nothing.

    statement: the envelope of a `NewAgentKey`, signed by both keys; sealing: of its `SealingKey`, signed by the new
    one, "" for an agent without. Raises: NotFound (also when it is not trusted), NewKeyRefused, KeyInUse.
    """
    now = now or timezone.now()
    agent = Agent.objects.select_for_update(no_key=True).filter(pk=agent_uuid, state=State.TRUSTED).first()
    if agent is None:
        raise NotFound()
    said = _read(agent, statement, sealing, now)
    if said.new_key == agent.public_key:
        return agent
    if agent.old_key_until is not None and agent.old_key_until > now:
        raise NewKeyRefused(retry_after_s=int((agent.old_key_until - now).total_seconds()) + 1)
    if Agent.objects.filter(old_key=said.new_key).exists():
        raise KeyInUse()
    return _taken(agent, said, sealing, now)


def keys_of(agent: Agent, now: datetime | None = None) -> list[bytes]:
    """Return the raw public keys whose reports are believed now."""
    found = [bytes.fromhex(agent.public_key)]
    if agent.old_key_until is not None and agent.old_key_until > (now or timezone.now()):
        found.append(bytes.fromhex(agent.old_key))
    return found


def _read(agent: Agent, statement: str, sealing: str, now: datetime) -> NewAgentKey:
    """Return what both keys have signed. Raises: NewKeyRefused."""
    try:
        said = read_statement(NewAgentKey, statement, keys=keys_of(agent, now))
        new = raw_key(said.new_key)
        for key in (raw_key(said.old_key), new):
            read_statement(NewAgentKey, statement, keys=[key])
        named = read_statement(SealingKey, sealing, keys=[new]) if agent.sealing_key else None
    except StatementError:
        raise NewKeyRefused() from None
    follows = said.old_key == agent.public_key or (said.old_key, said.new_key) == (agent.old_key, agent.public_key)
    if not follows or (said.deployment, said.agent) != (deployment_uuid(), agent.pk):
        raise NewKeyRefused()
    if named is not None and (named.agent, named.sealing_key) != (agent.pk, agent.sealing_key):
        raise NewKeyRefused()
    return said


def _taken(agent: Agent, said: NewAgentKey, sealing: str, now: datetime) -> Agent:
    agent.old_key, agent.old_key_until = agent.public_key, now + BOTH_FOR
    agent.public_key, agent.key_since, agent.sealing_statement = said.new_key, now, sealing
    try:
        with transaction.atomic():
            agent.save(update_fields=["old_key", "old_key_until", "public_key", "key_since", "sealing_statement"])
    except IntegrityError:
        raise KeyInUse() from None
    data = {"key_id": key_id(raw_key(said.new_key)), "before": key_id(raw_key(said.old_key))}
    append("agent.take-key", actor=agent_actor(agent), subjects=[("agent", str(agent.pk))], data=data)
    return agent
