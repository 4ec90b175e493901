"""How a forced action ends: by a reading. Refusals lead back, silence leads to unknown, and unknown is open."""

from __future__ import annotations

from typing import Any

import pytest
from django.utils import timezone

from apps.base.errors import DomainError
from apps.forced_actions.models import ForcedAction
from apps.forced_actions.selectors import why_zone_is_blocked
from apps.forced_actions.services import request_forced_action
from apps.history.models import Event
from apps.jobs.models import Job
from apps.jobs.services.inspecting import insert_inspections
from apps.jobs.tasks import expire_jobs
from apps.zones.services import run_verb


def state_of(action: ForcedAction) -> tuple[str, str]:
    action.refresh_from_db()
    return action.state, action.why


def answer(fleet: Any, action: ForcedAction, state: str, code: str = "") -> None:
    """Let the agent say this of the order that carries the action out, having done nothing."""
    fleet.agent.silent_on.discard("force-takeover")
    fleet.agent.says["force-takeover"] = (state, code or state.upper())
    fleet.turn()


def test_done_without_a_reading_is_not_believed(fleet: Any, executing: Any) -> None:
    """The agent says done and reports nothing; the fresh reading asked for shows the old owner."""
    answer(fleet, executing, "done")
    assert state_of(executing)[0] == "executing"
    assert Job.objects.filter(key__startswith="settle:").count() == 1
    fleet.turn(2)
    assert state_of(executing) == ("unknown", "unclear")
    assert fleet.conflict().resolved_at is None


def test_a_takeover_typed_by_hand_does_not_settle_ours(fleet: Any, executing: Any) -> None:
    """The target owns the zone, and host data carries no warrant, or another one."""
    fleet.kzone1.owner, fleet.kzone1.flags = fleet.global1, ("forced",)
    fleet.kzone1.change()
    answer(fleet, executing, "failed")
    fleet.say_states()
    fleet.reconcile()
    assert state_of(executing) == ("unknown", "unclear")


@pytest.mark.parametrize(
    ("said", "state", "why"),
    [
        ("not-applied", "not-applied", "not_applied"),
        ("lost", "lost", "lost"),
        ("failed", "unknown", "unclear"),
        ("unknown", "unknown", "unclear"),
    ],
)
def test_what_the_agent_says_leads_where_the_table_says(
    fleet: Any, executing: Any, said: str, state: str, why: str
) -> None:
    answer(fleet, executing, said)
    assert state_of(executing) == (state, why)


def test_a_refusal_leads_back_to_releasing_twice_and_then_ends(
    fleet: Any, executing: Any, silence_is_over: Any
) -> None:
    fleet.agent.silent_on.discard("force-takeover")
    fleet.agent.says["force-takeover"] = ("refused", "BUSY")
    fleet.turn(2)
    for _ in range(3):
        silence_is_over()
        fleet.turn(2)
    assert state_of(executing) == ("not-applied", "not_applied")
    assert "BUSY" in executing.why_text
    assert [warrant.attempt for warrant in executing.warrants.order_by("attempt")] == [0, 1, 2]
    assert Job.objects.filter(kind="force-takeover", state="refused").count() == 3
    assert Event.objects.filter(type="forced-action.quorum-reached").count() == 3


def test_a_refusal_because_somebody_writes_ends_at_the_second_look(
    fleet: Any, executing: Any, silence_is_over: Any
) -> None:
    fleet.kzone1.writer = True
    fleet.agent.silent_on.discard("force-takeover")
    fleet.turn(2)
    silence_is_over()
    assert state_of(executing) == ("voided", "evidence_changed")
    assert Job.objects.get(kind="force-takeover").code == "STORAGE_ACTIVE"
    assert fleet.kzone1.owner is fleet.global2


def test_silence_becomes_unknown_only_a_quarter_of_an_hour_after_the_order_expired(
    fleet: Any, executing: Any, later: Any
) -> None:
    later(minutes=24)
    expire_jobs()
    fleet.reconcile()
    assert state_of(executing)[0] == "executing"
    later(minutes=2)
    expire_jobs()
    fleet.reconcile()
    assert state_of(executing) == ("unknown", "unclear")


@pytest.fixture
def unknown(fleet: Any, executing: Any) -> ForcedAction:
    """A forced action whose outcome nobody knows."""
    answer(fleet, executing, "unknown")
    executing.refresh_from_db()
    assert executing.state == "unknown"
    return executing


def test_unknown_blocks_every_other_action_on_the_zone(fleet: Any, unknown: Any, olga: Any, wish: Any) -> None:
    assert "only a reading settles it" in why_zone_is_blocked(unknown.zone)
    with pytest.raises(DomainError) as refused:
        request_forced_action(wish(), actor=olga, zone_id=unknown.zone_id)
    assert refused.value.stable_code == "forced_action_open"
    with pytest.raises(DomainError) as refused:
        run_verb(unknown.zone_id, verb="attach", owner_hostid="83a0cc71", actor=olga)
    assert refused.value.stable_code == "zone_blocked"


def test_unknown_is_settled_as_done_by_a_reading_with_our_warrant(fleet: Any, unknown: Any) -> None:
    fleet.kzone1.owner = fleet.global1
    fleet.kzone1.warrant_sha256 = unknown.warrants.get().payload_sha256
    fleet.kzone1.change()
    fleet.say_states()
    fleet.reconcile()
    assert state_of(unknown) == ("done", "done")
    assert fleet.conflict().resolved_how == f"forced takeover {unknown.pk}"


def test_unknown_is_settled_as_not_applied_only_once_the_order_could_not_begin_any_more(
    fleet: Any, unknown: Any, later: Any
) -> None:
    fleet.say_states()
    fleet.reconcile()
    assert state_of(unknown)[0] == "unknown"
    later(minutes=13)
    fleet.reconcile()
    assert state_of(unknown)[0] == "unknown", "a reading of before proves nothing of after"
    insert_inspections()
    fleet.turn()
    assert state_of(unknown) == ("not-applied", "not_applied")


def test_a_report_that_waited_in_the_outbox_does_not_settle_an_unknown(fleet: Any, unknown: Any, later: Any) -> None:
    """It was made before the agent acted, and comes in an hour later with all that followed still behind it."""
    fleet.agent.say_state(fleet.global1)
    later(minutes=60)
    fleet.take_in()
    fleet.reconcile()
    assert state_of(unknown)[0] == "unknown"


def test_unknown_is_settled_as_lost_when_another_change_was_made(fleet: Any, unknown: Any, later: Any) -> None:
    fleet.kzone1.owner = fleet.global3
    fleet.kzone1.change()
    later(minutes=13)
    insert_inspections()
    fleet.turn()
    assert state_of(unknown) == ("lost", "lost")


def test_a_veto_before_the_order_was_sent_stops_it(
    fleet: Any, releasing: Any, ada: Any, deny: Any, silence_is_over: Any
) -> None:
    silence_is_over()
    fleet.sign()
    releasing.refresh_from_db()
    assert releasing.state == "executing"
    deny(releasing, ada)
    fleet.turn(2)
    assert state_of(releasing) == ("denied", "denied")
    assert not Job.objects.filter(kind="withdraw").exists(), "an order that never left is not taken back by another"


def test_a_veto_reaches_the_agent_before_it_acts(fleet: Any, executing: Any, ada: Any, deny: Any) -> None:
    deny(executing, ada, "The owner has just answered its console.")
    assert state_of(executing)[0] == "executing", "whether it was in time is not known yet"
    fleet.turn(2)
    assert state_of(executing) == ("denied", "denied")
    assert "console" in executing.why_text
    assert executing.job_id in fleet.agent.withdrawn
    assert fleet.kzone1.owner is fleet.global2


def test_a_veto_that_comes_too_late_is_recorded_and_the_takeover_counts(
    fleet: Any, executing: Any, ada: Any, deny: Any
) -> None:
    """The agent has acted, and its report is on the way, when the veto is given."""
    fleet.agent.silent_on.discard("force-takeover")
    fleet.agent.too_late = True
    fleet.deliver()
    deny(executing, ada)
    fleet.turn(2)
    assert state_of(executing) == ("done", "done")
    assert Event.objects.filter(type="forced-action.veto-too-late").count() == 1


def test_a_second_veto_is_refused(executing: Any, adam: Any, ada: Any, deny: Any) -> None:
    deny(executing, ada)
    with pytest.raises(DomainError) as refused:
        deny(executing, adam)
    assert refused.value.stable_code == "already_reviewed"


def test_a_conflict_that_closed_before_the_request_keeps_its_own_word(fleet: Any, executing: Any) -> None:
    conflict = fleet.conflict()
    conflict.resolved_at, conflict.resolved_how = executing.requested_at.replace(year=2020), "somebody attached it"
    conflict.save(update_fields=["resolved_at", "resolved_how"])
    fleet.agent.silent_on.discard("force-takeover")
    fleet.turn(2)
    assert state_of(executing)[0] == "done"
    assert conflict.__class__.objects.get(pk=conflict.pk).resolved_how == "somebody attached it"


def test_every_ending_says_when_and_why(fleet: Any, executing: Any) -> None:
    fleet.agent.silent_on.discard("force-takeover")
    fleet.turn(2)
    executing.refresh_from_db()
    assert executing.ended_at is not None
    assert executing.ended_at <= timezone.now()
    assert executing.why_text == "A reading by global1 after the act names it as the owner."
