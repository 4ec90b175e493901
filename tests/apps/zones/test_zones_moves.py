"""Zones that go to another host: who may ask, what becomes of the order, and what is known afterwards."""

from __future__ import annotations

import dataclasses
from typing import Any
from uuid import uuid4

import pytest
from fake_agent import FakeHost, Fleet

from apps.conflicts.models import Conflict
from apps.fleet.models import Host
from apps.history.models import Event
from apps.jobs.models import Job
from apps.zones.models import Placement, Zone
from kernelzone.words import HostId

GLOBAL1, GLOBAL2 = "83a0cc71", "848611d4"


@pytest.fixture
def kzone1(fleet: Fleet) -> Zone:
    """kzone1, held by global2 (installed) and wanted by global1."""
    fleet.say_states()
    return Zone.objects.get(name="kzone1")


def migrate(client: Any, zone: Any, **changed: Any) -> Any:
    body = {"owner_hostid": GLOBAL2, "target_hostid": GLOBAL1, **changed}
    return client.post(f"/api/v1/zones/{zone}/migrations", body)


def evacuate(client: Any, **changed: Any) -> Any:
    return client.post("/api/v1/evacuations", {"owner_hostid": GLOBAL2, **changed})


def code(response: Any) -> tuple[int, str]:
    return response.status_code, response.json()["code"]


def test_a_migration_becomes_an_order_to_the_host_the_zone_is_on(kzone1: Zone, olga: Any, client_of: Any) -> None:
    response = migrate(client_of(olga), kzone1.pk, live_only=True)

    job = Job.objects.get()
    assert (response.status_code, response.headers["Location"]) == (202, f"/api/v1/jobs/{job.pk}")
    assert (job.kind, job.host.hostname, job.zone_name, job.zone_uuid) == (
        "migrate",
        "global2",
        "kzone1",
        kzone1.zone_uuid,
    )
    assert job.args == {"target": "ssh://global1", "target_hostid": GLOBAL1, "dry_run": False, "live_only": True}
    told = Event.objects.get(type="zone.migrate").record
    assert (told["actor"]["name"], told["data"]["target_hostid"]) == ("olga", GLOBAL1)


def test_an_evacuation_becomes_an_order_to_the_host(kzone1: Zone, olga: Any, client_of: Any) -> None:
    response = evacuate(client_of(olga), dry_run=True)

    job = Job.objects.get()
    assert (response.status_code, job.kind, job.host.hostname, job.zone_name) == (202, "evacuate", "global2", "")
    assert job.args == {"dry_run": True, "every_zone": False, "is_return": False}
    assert Event.objects.get(type="host.evacuate").record["data"]["dry_run"] is True


def test_a_viewer_moves_nothing(kzone1: Zone, vera: Any, client_of: Any) -> None:
    client = client_of(vera)
    assert (migrate(client, kzone1.pk).status_code, evacuate(client).status_code) == (403, 403)
    assert not Job.objects.exists()


def test_what_is_not_there_and_what_may_not_be_seen_are_answered_alike(
    kzone1: Zone, olga: Any, ivo: Any, client_of: Any
) -> None:
    assert code(migrate(client_of(olga), uuid4()))[0] == 404
    assert code(evacuate(client_of(olga), owner_hostid="11111111"))[0] == 404
    assert code(migrate(client_of(ivo), kzone1.pk)) == code(migrate(client_of(ivo), uuid4()))
    assert not Job.objects.exists()


@pytest.mark.parametrize("target", [GLOBAL2, "11111111", "", "global1", "\x00"])
def test_a_target_that_is_no_other_host_is_refused(kzone1: Zone, olga: Any, client_of: Any, target: str) -> None:
    assert code(migrate(client_of(olga), kzone1.pk, target_hostid=target)) == (409, "migration_target")
    assert not Job.objects.exists()


@pytest.mark.parametrize("hostname", ["", "-n", "global1; reboot", "a b"])
def test_a_hostname_that_could_be_read_as_something_else_is_no_target(
    kzone1: Zone, olga: Any, client_of: Any, hostname: str
) -> None:
    Host.objects.filter(owner_hostid=GLOBAL1).update(hostname=hostname)
    assert code(migrate(client_of(olga), kzone1.pk)) == (409, "migration_target")


@pytest.mark.parametrize("body", [{"dry_run": "perhaps"}, {"force": True}, {"owner_hostid": None}])
def test_another_shape_is_refused(kzone1: Zone, olga: Any, client_of: Any, body: dict[str, Any]) -> None:
    assert migrate(client_of(olga), kzone1.pk, **body).status_code == 400
    assert evacuate(client_of(olga), **body).status_code == 400
    assert not Job.objects.exists()


def test_a_zone_with_an_open_forced_action_goes_nowhere(kzone1: Zone, olga: Any, client_of: Any, settings: Any) -> None:
    settings.ZONE_BLOCKERS = ["test_zones_moves.blocked"]
    client = client_of(olga)
    assert code(migrate(client, kzone1.pk)) == (409, "zone_blocked")
    assert code(evacuate(client)) == (409, "zone_blocked")
    assert evacuate(client, owner_hostid=GLOBAL1).status_code == 202  # only wants it: nothing of it would go from there
    assert not Job.objects.filter(host__owner_hostid=GLOBAL2).exists()


def test_a_zone_with_an_open_forced_action_is_not_brought_back(
    kzone1: Zone, olga: Any, client_of: Any, settings: Any
) -> None:
    settings.ZONE_BLOCKERS = ["test_zones_moves.blocked"]
    client = client_of(olga)
    assert code(evacuate(client, owner_hostid=GLOBAL1, is_return=True)) == (409, "zone_blocked")
    assert evacuate(client, is_return=True).status_code == 202  # it is at home there: nothing of it would come
    assert not Job.objects.filter(host__owner_hostid=GLOBAL1).exists()


def blocked(zone: Zone) -> str:
    return "a forced action is open" if zone.name == "kzone1" else ""


# --- what the reports of both hosts make of it ------------------------------------------------------------------------


class Moving:
    """kzone1 goes from global2 to global1; each host says what it sees when its turn comes."""

    def __init__(self, fleet: Fleet) -> None:
        self.fleet = fleet
        fleet.kzone1.state = "running"
        self.source_says("running")
        self.target_says("configured")

    def source_says(self, state: str, *auxiliary: str) -> None:
        self._says(self.fleet.global2, state, auxiliary)

    def target_says(self, state: str, *auxiliary: str) -> None:
        self._says(self.fleet.global1, state, auxiliary)

    def hand_over(self) -> None:
        storage = self.fleet.kzone1
        storage.owner, storage.previous = self.fleet.global1, self.fleet.global2
        storage.change()

    def _says(self, host: FakeHost, state: str, auxiliary: tuple[str, ...]) -> None:
        host.put(self.fleet.kzone1, state)
        seen = host.inspection()
        placements = tuple(dataclasses.replace(one, auxiliary=auxiliary) for one in seen.placements)
        result = dataclasses.replace(seen, placements=placements)
        self.fleet.agent._say(None, HostId(host.owner_hostid), "done", "DONE", result)
        self.fleet.take_in()


def found() -> set[tuple[str, int]]:
    return set(Conflict.objects.filter(resolved_at=None, zone__name="kzone1").values_list("kind", "severity"))


def double_runs() -> int:
    return Conflict.objects.filter(kind="double-run").count()


def test_a_live_migration_is_no_double_run_and_leaves_a_stale_configuration(fleet: Fleet) -> None:
    moving = Moving(fleet)
    assert found() == {("stale-configuration", 1)}
    moving.target_says("running", "migrating-in")
    moving.source_says("running")  # it has not begun yet to send
    moving.source_says("running", "migrating-out")
    moving.hand_over()
    moving.target_says("running")
    assert double_runs() == 0
    moving.source_says("configured")

    assert double_runs() == 0
    assert found() == {("stale-configuration", 1)}
    rows = Placement.objects.filter(zone__name="kzone1", gone_at=None)
    assert {row.host.hostname: row.state for row in rows} == {"global1": "running", "global2": "configured"}
    assert Zone.objects.get(name="kzone1").owner_hostid == GLOBAL1


def test_a_zone_runs_on_its_target_since_it_came_and_not_since_it_began_to_come(fleet: Fleet) -> None:
    """The source was last heard before it said that the zone is leaving: that is no proof that both ran."""
    moving = Moving(fleet)
    moving.target_says("running", "migrating-in")
    moving.source_says("running")
    moving.hand_over()
    moving.target_says("running")
    assert double_runs() == 0


def test_both_running_after_a_migration_is_a_double_run(fleet: Fleet) -> None:
    moving = Moving(fleet)
    moving.target_says("running", "migrating-in")
    moving.hand_over()
    moving.target_says("running")
    moving.source_says("running")
    assert double_runs() == 1
