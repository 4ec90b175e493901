"""Changing what the site thinks of an agent: believed, not for now, never again."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.db.transaction import TransactionManagementError

from apps.accounts.models import User
from apps.base.errors import NotFound, TransitionRefused
from apps.base.nudge import nudge
from apps.base.text import clean_text
from apps.fleet.broker_users import WRITE_BROKER_USERS
from apps.fleet.models import Agent
from apps.fleet.selectors import agent_for_update
from apps.fleet.workflow import Move, State, next_state
from apps.history.actors import SYSTEM, Actor, person
from apps.history.services import append


@transaction.atomic(durable=True)
def suspend_agent(agent_uuid: UUID, *, actor: User, reason: str) -> Agent:
    """Return the agent, not believed for now; what it reports waits at its own end.

    Raises: NotFound, NotAllowed, TransitionRefused, InvalidInput reason_*.
    """
    agent = agent_for_update(agent_uuid, actor=actor, permission="fleet.manage")
    return move_agent(agent, Move.SUSPEND, actor=person(actor), reason=_clean(reason))


@transaction.atomic(durable=True)
def resume_agent(agent_uuid: UUID, *, actor: User, reason: str) -> Agent:
    """Return the agent, believed again. Raises: as `suspend_agent`."""
    agent = agent_for_update(agent_uuid, actor=actor, permission="fleet.manage")
    return move_agent(agent, Move.RESUME, actor=person(actor), reason=_clean(reason))


@transaction.atomic(durable=True)
def revoke_agent(agent_uuid: UUID, *, actor: User | None = None, reason: str = "") -> Agent:
    """Return the agent, never believed again; its hosts are silent until they are enrolled anew.

    actor: None is the one who runs `manage.py`, who may say it twice and needs no reason.
    Raises: NotFound, NotAllowed, TransitionRefused, InvalidInput reason_*.
    """
    if actor is not None:
        agent = agent_for_update(agent_uuid, actor=actor, permission="fleet.manage")
        return move_agent(agent, Move.REVOKE, actor=person(actor), reason=_clean(reason))
    found = Agent.objects.select_for_update(no_key=True).filter(pk=agent_uuid).first()
    if found is None:
        raise NotFound()
    if found.state == State.REVOKED:
        return found
    return move_agent(found, Move.REJECT if found.state == State.PENDING else Move.REVOKE, reason=reason)


def move_agent(agent: Agent, move: Move, *, actor: Actor = SYSTEM, reason: str = "", **changes: Any) -> Agent:
    """Return the agent after `move`, its `changes` saved with the state and the event appended.

    In the caller's transaction. The row moves only from the state that `agent` shows. Raises: TransitionRefused.
    """
    if not connection.in_atomic_block:
        raise TransactionManagementError("an agent moves in the transaction that has a reason for it")
    before = State(agent.state)
    changes |= {"state": next_state(before, move), "state_reason": reason}
    if not Agent.objects.filter(pk=agent.pk, state=before).update(**changes):
        raise TransitionRefused(state=Agent.objects.values_list("state", flat=True).get(pk=agent.pk), move=move)
    for name, value in changes.items():
        setattr(agent, name, value)
    data = {"from": before.value, "to": agent.state, "reason": reason or None}
    nudge(WRITE_BROKER_USERS)
    append(f"agent.{move.value}", actor=actor, subjects=[("agent", str(agent.pk))], data=data)
    return agent


def _clean(reason: str) -> str:
    return clean_text(reason, noun="reason", field="reason")
