"""The door to a forced action, and the one place where it changes its state."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db import connection
from django.db.transaction import TransactionManagementError
from django.utils import timezone

from apps.accounts.models import User
from apps.accounts.selectors import require
from apps.base.errors import NotFound, TransitionRefused, VersionMismatch
from apps.forced_actions.models import ForcedAction
from apps.forced_actions.selectors import forced_actions_visible_to
from apps.forced_actions.workflow import OPEN, Move, State, next_state
from apps.history.actors import Actor
from apps.history.models import Event
from apps.history.services import append


def forced_action_for_update(
    forced_action_id: UUID, *, actor: User, permission: str, version: int | None = None
) -> ForcedAction:
    """Return the locked forced action.

    version: the one the actor has read, None when it does not matter.
    Raises: NotFound (absent and invisible alike), NotAllowed, VersionMismatch.
    """
    visible = forced_actions_visible_to(actor).select_for_update(no_key=True, of=("self",))
    action = visible.filter(pk=forced_action_id).first()
    if action is None:
        raise NotFound()
    require(actor, permission)
    if version is not None and version != action.version:
        raise VersionMismatch(version=action.version)
    return action


def locked(forced_action_id: UUID) -> ForcedAction:
    """Return the locked forced action, for the reconcilers."""
    rows = ForcedAction.objects.select_for_update(no_key=True, of=("self",))
    return rows.select_related("zone", "target", "requested_by", "policy").get(pk=forced_action_id)


def move(action: ForcedAction, by: Move, *, actor: Actor, data: dict[str, Any] | None = None, **changes: Any) -> Event:
    """Return the event that tells of the move of `action`, made with its `changes` in the caller's transaction.

    The row moves only from the state and version that `action` shows: of two who move it at once, on either
    database, one is refused. Raises: TransitionRefused.
    """
    if not connection.in_atomic_block:
        raise TransactionManagementError("a forced action moves in the transaction that has a reason for it")
    before = State(action.state)
    after = next_state(before, by)
    if after not in OPEN:
        changes.setdefault("ended_at", timezone.now())
    change(action, by, state=after, **changes)
    told = {"from": before.value, "to": after.value, "why": action.why or None, "why_text": action.why_text or None}
    return append(f"forced-action.{by.value}", actor=actor, subjects=subjects_of(action), data=told | (data or {}))


def change(action: ForcedAction, by: Move | str, **changes: Any) -> None:
    """Save `changes` as the next version, if nobody was faster. Raises: TransitionRefused."""
    rows = ForcedAction.objects.filter(pk=action.pk, state=action.state, version=action.version)
    if not rows.update(version=action.version + 1, **changes):
        state = ForcedAction.objects.values_list("state", flat=True).get(pk=action.pk)
        raise TransitionRefused(state=state, move=str(by))
    action.version += 1
    for name, value in changes.items():
        setattr(action, name, value)


def subjects_of(action: ForcedAction) -> list[tuple[str, str]]:
    """Return what an event about this forced action is about, the action first."""
    subjects = [("forced-action", str(action.pk)), ("zone", str(action.zone_id)), ("host", action.target.owner_hostid)]
    if action.conflict_id:
        subjects.append(("conflict", str(action.conflict_id)))
    return subjects
