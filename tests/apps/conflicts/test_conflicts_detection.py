"""Conflicts opened, kept and closed as reports come in, and as hosts fall silent."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from fake_agent import FakeAgent, FakeHost, FakeStorage, Fleet

from apps.conflicts.detection import find_conflicts
from apps.conflicts.doors import doors
from apps.conflicts.models import Conflict
from apps.fleet.models import Host
from apps.fleet.services import trust_agent
from apps.history.actors import SYSTEM
from apps.history.models import Event
from apps.history.services import append, events_last
from apps.jobs.models import Job
from apps.zones.models import SilentHost, Zone
from apps.zones.services import note_silence
from kernelzone.facts import RegionStatus
from kernelzone.words import Digest


def conflicts(name: str = "kzone1") -> set[str]:
    """Return the kinds of the open conflicts of a zone."""
    return set(Conflict.objects.filter(zone__name=name, resolved_at=None).values_list("kind", flat=True))


def events(kind: str) -> list[dict[str, Any]]:
    return [event.record["data"] for event in Event.objects.filter(type=kind).order_by("seq")]


def say(fleet: Fleet, *hosts: FakeHost) -> None:
    for host in hosts:
        fleet.agent.say_state(host)
    fleet.take_in()


def test_a_conflict_is_opened_once_and_keeps_its_first_sighting(fleet: Fleet, later: Any) -> None:
    fleet.say_states()
    first = Conflict.objects.get()
    later(seconds=60)
    fleet.kzone1.change()
    fleet.say_states()

    again = Conflict.objects.get()
    assert (again.pk, again.opened_at) == (first.pk, first.opened_at)
    assert again.last_seen_at > first.last_seen_at
    assert again.facts["generation"] == 8
    assert len(events("conflict.open")) == 1


def test_a_conflict_closes_by_itself_says_why_and_opens_anew_as_another(fleet: Fleet) -> None:
    fleet.say_states()
    fleet.global1.put(fleet.kzone1, "configured")
    say(fleet, fleet.global1)
    assert conflicts() == {"stale-configuration"}
    closed = Conflict.objects.get(kind="held-elsewhere")
    assert (closed.resolved_at is None, closed.resolved_how) == (False, "the newest readings contradict it no more")
    assert events("conflict.resolve")[0] == {"kind": "held-elsewhere", "how": closed.resolved_how}

    fleet.global1.put(fleet.kzone1, "unavailable")
    say(fleet, fleet.global1)

    assert conflicts() == {"held-elsewhere"}
    assert Conflict.objects.filter(kind="held-elsewhere").count() == 2


def test_a_takeover_typed_by_hand_is_found_and_one_with_our_warrant_is_not(fleet: Fleet) -> None:
    fleet.say_states()
    fleet.kzone1.owner, fleet.kzone1.previous, fleet.kzone1.flags = fleet.global1, fleet.global2, ("forced",)
    fleet.kzone1.change()
    fleet.global1.put(fleet.kzone1, "installed")
    say(fleet, fleet.global1)
    assert conflicts() == {"forced-outside"}
    (opened,) = [one for one in events("conflict.open") if one["kind"] == "forced-outside"]
    assert opened["previous_owner_hostid"] == "848611d4"

    warrant = Digest("9" * 64)
    fleet.kzone1.warrant_sha256 = warrant
    fleet.kzone1.change()
    say(fleet, fleet.global1)
    assert conflicts() == {"forced-outside"}

    _forced_order(warrant, zone_name="another", zone_uuid="00000000-0000-0000-0000-000000000001")
    find(fleet)
    assert conflicts() == {"forced-outside"}, "the warrant is another zone's"

    _forced_order(warrant, zone_name="kzone1", zone_uuid=None)
    find(fleet)
    assert not conflicts()
    assert Conflict.objects.get(kind="forced-outside").resolved_how == "an approved forced action"


def find(fleet: Fleet) -> None:
    with transaction.atomic(), events_last():
        find_conflicts(set(Zone.objects.values_list("pk", flat=True)), timezone.now())


def _forced_order(payload_sha256: str, **fields: Any) -> None:
    host = Host.objects.select_related("agent").get(hostname="global1")
    Job.objects.create(
        key=f"forced {fields['zone_name']}",
        kind="force-takeover",
        host=host,
        agent=host.agent,
        payload_sha256=payload_sha256,
        envelope=b"{}",
        not_before=timezone.now(),
        not_after=timezone.now(),
        state="done",
        **fields,
    )


def test_a_double_run_is_found_when_the_other_host_is_confirmed_though_nothing_changed_there(
    fleet: Fleet, later: Any
) -> None:
    fleet.global2.put(fleet.kzone1, "running")
    fleet.say_states()
    later(seconds=30)
    fleet.global1.put(fleet.kzone1, "running")
    say(fleet, fleet.global1)
    assert "double-run" not in conflicts(), "global2 was last seen before global1 started"
    later(seconds=30)
    say(fleet, fleet.global2)

    assert "double-run" in conflicts()
    (found,) = Conflict.objects.filter(kind="double-run")
    assert (found.facts["running_on"], found.host.hostname) == (["83a0cc71", "848611d4"], "global1")


def test_conflicts_about_storage_that_moved_to_another_host_alone_close(fleet: Fleet) -> None:
    fleet.kzone1.status = RegionStatus.CLAIM
    fleet.say_states()
    assert "torn" in conflicts()
    fleet.global1.zones.clear()
    fleet.global2.zones.clear()
    say(fleet, fleet.global1, fleet.global2)

    assert not conflicts()


# --- silence ----------------------------------------------------------------------------------------------------


def test_a_standby_is_stale_while_the_owner_speaks_and_held_elsewhere_when_it_falls_silent(
    fleet: Fleet, later: Any
) -> None:
    fleet.global1.put(fleet.kzone1, "configured")
    fleet.say_states()
    assert (note_silence(), conflicts()) == (0, {"stale-configuration"})

    fleet.kill(fleet.global2)
    assert (note_silence(), conflicts()) == (1, {"held-elsewhere"})
    assert note_silence() == 0

    fleet.global2.is_up = True
    say(fleet, fleet.global2)
    assert (note_silence(), conflicts()) == (1, {"stale-configuration"})
    assert not SilentHost.objects.exists()


def test_a_conflict_does_not_close_because_the_host_that_wants_the_zone_fell_silent(fleet: Fleet) -> None:
    fleet.say_states()
    fleet.kill(fleet.global1)

    assert (note_silence(), conflicts()) == (1, {"held-elsewhere"})
    find(fleet)
    assert conflicts() == {"held-elsewhere"}


def test_when_everybody_falls_silent_no_zone_looks_wanted(fleet: Fleet) -> None:
    """The broker is unplugged: it is unknown who has what, and nothing new is claimed."""
    fleet.global1.put(fleet.kzone1, "configured")
    fleet.say_states()
    for host in fleet.hosts:
        fleet.kill(host)

    note_silence()
    assert "held-elsewhere" not in conflicts()


# --- cost and locks -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["held-elsewhere", "torn"])
def test_the_queries_for_one_touched_zone_do_not_grow_with_the_others(fleet: Fleet, kind: str) -> None:
    fleet.kzone1.status = RegionStatus.CLAIM if kind == "torn" else RegionStatus.CLEAN
    fleet.say_states()
    touched = Zone.objects.get(name="kzone1").pk
    counts = []
    for others in (10, 1000):
        Zone.objects.bulk_create([Zone(name=f"{kind}{others}-{number}") for number in range(others)])
        zones = Zone.objects.filter(name__startswith=f"{kind}{others}")
        rows = [
            Conflict(kind="torn", zone=zone, severity=3, opened_at=timezone.now(), last_seen_at=timezone.now())
            for zone in zones
        ]
        Conflict.objects.bulk_create(rows)
        counts.append(_count(lambda: find_conflicts({touched}, timezone.now())))

    assert counts[0] == counts[1] <= 8


def _count(act: Callable[[], None]) -> int:
    with transaction.atomic(), CaptureQueriesContext(connection) as seen, events_last():
        act()
    return len(seen)


def test_many_zones_torn_at_once_cost_two_statements_each_for_the_history(fleet: Fleet) -> None:
    for number in range(60):
        fleet.global3.put(FakeStorage(f"z{number}", fleet.global3, status=RegionStatus.CLAIM), "installed")
    fleet.agent.say_state(fleet.global3)
    fleet.agent.post()
    with CaptureQueriesContext(connection) as seen:
        fleet.take_in()

    assert Conflict.objects.filter(kind="torn").count() == 60
    assert Event.objects.filter(type="conflict.open").count() == 60
    assert len(seen) < 2 * 60 + 60


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_ingestion_that_waits_for_a_conflict_does_not_hold_the_history_its_owner_needs(fleet: Fleet) -> None:
    """A person has the conflict and will append; ingestion has an event to append and wants the conflict."""
    fleet.say_states()
    fleet.kzone1.owner = fleet.global3
    fleet.kzone1.change()
    fleet.agent.say_state(fleet.global2)
    fleet.agent.post()
    threads = [threading.Thread(target=_take_in_elsewhere, args=(fleet,))]
    with transaction.atomic():
        conflict = Conflict.objects.select_for_update().get(kind="held-elsewhere")
        threads[0].start()
        _wait_until_somebody_waits_for_a_lock()
        append("conflict.acknowledge", actor=SYSTEM, subjects=[("conflict", str(conflict.pk))], data={})
    threads[0].join(20)

    assert len(events("conflict.acknowledge")) == len(events("zone.owner-changed")) == 1
    assert Zone.objects.get(name="kzone1").owner_hostid == fleet.global3.owner_hostid


def _take_in_elsewhere(fleet: Fleet) -> None:
    try:
        fleet.take_in()
    finally:
        connection.close()


def _wait_until_somebody_waits_for_a_lock() -> None:
    deadline = time.monotonic() + 10
    with connection.cursor() as cursor:
        while time.monotonic() < deadline:
            cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
            if cursor.fetchone()[0]:
                return
    raise AssertionError("nobody waits for a lock")


# --- what should be different and is one ------------------------------------------------------------------------------


def test_two_zones_on_one_boot_storage_are_found_by_its_id_and_over_when_one_gets_its_own(fleet: Fleet) -> None:
    same = FakeStorage("kz-other", fleet.global3, uuid=fleet.kzone1.uuid)
    fleet.say_states()
    fleet.global2.zones["kz-other"] = (fleet.kzone1, "configured", False)
    say(fleet, fleet.global2)
    assert "storage-shared" in conflicts()
    facts = Conflict.objects.get(kind="storage-shared").facts
    assert facts["names"] == ["kz-other", "kzone1"]

    same.uuid = FakeStorage("new", fleet.global3).uuid
    fleet.global2.zones["kz-other"] = (same, "configured", False)
    say(fleet, fleet.global2)

    assert "storage-shared" not in conflicts()
    assert not Conflict.objects.filter(kind="storage-shared", resolved_at=None).exists()


def test_a_hostid_that_another_agent_claims_is_a_conflict_until_it_claims_it_no_more(fleet: Fleet, later: Any) -> None:
    fleet.say_states()
    other = FakeAgent(fleet.agent.deployment, fleet.agent.authority)
    trust_agent(uuid=other.uuid, key_hex=other.key_hex, name="west")
    other.say_state(FakeHost("83a0cc71", "global1-copy"))
    other.post()
    fleet.take_in()

    note_silence()

    assert "hostid-collision" in conflicts()
    conflict = Conflict.objects.get(kind="hostid-collision")
    assert (conflict.facts["owner_hostid"], conflict.facts["others"]) == ("83a0cc71", ["the agent west"])
    assert events("host.hostid-collision")[0]["hostname"] == "global1-copy"
    shut = {way.door: way.reason for way in doors(Conflict.objects.get(kind="held-elsewhere"), timezone.now())}
    assert "Two hosts answer with hostid 83a0cc71" in shut["force-takeover"]
    later(minutes=16)
    fleet.say_states()
    note_silence()
    assert "hostid-collision" not in conflicts()
    assert note_silence() == 0


def test_an_agent_that_is_not_trusted_makes_no_collision(fleet: Fleet) -> None:
    fleet.say_states()
    other = FakeAgent(fleet.agent.deployment, fleet.agent.authority)
    trust_agent(uuid=other.uuid, key_hex=other.key_hex, name="west")
    Host.objects.filter(owner_hostid="83a0cc71").update(agent=None)
    other.say_state(FakeHost("83a0cc71", "global1-copy"))
    other.post()
    fleet.take_in()
    note_silence()

    assert "hostid-collision" not in conflicts()


def test_a_boot_id_that_comes_back_is_another_machines(fleet: Fleet) -> None:
    fleet.say_states()
    for boot_id in ("boot-2", "boot-3"):
        fleet.global1.boot_id = boot_id
        say(fleet, fleet.global1)
        note_silence()
    assert "hostid-collision" not in conflicts(), "a host may start again"

    fleet.global1.boot_id = "boot-2"
    say(fleet, fleet.global1)
    note_silence()

    assert "hostid-collision" in conflicts()
    assert len(events("host.hostid-collision")) == 1
    fleet.global1.boot_id = "boot-3"
    say(fleet, fleet.global1)
    assert len(events("host.hostid-collision")) == 1, "one collision, told once"
