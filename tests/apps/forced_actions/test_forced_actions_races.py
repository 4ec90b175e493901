"""Two who act at one instant, in real transactions on PostgreSQL.

Each test makes them meet after they have read the row: with the row lock the second waits outside, and the meeting
times out; without it both go on with what they read. docs/mechanisms/forced-actions.md says which test fails then.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from apps.base.errors import DomainError
from apps.conflicts.tasks import complete_evidence_sheets
from apps.forced_actions import signer
from apps.forced_actions.models import Approval, ForcedAction
from apps.forced_actions.services import (
    advance_forced_action,
    advancing,
    cancel_forced_action,
    deciding,
    expire_forced_action,
    request_forced_action,
    requesting,
)
from apps.history.models import Event
from apps.jobs.models import Job

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def meet(monkeypatch: Any) -> Callable[..., None]:
    """Return a function (module, name): whoever is about to call it waits a moment for the other one.

    pause_s: how long after the meeting it goes on, so that the other one is faster.
    """
    barrier = threading.Barrier(2)

    def wait() -> None:
        try:
            barrier.wait(timeout=1)
        except threading.BrokenBarrierError:
            barrier.reset()

    def patch(module: Any, name: str, *, pause_s: float = 0) -> None:
        real = getattr(module, name)

        def met(*args: Any, **rest: Any) -> Any:
            wait()
            time.sleep(pause_s)
            return real(*args, **rest)

        monkeypatch.setattr(module, name, met)

    return patch


def at_once(*acts: Callable[[], Any]) -> list[str]:
    """Return how each act ended, all of them begun at one instant: ok, or the code of its refusal."""
    start = threading.Barrier(len(acts))
    ends = [""] * len(acts)

    def run(number: int) -> None:
        try:
            start.wait(timeout=10)
            acts[number]()
            ends[number] = "ok"
        except DomainError as refusal:
            ends[number] = refusal.stable_code
        except Exception as bug:  # noqa: BLE001 - shown by the assertion
            ends[number] = repr(bug)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(number,)) for number in range(len(acts))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    return ends


def moves_of(action: ForcedAction, *types: str) -> int:
    return Event.objects.filter(type__in=[f"forced-action.{name}" for name in types]).count()


def test_two_approvers_at_once_make_one_quorum(
    meet: Any, pending: Any, adam: Any, ada: Any, approve: Any, totp_code: Any
) -> None:
    codes = {user.pk: totp_code(user) for user in (adam, ada)}
    meet(deciding, "verify_totp")
    ends = at_once(*(lambda user=user: approve(pending, user, second_factor=codes[user.pk]) for user in (adam, ada)))
    pending.refresh_from_db()
    assert (ends, pending.state) == (["ok", "ok"], "releasing")
    assert moves_of(pending, "quorum") == 1


def test_one_person_twice_at_once_counts_once(
    meet: Any, pending: Any, adam: Any, make_person: Any, approve: Any, totp_code: Any
) -> None:
    second = make_person("adam2", "approver", person_id=adam.person_id, totp=True)
    second.role_grants.update(granted_at=pending.requested_at)
    codes = {user.pk: totp_code(user) for user in (adam, second)}
    meet(deciding, "verify_totp")
    both = (adam, second)
    ends = at_once(*(lambda user=user: approve(pending, user, second_factor=codes[user.pk]) for user in both))
    pending.refresh_from_db()
    assert (sorted(ends), pending.state) == (["already_reviewed", "ok"], "pending")
    assert Approval.objects.count() == 1


@pytest.fixture
def last_approval(pending: Any, adam: Any, ada: Any, approve: Any, totp_code: Any) -> Callable[[], Any]:
    """Return the act that completes the quorum: Adam has approved, Ada is about to."""
    approve(pending, adam)
    code = totp_code(ada)
    return lambda: approve(pending, ada, second_factor=code)


def test_the_last_approval_and_a_deny_at_once_end_denied(
    meet: Any, pending: Any, last_approval: Any, make_person: Any, deny: Any
) -> None:
    third = make_person("dora", "approver")
    meet(deciding, "verify_totp")
    meet(deciding, "_say_no", pause_s=0.3)
    ends = at_once(last_approval, lambda: deny(pending, third))
    pending.refresh_from_db()
    assert ends[1] == "ok"
    assert ends[0] in ("ok", "state")
    assert (pending.state, moves_of(pending, "deny")) == ("denied", 1)
    assert not Job.objects.filter(kind="force-takeover").exists()


def test_the_last_approval_and_a_cancel_at_once_have_one_outcome(
    meet: Any, pending: Any, last_approval: Any, olga: Any
) -> None:
    meet(deciding, "verify_totp")
    meet(deciding, "next_state")
    ends = at_once(last_approval, lambda: cancel_forced_action(pending.pk, actor=olga))
    pending.refresh_from_db()
    assert (ends, pending.state) in ((["ok", "state"], "releasing"), (["state", "ok"], "cancelled"))
    assert moves_of(pending, "quorum", "cancel") == 1
    assert pending.approvals.count() == (2 if pending.state == "releasing" else 1)


def test_the_last_approval_and_the_end_of_its_time_have_one_outcome(
    meet: Any, pending: Any, last_approval: Any, monkeypatch: Any
) -> None:
    """The approver was in time by a hair, and the sweep comes by the next moment: no order leaves."""
    ForcedAction.objects.filter(pk=pending.pk).update(expires_at=timezone.now())
    in_time = timezone.now() - timedelta(minutes=1)
    clock = SimpleNamespace(now=lambda: in_time)
    monkeypatch.setattr(deciding, "timezone", clock)
    meet(deciding, "verify_totp")
    meet(advancing, "_drop_unsigned")
    ends = at_once(last_approval, lambda: expire_forced_action(pending.pk))
    pending.refresh_from_db()
    assert ends[0] in ("ok", "state")
    assert ends[1] == "ok"
    assert (pending.state, moves_of(pending, "expire")) == ("expired", 1)
    assert not Job.objects.filter(kind="force-takeover").exists()


def test_two_requests_for_one_zone_at_once_leave_one(
    meet: Any, fleet: Any, olga: Any, make_person: Any, wish: Any
) -> None:
    oskar = make_person("oskar", "operator")
    conflict = fleet.begin()
    meet(requesting, "current_policy")
    ends = at_once(
        *(
            lambda user=user: request_forced_action(wish(), actor=user, conflict_id=conflict.pk)
            for user in (olga, oskar)
        )
    )
    assert sorted(ends) == ["forced_action_open", "ok"]
    action = ForcedAction.objects.get()
    assert (action.state, action.zone.sheets.count()) == ("observing", 1)


def test_two_reconcilers_at_once_issue_one_order(meet: Any, fleet: Any, releasing: Any, silence_is_over: Any) -> None:
    fleet.reconcile()
    fleet.sign()
    fleet.deliver()
    fleet.take_in()
    releasing.refresh_from_db()
    releasing.release_sheet.rows.filter(probe="owners-agent").update(word="says-nothing", value={"answered": False})
    complete_evidence_sheets()
    meet(advancing, "build_warrant")
    ends = at_once(*(lambda: advance_forced_action(releasing.pk) for _ in range(2)))
    releasing.refresh_from_db()
    assert ends == ["ok", "ok"]
    orders = Job.objects.filter(kind="force-takeover").count()
    assert (releasing.issued, releasing.warrants.count(), orders) == (1, 1, 1)


def test_a_veto_at_the_instant_of_signing_stops_the_takeover(
    meet: Any, fleet: Any, releasing: Any, ada: Any, deny: Any, silence_is_over: Any
) -> None:
    fleet.reconcile()
    silence_is_over()
    releasing.refresh_from_db()
    assert releasing.issued == 1
    meet(signer, "note_quorum")
    meet(deciding, "_say_no")
    ends = at_once(fleet.sign, lambda: deny(releasing, ada))
    fleet.turn(3)
    releasing.refresh_from_db()
    assert (ends, releasing.state) == (["ok", "ok"], "denied")
    assert fleet.kzone1.owner is fleet.global2
