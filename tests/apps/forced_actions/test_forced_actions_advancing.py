"""From request to release: what is frozen, what ends a request, and what a second look may find."""

from __future__ import annotations

from typing import Any

import pytest

from apps.base.errors import DomainError
from apps.conflicts.doors import Door, DoorState, door_of
from apps.forced_actions.models import ForcedAction, Warrant
from apps.forced_actions.services import request_forced_action
from apps.forced_actions.workflow import MAX_ISSUES
from apps.jobs.models import Job
from kernelzone import strict
from kernelzone.facts import RegionStatus
from kernelzone.orders import Warrant as SignedWarrant


def state_of(action: ForcedAction) -> tuple[str, str]:
    action.refresh_from_db()
    return action.state, action.why


def test_nothing_is_frozen_before_every_probe_has_answered(fleet: Any, observing: Any) -> None:
    fleet.turn(3)
    assert state_of(observing) == ("observing", "")
    words = dict(observing.sheet.rows.values_list("probe", "word"))
    assert words == {"host-data-from-here": "says-nothing", "owners-agent": "", "write-samples": "suggests-off"}


def test_the_frozen_sheet_says_what_the_silence_is_worth(pending: Any) -> None:
    row = pending.sheet.rows.get(probe="owners-agent")
    assert row.sentence == "global2 has not been heard from for 41 min. Its silence proves nothing."
    assert (row.word, row.value) == ("says-nothing", {"answered": False})
    assert pending.evidence_sha256 == pending.sheet.facts_sha256


def test_writes_prove_it_on_and_shut_the_door(fleet: Any, observing: Any, silence_is_over: Any) -> None:
    fleet.kzone1.writer = True
    silence_is_over()

    assert state_of(observing) == ("cancelled", "proved_on")
    assert "somebody writes to the boot storage" in observing.why_text
    way = door_of(fleet.conflict(), Door.FORCE_TAKEOVER, observing.ended_at)
    assert way.state is DoorState.SHUT
    assert "blocks changed" in way.reason


def test_an_owner_that_answers_running_proves_it_on(fleet: Any, observing: Any) -> None:
    fleet.global2.put(fleet.kzone1, "running")
    fleet.global2.is_up = True
    fleet.turn(2)
    assert state_of(observing) == ("cancelled", "proved_on")


def test_an_owner_that_answers_installed_with_autoboot_off_proves_it_off(fleet: Any, observing: Any) -> None:
    fleet.global2.is_up = True
    fleet.turn(2)
    assert state_of(observing) == ("pending", "")
    assert observing.sheet.rows.get(probe="owners-agent").word == "proves-off"


def test_a_target_that_cannot_read_host_data_leaves_nothing_to_decide(
    fleet: Any, observing: Any, silence_is_over: Any, later: Any
) -> None:
    fleet.agent.silent_on.add("probe")
    silence_is_over()
    assert state_of(observing)[0] == "observing"
    later(minutes=2)
    fleet.turn()
    assert state_of(observing) == ("cancelled", "cannot_observe")
    assert observing.sheet.facts_sha256


def test_a_zone_that_was_freed_meanwhile_is_not_forced(fleet: Any, observing: Any, silence_is_over: Any) -> None:
    fleet.kzone1.state = "free"
    silence_is_over()
    assert state_of(observing) == ("cancelled", "not_needed")


def test_another_owner_than_the_one_typed_ends_the_request(fleet: Any, observing: Any, silence_is_over: Any) -> None:
    fleet.kzone1.owner = fleet.global3
    silence_is_over()
    assert state_of(observing) == ("cancelled", "owner_changed")


def test_a_newer_reading_voids_a_pending_request_and_the_approver_is_shown_why(
    fleet: Any, pending: Any, adam: Any, approve: Any
) -> None:
    fleet.kzone1.change()
    fleet.say_states()
    fleet.reconcile()

    assert state_of(pending) == ("voided", "evidence_changed")
    with pytest.raises(DomainError) as refused:
        approve(pending, adam)
    assert refused.value.stable_code == "evidence_changed"
    changes = {
        one["what"].rpartition(": ")[2]: (one["before"], one["after"]) for one in refused.value.facts["difference"]
    }
    assert changes["generation"] == ("7", "8")


def test_the_same_host_data_seen_again_voids_nothing(fleet: Any, pending: Any) -> None:
    fleet.say_states()
    fleet.reconcile()
    assert state_of(pending) == ("pending", "")


def test_what_changed_between_approval_and_release_voids_it_and_nothing_is_ordered(
    fleet: Any, releasing: Any, silence_is_over: Any
) -> None:
    fleet.global2.is_up = True  # a sign of life
    fleet.turn(4)
    assert state_of(releasing) == ("voided", "evidence_changed")
    whats = [change[0] for change in releasing.difference]
    assert "the agent of 848611d4: word" in whats
    assert not Job.objects.filter(kind="force-takeover").exists()
    assert not Warrant.objects.exists()


def test_host_data_that_changed_after_the_approvals_voids_it(fleet: Any, releasing: Any, silence_is_over: Any) -> None:
    fleet.kzone1.change()
    fleet.turn()
    silence_is_over()
    fleet.turn()
    assert state_of(releasing) == ("voided", "evidence_changed")
    assert fleet.kzone1.owner is fleet.global2


def test_the_warrant_binds_the_newest_reading_and_the_people(fleet: Any, executing: Any, adam: Any, ada: Any) -> None:
    job = Job.objects.get(pk=executing.job_id)
    warrant = strict.read(SignedWarrant, job.warrant)
    assert warrant.reading.nonce == executing.release_sheet.reading.nonce
    assert warrant.reading.nonce != executing.sheet.reading.nonce
    assert {one.person for one in warrant.approvers} == {adam.person_id, ada.person_id}
    assert (warrant.quorum, warrant.attempt, warrant.expect.status) == (2, 0, RegionStatus.CLEAN)
    assert warrant.expect.regions[0].raw_sha256 == fleet.kzone1.raw
    assert warrant.expect.in_use is not None
    assert warrant.expect.in_use.last_update_time == "Sun Apr 13 20:08:13 2014"
    assert (job.not_after - job.not_before).total_seconds() == 600


def test_nobody_decides_in_time(fleet: Any, pending: Any, later: Any) -> None:
    later(hours=4, seconds=1)
    fleet.reconcile()
    assert state_of(pending) == ("expired", "expired")


def test_it_cannot_be_released_in_time(fleet: Any, releasing: Any, later: Any) -> None:
    later(hours=4, seconds=1)
    fleet.turn(2)
    assert state_of(releasing) == ("expired", "expired")
    assert not Job.objects.filter(kind="force-takeover", state="signed").exists()


def test_running_the_reconcilers_again_changes_nothing(fleet: Any, executing: Any) -> None:
    version, jobs = executing.version, Job.objects.count()
    for _ in range(3):
        fleet.reconcile()
    executing.refresh_from_db()
    assert (executing.version, Job.objects.count()) == (version, jobs)
    assert executing.issued <= MAX_ISSUES


def test_initialising_is_offered_when_two_hosts_failed_to_open_host_data_and_then_done(
    fleet: Any, olga: Any, wish: Any, approve_by_both: Any, silence_is_over: Any
) -> None:
    zone = fleet.kzone1
    zone.cannot_open = {"83a0cc71", "84a1b2c3", "848611d4"}
    del fleet.global2.zones["kzone1"]
    fleet.global3.put(zone, "unavailable")
    fleet.say_states()
    fleet.kill(fleet.global2)
    conflict = fleet.conflict(kind="key-wrong")
    wanted = wish(kind="initialize-hostdata", typed_loser_hostid="", target="83a0cc71")
    action = request_forced_action(wanted, actor=olga, conflict_id=conflict.pk)
    silence_is_over()
    assert state_of(action) == ("pending", "")
    approve_by_both(action)
    fleet.turn(4)
    assert state_of(action) == ("done", "done"), action.why_text
    assert (zone.owner, zone.flags) == (fleet.global1, ("initialised",))
