"""Changing forced actions: requested, decided, carried on, settled."""

from apps.forced_actions.services.advancing import (
    advance_forced_action,
    expire_forced_action,
    forced_actions_to_advance,
    forced_actions_to_expire,
    job_moved,
    sheet_completed,
)
from apps.forced_actions.services.deciding import (
    Decision,
    cancel_forced_action,
    comment_on_forced_action,
    decide_forced_action,
)
from apps.forced_actions.services.policies import change_policy
from apps.forced_actions.services.requesting import Wish, request_forced_action

__all__ = [
    "Decision",
    "Wish",
    "advance_forced_action",
    "cancel_forced_action",
    "change_policy",
    "comment_on_forced_action",
    "decide_forced_action",
    "expire_forced_action",
    "forced_actions_to_advance",
    "forced_actions_to_expire",
    "job_moved",
    "request_forced_action",
    "sheet_completed",
]
