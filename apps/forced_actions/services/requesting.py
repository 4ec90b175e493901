"""Asking for a forced action."""

from __future__ import annotations

from datetime import timedelta
from typing import NamedTuple
from uuid import UUID

from django.db import IntegrityError, transaction
from django.utils import timezone

from apps.accounts.models import User
from apps.base.errors import InvalidInput
from apps.base.text import clean_reason, clean_text
from apps.conflicts.doors import Door, DoorState, door_of
from apps.conflicts.errors import ConflictResolved, DoorShut, NotConfiguredThere
from apps.conflicts.evidence import Subject, make_evidence_sheet
from apps.conflicts.models import Conflict
from apps.conflicts.selectors import conflict_for_update, conflicts_visible_to, reading_of
from apps.fleet.models import Host
from apps.fleet.selectors import hosts_present
from apps.forced_actions.errors import (
    AlreadyOpen,
    ConflictNeeded,
    KindUnknown,
    TypedHostidWrong,
    TypedNameWrong,
)
from apps.forced_actions.models import ForcedAction
from apps.forced_actions.selectors import current_policy, open_forced_action
from apps.forced_actions.services.moves import move
from apps.forced_actions.services.names import SUBJECT
from apps.forced_actions.warrants import reason_sha256
from apps.forced_actions.workflow import Move, State
from apps.history.actors import person
from kernelzone.words import WordError, host_id, shown


class Wish(NamedTuple):
    """What a person asks for. `target`: owner hostid, "" for the host the conflict is about.

    The zone's name and the loser's hostid are typed by hand; the hostid is empty when host data names no owner.
    """

    kind: str
    reason: str
    typed_zone_name: str
    typed_loser_hostid: str = ""
    target: str = ""
    ticket: str = ""


@transaction.atomic(durable=True)
def request_forced_action(
    wish: Wish, *, actor: User, conflict_id: UUID | None = None, zone_id: UUID | None = None
) -> ForcedAction:
    """Return the new forced action, observing: its target's agent is asked for fresh evidence.

    Raises: NotFound, NotAllowed, ConflictResolved, ConflictNeeded, KindUnknown, InvalidInput reason_* and hostid,
    TypedNameWrong, TypedHostidWrong, AlreadyOpen, DoorShut, NotConfiguredThere, AgentMissing.
    """
    conflict = _conflict(conflict_id, zone_id, actor, wish)
    door = _door(wish.kind)
    reason = clean_reason(wish.reason)
    ticket = clean_text(wish.ticket, noun="ticket", field="ticket", empty_allowed=True)[:64]
    target = _target(conflict, wish.target)
    loser = _loser(conflict)
    _refuse_mistyped(conflict, target, loser, wish)
    _refuse_open(conflict)
    way = door_of(conflict, door, timezone.now(), here=target)
    if way.state is not DoorState.OPEN:
        raise DoorShut(door=door.value, reason=way.reason)
    action = _insert(conflict, target, loser, actor, ForcedAction(kind=door.value, reason=reason, ticket=ticket))
    sheet = make_evidence_sheet(
        action.zone,
        target,
        actor=actor,
        window_s=action.quiet_window_s,
        conflict=conflict,
        subject=Subject(SUBJECT, str(action.pk)),
    )
    _submit(action, actor, sheet_id=sheet.pk)
    return action


def _submit(action: ForcedAction, actor: User, *, sheet_id: UUID) -> None:
    data = {
        "kind": action.kind,
        "zone_name": action.zone.name,
        "loser_hostid": action.loser_hostid or None,
        "reason": action.reason,
        "reason_sha256": reason_sha256(action),
        "ticket": action.ticket or None,
        "policy": {"name": action.policy.name, "version": action.policy.version},
        "approvals_needed": action.approvals_needed,
    }
    move(action, Move.SUBMIT, actor=person(actor), data=data, sheet_id=sheet_id)


def _conflict(conflict_id: UUID | None, zone_id: UUID | None, actor: User, wish: Wish) -> Conflict:
    if conflict_id is None:
        conflict_id = _conflict_of_zone(zone_id, actor, wish)
    conflict = conflict_for_update(conflict_id, actor=actor, permission="forced_actions.request")
    if conflict.resolved_at is not None:
        raise ConflictResolved(resolved_how=conflict.resolved_how)
    return conflict


def _conflict_of_zone(zone_id: UUID | None, actor: User, wish: Wish) -> UUID:
    """Return the open conflict of the zone whose door of this kind is open, else the most severe one."""
    door, now = _door(wish.kind), timezone.now()
    found = list(conflicts_visible_to(actor).filter(zone=zone_id, resolved_at=None))
    if not found:
        raise ConflictNeeded()
    fitting = [row for row in found if door_of(row, door, now).state is DoorState.OPEN]
    return (fitting or found)[0].pk


def _door(kind: str) -> Door:
    if kind not in ForcedAction.Kind.values:
        raise KindUnknown(kind=shown(kind, 32))
    return Door(kind)


def _target(conflict: Conflict, owner_hostid: str) -> Host:
    if not owner_hostid:
        if conflict.host is None:
            raise NotConfiguredThere(host="", zone=conflict.zone.name)
        return conflict.host
    wanted = _host_id(owner_hostid, "target")
    host = hosts_present().select_related("agent").filter(owner_hostid=wanted).first()
    if host is None:
        raise NotConfiguredThere(host=wanted, zone=conflict.zone.name)
    return host


def _loser(conflict: Conflict) -> str:
    """Return who host data says owns the zone, "" when no record was ever read."""
    reading = reading_of(conflict)
    return (reading.owner_hostid if reading else "") or conflict.zone.owner_hostid


def _refuse_mistyped(conflict: Conflict, target: Host, loser: str, wish: Wish) -> None:
    placement = conflict.zone.placements.filter(host=target, gone_at=None).first()
    if placement is None:
        raise NotConfiguredThere(host=target.owner_hostid, zone=conflict.zone.name)
    if wish.typed_zone_name != placement.name:
        raise TypedNameWrong()
    typed = _host_id(wish.typed_loser_hostid, "typed_loser_hostid") if wish.typed_loser_hostid else ""
    if typed != loser:
        raise TypedHostidWrong()


def _host_id(text: str, field: str) -> str:
    try:
        return host_id(text)
    except WordError as error:
        hint = "An owner hostid is 8 hex digits, as `hostid` prints it."
        raise InvalidInput(code=error.code, field=field, message=error.message, hint=hint) from None


def _refuse_open(conflict: Conflict) -> None:
    there = open_forced_action(conflict.zone)
    if there is not None:
        raise AlreadyOpen(forced_action=str(there.pk), state=there.state)


def _insert(conflict: Conflict, target: Host, loser: str, actor: User, asked: ForcedAction) -> ForcedAction:
    """Return the new row; what the policy says is copied into it, so that no later edit touches it."""
    now, policy = timezone.now(), current_policy()
    asked.zone, asked.conflict, asked.target, asked.loser_hostid = conflict.zone, conflict, target, loser
    asked.requested_by, asked.requested_at, asked.state = actor, now, State.DRAFT
    asked.policy = policy
    asked.approvals_needed = policy.approvals_needed
    asked.max_reading_age_s = policy.max_reading_age_s
    asked.quiet_window_s = policy.quiet_window_s
    asked.expires_at = now + timedelta(seconds=policy.time_to_approve_s)
    try:
        with transaction.atomic():
            asked.save(force_insert=True)
    except IntegrityError:
        there = open_forced_action(conflict.zone)
        if there is None:
            raise
        raise AlreadyOpen(forced_action=str(there.pk), state=there.state) from None
    return asked
