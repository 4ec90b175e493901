"""Asking for a forced action: what must be said and typed, and when it is not offered at all."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from apps.base.errors import DomainError
from apps.conflicts.models import Conflict
from apps.forced_actions.models import ForcedAction
from apps.forced_actions.services import cancel_forced_action, change_policy, request_forced_action
from apps.history.models import Event
from apps.jobs.models import Job


@pytest.fixture
def conflict(fleet: Any) -> Conflict:
    """kzone1 is held by global2, which is dead."""
    return fleet.begin()


def test_a_request_asks_the_target_and_the_owner_for_fresh_evidence(conflict: Any, olga: Any, wish: Any) -> None:
    action = request_forced_action(wish(), actor=olga, conflict_id=conflict.pk)

    assert (action.state, action.approvals_needed, action.loser_hostid) == ("observing", 2, "848611d4")
    kinds = set(Job.objects.filter(subject_kind="evidence-sheet").values_list("kind", "host__owner_hostid"))
    assert kinds == {("probe", "83a0cc71"), ("inspect", "848611d4")}
    submitted = Event.objects.get(type="forced-action.submit").record
    assert submitted["actor"]["id"] == str(olga.person_id)
    assert submitted["data"]["reason"] == action.reason


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"reason": ""}, "reason_empty"),
        ({"reason": "too short"}, "reason_short"),
        ({"reason": "a" * 4097}, "reason_long"),
        ({"reason": "a NUL hides in this reason \x00 here"}, "reason_control"),
        ({"reason": "this reason reads \u202eotherwise than it is"}, "reason_control"),
        ({"reason": "half a character is in here: \ud800"}, "reason_control"),
        ({"typed_zone_name": "kzone2"}, "typed_zone_name"),
        ({"typed_zone_name": "KZONE1"}, "typed_zone_name"),
        ({"typed_loser_hostid": ""}, "typed_loser_hostid"),
        ({"typed_loser_hostid": "83a0cc71"}, "typed_loser_hostid"),
        ({"typed_loser_hostid": "0x848611d4"}, "hostid"),
        ({"typed_loser_hostid": "00000000"}, "hostid"),
        ({"target": "848611d"}, "hostid"),
        ({"target": "84a1b2c3"}, "not_configured_there"),
        ({"target": "ffffffff"}, "not_configured_there"),
        ({"kind": "repair-hostdata"}, "forced_action_kind"),
        ({"kind": "initialize-hostdata"}, "door_shut"),
    ],
)
def test_what_is_not_said_and_typed_as_it_must_be_is_refused(
    conflict: Any, olga: Any, wish: Any, fields: dict[str, str], code: str
) -> None:
    before = Job.objects.count()
    with pytest.raises(DomainError) as refused:
        request_forced_action(wish(**fields), actor=olga, conflict_id=conflict.pk)
    assert refused.value.stable_code == code
    assert not ForcedAction.objects.exists()
    assert Job.objects.count() == before


def test_the_hostid_may_be_typed_in_capitals(conflict: Any, olga: Any, wish: Any) -> None:
    wanted = wish(typed_loser_hostid="848611D4")
    assert request_forced_action(wanted, actor=olga, conflict_id=conflict.pk).loser_hostid == "848611d4"


@pytest.mark.parametrize(("who", "code"), [("vera", "not_allowed"), ("adam", "not_allowed"), ("ivo", "not_found")])
def test_only_an_operator_asks(conflict: Any, wish: Any, who: str, code: str, request: Any) -> None:
    with pytest.raises(DomainError) as refused:
        request_forced_action(wish(), actor=request.getfixturevalue(who), conflict_id=conflict.pk)
    assert refused.value.stable_code == code


def test_a_zone_has_one_open_forced_action(conflict: Any, olga: Any, wish: Any) -> None:
    first = request_forced_action(wish(), actor=olga, conflict_id=conflict.pk)
    with pytest.raises(DomainError) as refused:
        request_forced_action(wish(), actor=olga, zone_id=conflict.zone_id)
    assert refused.value.stable_code == "forced_action_open"
    assert refused.value.facts["forced_action"] == str(first.pk)

    cancel_forced_action(first.pk, actor=olga)
    assert request_forced_action(wish(), actor=olga, zone_id=conflict.zone_id).state == "observing"


def test_a_zone_without_a_conflict_is_not_forced(conflict: Any, fleet: Any, olga: Any, wish: Any) -> None:
    web = fleet.global3.zones["kz-web01"][0]
    wanted = wish(typed_zone_name="kz-web01", typed_loser_hostid=web.owner.owner_hostid)
    for zone_id in (Conflict.objects.get().zone.__class__.objects.get(name="kz-web01").pk, uuid4()):
        with pytest.raises(DomainError) as refused:
            request_forced_action(wanted, actor=olga, zone_id=zone_id)
        assert refused.value.stable_code == "conflict_needed"


def test_a_resolved_conflict_is_not_forced(conflict: Any, olga: Any, wish: Any) -> None:
    conflict.resolved_at = conflict.opened_at
    conflict.save(update_fields=["resolved_at"])
    with pytest.raises(DomainError) as refused:
        request_forced_action(wish(), actor=olga, conflict_id=conflict.pk)
    assert refused.value.stable_code == "conflict_resolved"


def test_a_takeover_is_not_offered_while_the_owner_says_that_it_runs(fleet: Any, olga: Any, wish: Any) -> None:
    fleet.global2.put(fleet.kzone1, "running")
    fleet.say_states()
    with pytest.raises(DomainError) as refused:
        request_forced_action(wish(), actor=olga, conflict_id=fleet.conflict().pk)
    assert refused.value.stable_code == "door_shut"
    assert "running" in refused.value.facts["reason"]


def test_a_takeover_is_not_offered_while_the_owner_could_detach(fleet: Any, olga: Any, wish: Any) -> None:
    fleet.say_states()
    with pytest.raises(DomainError) as refused:
        request_forced_action(wish(), actor=olga, conflict_id=fleet.conflict().pk)
    assert refused.value.facts["reason"] == "A safer way is open: detach-and-attach."


def test_a_later_policy_does_not_touch_an_open_request(conflict: Any, olga: Any, adam: Any, wish: Any) -> None:
    action = request_forced_action(wish(), actor=olga, conflict_id=conflict.pk)
    policy = change_policy(actor=None, approvals_needed=1, quiet_window_s=5)
    action.refresh_from_db()
    assert (policy.version, policy.approvals_needed) == (2, 1)
    assert (action.approvals_needed, action.quiet_window_s, action.policy.version) == (2, 60, 1)


@pytest.mark.parametrize(
    ("numbers", "code"),
    [
        ({"approvals_needed": 0}, "quorum"),
        ({"approvals_needed": -1}, "quorum"),
        ({"approvals_needed": 3}, "quorum"),
        ({"quiet_window_s": 0}, "policy"),
        ({"time_to_approve_s": 10**9}, "policy"),
    ],
)
def test_a_policy_that_cannot_be_met_or_protects_nobody_is_refused(
    adam: Any, ada: Any, numbers: dict[str, int], code: str
) -> None:
    with pytest.raises(DomainError) as refused:
        change_policy(actor=None, **numbers)
    assert refused.value.stable_code == code
