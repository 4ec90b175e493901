"""Zones for programs: who sees them, and which verbs are safe to ask for."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from fake_agent import Fleet

from apps.history.models import Event
from apps.jobs.models import Job
from apps.zones.models import Placement, Reading, Zone
from apps.zones.services import SAFE_VERBS
from kernelzone.orders import KINDS, Effect


@pytest.fixture
def kzone1(fleet: Fleet) -> Zone:
    """kzone1, held by global2 (installed) and wanted by global1 (unavailable)."""
    fleet.say_states()
    return Zone.objects.get(name="kzone1")


def post(client: Any, zone: Any, verb: Any = "boot", owner_hostid: Any = "848611d4") -> Any:
    return client.post(f"/api/v1/zones/{zone}/verbs", {"verb": verb, "owner_hostid": owner_hostid})


def code(response: Any) -> tuple[int, str]:
    return response.status_code, response.json()["code"]


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("", ["kz-web01", "kzone1"]),
        ("?name=kzone1", ["kzone1"]),
        ("?verdict=ours", ["kz-web01", "kzone1"]),
        ("?verdict=free", []),
        ("?owner_hostid=84a1b2c3", ["kz-web01"]),
        ("?name=kzone1&owner_hostid=84a1b2c3", []),
    ],
)
def test_the_list_is_by_name_and_narrowed_by_what_is_asked(
    kzone1: Zone, vera: Any, client_of: Any, query: str, names: list[str]
) -> None:
    response = client_of(vera).get(f"/api/v1/zones{query}")

    assert [one["name"] for one in response.json()["results"]] == names


@pytest.mark.parametrize(
    "query", ["?verdict=well", "?nmae=kzone1", "?name=a&name=b", "?name=%00", "?owner_hostid=x%00"]
)
def test_a_parameter_that_is_none_is_refused_and_never_ignored(
    kzone1: Zone, vera: Any, client_of: Any, query: str
) -> None:
    assert code(client_of(vera).get(f"/api/v1/zones{query}")) == (400, "filter")


def test_one_zone_has_its_placements_and_what_every_host_saw(kzone1: Zone, vera: Any, client_of: Any) -> None:
    client = client_of(vera)
    zone = client.get(f"/api/v1/zones/{kzone1.pk}").json()

    assert (zone["verdict"], zone["owner_hostid"], zone["high_water"]) == ("ours", "848611d4", 7)
    assert {(one["hostname"], one["state"]) for one in zone["placements"]} == {
        ("global1", "unavailable"),
        ("global2", "installed"),
    }
    assert {one["read_by"] for one in zone["sightings"]} == {"83a0cc71", "848611d4"}
    readings = client.get(f"/api/v1/zones/{kzone1.pk}/readings").json()["results"]
    assert [one["nonce"] for one in readings] == [
        row.nonce for row in Reading.objects.filter(zone=kzone1).order_by("-recorded_at", "-pk")
    ]


@pytest.mark.parametrize("path", ["", "/readings"])
def test_absent_and_retired_zones_are_not_found_alike(kzone1: Zone, vera: Any, client_of: Any, path: str) -> None:
    client = client_of(vera)
    Zone.objects.filter(pk=kzone1.pk).update(retired_at=kzone1.first_seen_at)
    answers = [client.get(f"/api/v1/zones/{zone}{path}") for zone in (kzone1.pk, uuid4(), "kzone1", "..%2f")]

    assert {answer.status_code for answer in answers} == {404}


def test_an_account_without_a_role_learns_nothing_of_zones(kzone1: Zone, ivo: Any, client_of: Any) -> None:
    client = client_of(ivo)
    there, absent = (client.get(f"/api/v1/zones/{zone}") for zone in (kzone1.pk, uuid4()))

    assert (there.status_code, there.json()["code"]) == (absent.status_code, absent.json()["code"])
    assert (there.status_code, client.get("/api/v1/zones").status_code) == (403, 403)
    there, absent = (post(client, zone) for zone in (kzone1.pk, uuid4()))
    assert code(there) == code(absent)
    assert not Job.objects.exists()


def test_a_safe_verb_becomes_a_job_and_the_history_says_who_asked(kzone1: Zone, olga: Any, client_of: Any) -> None:
    response = post(client_of(olga), kzone1.pk, "boot")

    job = Job.objects.get()
    assert (response.status_code, response.headers["Location"]) == (202, f"/api/v1/jobs/{job.pk}")
    assert (job.kind, job.host.hostname, job.zone_name, job.zone_uuid) == (
        "boot",
        "global2",
        "kzone1",
        kzone1.zone_uuid,
    )
    assert (job.subject_kind, job.subject_id, job.requested_by) == ("zone", str(kzone1.pk), olga)
    told = Event.objects.get(type="zone.boot").record
    assert (told["actor"]["name"], told["subject"]["id"]) == ("olga", str(kzone1.pk))


def test_a_viewer_may_look_and_not_run(kzone1: Zone, vera: Any, client_of: Any) -> None:
    assert post(client_of(vera), kzone1.pk).status_code == 403
    assert not Job.objects.exists()


def test_every_verb_offered_is_safe_and_no_forced_one_is() -> None:
    assert all(KINDS[verb].effect is not Effect.FORCED for verb in SAFE_VERBS)


@pytest.mark.parametrize(
    "verb", ["force-takeover", "initialize-hostdata", "inspect", "", "boot; reboot", "BOOT", "b\x00"]
)
def test_another_verb_is_not_offered(kzone1: Zone, olga: Any, client_of: Any, verb: str) -> None:
    assert code(post(client_of(olga), kzone1.pk, verb)) == (422, "verb_not_offered")
    assert not Job.objects.exists()


@pytest.mark.parametrize("owner_hostid", ["84a1b2c3", "ffffffff", "", "848611d4 ", "\x00"])
def test_a_verb_needs_a_host_that_configures_the_zone(
    kzone1: Zone, olga: Any, client_of: Any, owner_hostid: str
) -> None:
    assert code(post(client_of(olga), kzone1.pk, owner_hostid=owner_hostid)) == (409, "placement_missing")
    assert not Job.objects.exists()


def test_a_placement_that_is_gone_is_no_place_to_run_a_verb(kzone1: Zone, olga: Any, client_of: Any) -> None:
    Placement.objects.filter(host__hostname="global2").update(gone_at=kzone1.first_seen_at)

    assert code(post(client_of(olga), kzone1.pk)) == (409, "placement_missing")


def test_nothing_is_run_on_a_zone_while_something_forbids_it(
    kzone1: Zone, olga: Any, client_of: Any, settings: Any
) -> None:
    settings.ZONE_BLOCKERS = [f"{__name__}.why_it_is_blocked"]

    assert code(post(client_of(olga), kzone1.pk)) == (409, "zone_blocked")
    assert not Job.objects.exists()


def why_it_is_blocked(zone: Zone) -> str:
    return f"{zone.name} is being taken over"
