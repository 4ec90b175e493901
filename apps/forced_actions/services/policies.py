"""Policies: each edit is a new version, and no open request is touched by it."""

from __future__ import annotations

from typing import Any, Final

from django.db import transaction

from apps.accounts.models import User
from apps.accounts.policy import Role
from apps.accounts.selectors import people_with_role, require
from apps.forced_actions.errors import PolicyRefused, QuorumRefused
from apps.forced_actions.models import Policy
from apps.forced_actions.selectors import current_policy
from apps.history.actors import SYSTEM, person
from apps.history.services import append

BOUNDS: Final = {
    "approvals_needed": (1, 16),
    "max_reading_age_s": (60, 24 * 3600),
    "time_to_approve_s": (60, 7 * 24 * 3600),
    # an order that watches longer than its own 10 minutes could never act
    "quiet_window_s": (1, 400),
}


@transaction.atomic(durable=True)
def change_policy(*, actor: User | None, name: str = "default", **numbers: int) -> Policy:
    """Return the next version of a policy with `numbers` changed. actor: None is who runs `manage.py`.

    Raises: NotAllowed, QuorumRefused, PolicyRefused.
    """
    if actor is not None:
        require(actor, "policies.manage")
    latest = current_policy(name)
    kept: dict[str, Any] = {field: getattr(latest, field) for field in BOUNDS}
    kept.update({field: number for field, number in numbers.items() if number is not None})
    _refuse_bad(kept)
    policy = Policy.objects.create(name=name, version=latest.version + 1, **kept)
    by = person(actor) if actor else SYSTEM
    append("policy.change", actor=by, subjects=[("policy", name)], data={"version": policy.version, **kept})
    return policy


def _refuse_bad(numbers: dict[str, Any]) -> None:
    approvers = len(people_with_role(Role.APPROVER))
    if numbers["approvals_needed"] < 1 or numbers["approvals_needed"] > max(approvers, 1):
        raise QuorumRefused(field="approvals_needed")
    for field, number in numbers.items():
        least, most = BOUNDS[field]
        if not least <= number <= most:
            raise PolicyRefused(field=field, least=least, most=most)
