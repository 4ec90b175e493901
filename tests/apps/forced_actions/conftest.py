"""A fleet whose zone kzone1 is held by a dead host, and a forced action in any state, made through the services."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from fake_agent import Fleet
from fleet_fixtures import fleet, later, silence_is_over

from apps.forced_actions.models import ForcedAction
from apps.forced_actions.services import Decision, Wish, decide_forced_action, request_forced_action

__all__ = ["fleet", "later", "silence_is_over"]

REASON = "global2 lost its power supply at 02:10 and does not come back before noon."


@pytest.fixture
def wish() -> Callable[..., Any]:
    """Return a function (**fields) that gives a well-formed wish to take kzone1 over."""

    def make(**fields: Any) -> Any:
        wanted = {
            "kind": "force-takeover",
            "reason": REASON,
            "typed_zone_name": "kzone1",
            "typed_loser_hostid": "848611d4",
        }
        return Wish(**wanted | fields)

    return make


@pytest.fixture
def observing(fleet: Fleet, olga: Any, adam: Any, ada: Any, wish: Any) -> Any:
    """A request that was made just now; the approvers were there before it."""
    conflict = fleet.begin()
    return request_forced_action(wish(), actor=olga, conflict_id=conflict.pk)


@pytest.fixture
def pending(observing: Any, silence_is_over: Any) -> Any:
    """A request whose evidence is frozen."""
    silence_is_over()
    observing.refresh_from_db()
    assert observing.state == "pending", observing.why_text
    return observing


@pytest.fixture
def approve(totp_code: Any) -> Callable[..., Any]:
    """Return a function (action, user, **fields) that approves as shown, with a fresh code."""

    def say_yes(action: Any, user: Any, **fields: Any) -> Any:
        shown = ForcedAction.objects.get(pk=action.pk).evidence_sha256
        decision = {"verdict": "approve", "evidence_sha256": shown, "second_factor": totp_code(user)}
        return decide_forced_action(action.pk, Decision(**decision | fields), actor=user)

    return say_yes


@pytest.fixture
def deny() -> Callable[..., Any]:
    """Return a function (action, user, comment) that denies."""

    def say_no(action: Any, user: Any, comment: str = "The host is back in ten minutes.") -> Any:
        return decide_forced_action(action.pk, Decision("deny", comment=comment), actor=user)

    return say_no


@pytest.fixture
def approve_by_both(approve: Any, adam: Any, ada: Any) -> Callable[[Any], None]:
    """Return a function (action) in which Adam and Ada say yes."""

    def say_yes(action: Any) -> None:
        approve(action, adam)
        approve(action, ada)

    return say_yes


@pytest.fixture
def releasing(pending: Any, approve_by_both: Any) -> Any:
    """A request both approvers said yes to."""
    approve_by_both(pending)
    pending.refresh_from_db()
    return pending


@pytest.fixture
def executing(fleet: Fleet, releasing: Any, silence_is_over: Any) -> Any:
    """A forced action whose order is signed and not answered yet."""
    fleet.agent.silent_on.add("force-takeover")
    silence_is_over()
    fleet.turn(2)
    releasing.refresh_from_db()
    assert releasing.state == "executing", releasing.why_text
    return releasing
