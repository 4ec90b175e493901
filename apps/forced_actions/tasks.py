"""What the beat and the nudges wake. Tasks take no input: the rows are the work list."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from uuid import UUID

import structlog
from celery import shared_task

from apps.base.errors import TransitionRefused
from apps.forced_actions.services import (
    advance_forced_action,
    expire_forced_action,
    forced_actions_to_advance,
    forced_actions_to_expire,
)
from apps.forced_actions.services.names import ADVANCE, EXPIRE

logger = structlog.get_logger(__name__)


@shared_task(name=ADVANCE, acks_late=True, ignore_result=True, time_limit=60)  # type: ignore[untyped-decorator]
def advance_forced_actions() -> int:
    """Carry every open forced action on as far as its rows allow; return how many moved."""
    return _each(advance_forced_action, forced_actions_to_advance())


@shared_task(name=EXPIRE, acks_late=True, ignore_result=True, time_limit=60)  # type: ignore[untyped-decorator]
def expire_forced_actions() -> int:
    """End every request whose time is over; return how many."""
    return _each(expire_forced_action, forced_actions_to_expire())


def _each(act: Callable[[UUID], bool], ids: Iterable[UUID]) -> int:
    moved = 0
    for forced_action_id in ids:
        try:
            moved += act(forced_action_id)
        except TransitionRefused:
            logger.info("another was faster", forced_action=str(forced_action_id))
        # a reconciler's loop: one row that fails must not stop the others
        except Exception:
            logger.exception("forced action", forced_action=str(forced_action_id))
    return moved
