"""The ladder of doors: what is open, what is shut and why, what taking one does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from apps.base.errors import DomainError
from apps.conflicts.doors import Door, DoorState, Way, doors
from apps.conflicts.models import Conflict
from apps.conflicts.selectors import zoneadm_message
from apps.conflicts.services import acknowledge_conflict, take_door, waive_door
from apps.history.models import Event
from apps.jobs.models import Job
from apps.zones.models import Sighting
from kernelzone.facts import RegionStatus

TRANSCRIPT = Path(__file__).resolve().parents[2] / "data/transcripts/attach-in-use.txt"
REASON = "Nobody can reach the site before Monday."


@pytest.fixture
def conflict(fleet: Any) -> Any:
    """kzone1 is held by global2, which is dead."""
    return fleet.begin()


def ladder(conflict: Conflict) -> dict[Door, Way]:
    fresh = Conflict.objects.select_related("zone", "host").get(pk=conflict.pk)
    return {way.door: way for way in doors(fresh, timezone.now())}


def test_of_a_dead_owner_only_the_takeover_is_left_and_each_reason_is_a_sentence(conflict: Any) -> None:
    found = ladder(conflict)
    assert {door: way.state for door, way in found.items()} == {
        Door.WAIT_FOR_OWNER: DoorState.TRIED,
        Door.DETACH_AND_ATTACH: DoorState.SHUT,
        Door.SHUTDOWN_AND_ATTACH: DoorState.SHUT,
        Door.CORRECT_CONFIGURATION: DoorState.SHUT,
        Door.RESTORE_KEY: DoorState.SHUT,
        Door.REPAIR_RECORD: DoorState.SHUT,
        Door.FORCE_TAKEOVER: DoorState.OPEN,
        Door.INITIALIZE_HOSTDATA: DoorState.SHUT,
    }
    assert found[Door.WAIT_FOR_OWNER].reason == "global2 has been waited for, for 41 min: it does not answer."
    silence = "global2 has not been heard from for 41 min. Its silence proves nothing."
    assert found[Door.DETACH_AND_ATTACH].reason == silence
    assert all(way.reason.endswith(".") for way in found.values())
    assert list(found) == list(Door), "safest first"


def test_the_message_is_the_one_an_administrator_knows(conflict: Any) -> None:
    lines = [line for line in TRANSCRIPT.read_text().splitlines() if not line.startswith("#")]
    assert zoneadm_message(conflict).splitlines() == [line for line in lines if line]


def test_an_owner_that_answers_can_hand_the_zone_over(fleet: Any) -> None:
    fleet.say_states()
    found = ladder(fleet.conflict())
    assert found[Door.DETACH_AND_ATTACH].state is DoorState.OPEN
    assert found[Door.WAIT_FOR_OWNER].reason == "global2 is up: there is nothing to wait for."
    assert found[Door.FORCE_TAKEOVER].reason == "A safer way is open: detach-and-attach."


def test_a_zone_that_runs_at_its_owner_is_shut_down_first(fleet: Any) -> None:
    fleet.global2.put(fleet.kzone1, "running")
    fleet.say_states()
    found = ladder(fleet.conflict())
    assert found[Door.DETACH_AND_ATTACH].state is DoorState.SHUT
    assert found[Door.SHUTDOWN_AND_ATTACH].state is DoorState.OPEN
    assert found[Door.FORCE_TAKEOVER].reason == "global2 says that the zone is running there."


def test_one_click_detaches_at_the_owner_and_then_attaches_here(fleet: Any, olga: Any) -> None:
    fleet.say_states()
    conflict = fleet.conflict()
    job = take_door(conflict.pk, "detach-and-attach", actor=olga)
    assert (job.kind, job.host.owner_hostid) == ("detach", "848611d4")
    assert "Being tried" in ladder(conflict)[Door.DETACH_AND_ATTACH].reason
    with pytest.raises(DomainError) as refused:
        take_door(conflict.pk, "detach-and-attach", actor=olga)
    assert refused.value.stable_code == "door_shut"
    fleet.turn(2)
    fleet.say_states()
    assert list(Job.objects.filter(subject_kind="conflict").order_by("created_at").values_list("kind", "state")) == [
        ("detach", "done"),
        ("attach", "done"),
    ]
    assert fleet.kzone1.owner is fleet.global1
    conflict.refresh_from_db()
    assert conflict.resolved_at is not None


def test_a_door_whose_job_failed_was_tried_and_may_be_tried_again(fleet: Any, olga: Any) -> None:
    fleet.say_states()
    conflict = fleet.conflict()
    fleet.agent.says["detach"] = ("failed", "ZONE_STATE")
    take_door(conflict.pk, "detach-and-attach", actor=olga)
    fleet.turn()
    way = ladder(conflict)[Door.DETACH_AND_ATTACH]
    assert (way.state, way.reason) == (DoorState.TRIED, "Tried: detach on global2 ended failed (ZONE_STATE).")
    assert ladder(conflict)[Door.FORCE_TAKEOVER].state is DoorState.OPEN
    fleet.agent.says.clear()
    assert take_door(conflict.pk, "detach-and-attach", actor=olga).state == "new"


def test_a_second_step_that_cannot_be_ordered_does_not_undo_the_first(fleet: Any, olga: Any) -> None:
    fleet.say_states()
    conflict = fleet.conflict()
    take_door(conflict.pk, "detach-and-attach", actor=olga)
    conflict.zone.placements.filter(host=conflict.host).update(gone_at=timezone.now())
    fleet.turn()
    assert Job.objects.get(kind="detach").state == "done"
    assert Event.objects.get(type="door.stuck").record["data"]["code"] == "not_configured_there"


def test_a_waived_door_lets_the_forced_one_open_and_says_who_gave_it_up(fleet: Any, olga: Any) -> None:
    fleet.say_states()
    conflict = fleet.conflict()
    waive_door(conflict.pk, "detach-and-attach", actor=olga, reason=REASON)
    found = ladder(conflict)
    assert found[Door.DETACH_AND_ATTACH].state is DoorState.WAIVED
    assert found[Door.DETACH_AND_ATTACH].reason == f"olga gave this up: {REASON}"
    assert found[Door.FORCE_TAKEOVER].state is DoorState.OPEN


@pytest.mark.parametrize(
    ("door", "code"),
    [
        ("force-takeover", "forced_door"),
        ("initialize-hostdata", "forced_door"),
        ("window", "door_unknown"),
        ("wait-for-owner", "door_unknown"),
        ("shutdown-and-attach", "door_shut"),
    ],
)
def test_what_is_not_one_click_is_refused(conflict: Any, olga: Any, door: str, code: str) -> None:
    with pytest.raises(DomainError) as refused:
        take_door(conflict.pk, door, actor=olga)
    assert refused.value.stable_code == code
    assert not Job.objects.filter(subject_kind="conflict").exists()


def test_a_door_is_waived_once_with_a_reason_and_a_forced_one_never(conflict: Any, olga: Any) -> None:
    def refused(door: str, reason: str = REASON) -> str:
        with pytest.raises(DomainError) as refusal:
            waive_door(conflict.pk, door, actor=olga, reason=reason)
        return refusal.value.stable_code

    assert refused("force-takeover") == "forced_door"
    assert refused("wait-for-owner", "no") == "reason_short"
    waive_door(conflict.pk, "wait-for-owner", actor=olga, reason=REASON)
    assert refused("wait-for-owner") == "already_waived"


def test_initialising_needs_two_hosts_that_failed_and_none_that_could(fleet: Any) -> None:
    fleet.kzone1.cannot_open = {"83a0cc71"}
    fleet.say_states()
    way = ladder(fleet.conflict(kind="key-wrong"))[Door.INITIALIZE_HOSTDATA]
    assert (way.state, way.reason) == (DoorState.SHUT, "The key of global2 opens the host data: use that one.")
    Sighting.objects.filter(host__owner_hostid="848611d4").delete()
    way = ladder(fleet.conflict(kind="key-wrong"))[Door.INITIALIZE_HOSTDATA]
    assert way.reason == "Only one host has failed to open the host data; a second one must fail too."
    fleet.kzone1.cannot_open = {"83a0cc71", "84a1b2c3"}
    fleet.global3.put(fleet.kzone1, "unavailable")
    fleet.agent.say_state(fleet.global3)
    fleet.take_in()
    way = ladder(fleet.conflict(kind="key-wrong"))[Door.INITIALIZE_HOSTDATA]
    assert way.state is DoorState.OPEN


def test_nothing_is_done_about_a_resolved_conflict(conflict: Any, olga: Any) -> None:
    Conflict.objects.update(resolved_at=timezone.now())
    for act in (
        lambda: acknowledge_conflict(conflict.pk, actor=olga),
        lambda: take_door(conflict.pk, "detach-and-attach", actor=olga),
        lambda: waive_door(conflict.pk, "wait-for-owner", actor=olga, reason=REASON),
    ):
        with pytest.raises(DomainError) as refused:
            act()
        assert refused.value.stable_code == "conflict_resolved"


def test_the_ladder_costs_the_same_however_many_hosts_there_are(
    conflict: Any, django_assert_max_num_queries: Any
) -> None:
    fresh = Conflict.objects.select_related("zone", "host").get(pk=conflict.pk)
    with django_assert_max_num_queries(10):
        doors(fresh, timezone.now())


@pytest.mark.parametrize("kind", list(Conflict.Kind))
def test_every_kind_of_conflict_has_a_reason_for_every_door(conflict: Any, kind: str) -> None:
    Conflict.objects.filter(pk=conflict.pk).update(kind=kind)
    found = ladder(conflict)
    assert list(found) == list(Door)
    assert all(way.reason.endswith(".") and len(way.reason) > 20 for way in found.values())


def test_nobody_takes_its_own_torn_zone_over(fleet: Any) -> None:
    fleet.kzone1.owner, fleet.kzone1.status = fleet.global1, RegionStatus.SINGLE_B
    fleet.say_states()
    way = ladder(fleet.conflict(kind="torn"))[Door.FORCE_TAKEOVER]
    assert (way.state, way.reason) == (
        DoorState.SHUT,
        "Host data names global1 itself: there is nobody to take it from.",
    )
