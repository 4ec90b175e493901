"""Hosts and jobs through the API."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from apps.fleet.models import Host
from apps.history.models import Event
from apps.jobs.models import Job, JobLine
from apps.jobs.services.inspecting import insert_inspections

pytestmark = pytest.mark.django_db


def test_hosts_are_listed_by_owner_hostid_with_what_is_known(client_of, vera, host):
    Host.objects.filter(pk=host.pk).update(last_heard_at=timezone.now())
    found = client_of(vera).get("/api/v1/hosts").json()["results"]
    assert [(one["owner_hostid"], one["is_silent"]) for one in found] == [("848611d4", False), ("848611d5", True)]
    assert found[0]["agent_state"] == "trusted"


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("silent=true", ["848611d5"]),
        ("silent=false", ["848611d4"]),
        ("hostname=global1", ["848611d5"]),
        ("site=west", []),
    ],
)
def test_hosts_are_found_by_what_they_are(client_of, vera, host, query, expected):
    Host.objects.filter(pk=host.pk).update(last_heard_at=timezone.now())
    found = client_of(vera).get(f"/api/v1/hosts?{query}").json()["results"]
    assert [one["owner_hostid"] for one in found] == expected


@pytest.mark.parametrize("query", ["silent=maybe", "_connector=OR", "hostname__regex=x", "page=-1", "site=a&site=b"])
def test_a_parameter_that_is_none_is_refused(client_of, vera, query):
    response = client_of(vera).get(f"/api/v1/hosts?{query}")
    assert (response.status_code, response.json()["code"]) == (400, "filter")


def test_a_host_is_read_by_its_owner_hostid_in_any_case(client_of, vera, host):
    body = client_of(vera).get("/api/v1/hosts/848611D4").json()
    assert (body["owner_hostid"], body["identities"]) == ("848611d4", [])


@pytest.mark.parametrize(("hostid", "status", "code"), [("0x848611d4", 422, "hostid"), ("11111111", 404, "not_found")])
def test_a_host_that_is_none(client_of, vera, hostid, status, code):
    response = client_of(vera).get(f"/api/v1/hosts/{hostid}")
    assert (response.status_code, response.json()["code"]) == (status, code)


def test_an_operator_has_a_host_inspected_and_follows_the_job(client_of, olga, host):
    client = client_of(olga)
    response = client.post("/api/v1/hosts/848611d4/inspect")
    assert response.status_code == 202
    job = client.get(response["Location"]).json()
    assert (job["kind"], job["owner_hostid"], job["state"], job["requested_by"]) == (
        "inspect",
        "848611d4",
        "new",
        "olga",
    )


def test_a_viewer_orders_nothing(client_of, vera, host):
    for path in ("inspect", "maintenance/start", "maintenance/end"):
        assert client_of(vera).post(f"/api/v1/hosts/848611d4/{path}").status_code == 403
    assert Job.objects.count() == 0


def test_who_has_no_role_sees_neither_hosts_nor_jobs(client_of, ivo, make_job):
    job = make_job("sent")
    for path in ("hosts", "hosts/848611d4", "jobs", f"jobs/{job.pk}"):
        assert client_of(ivo).get(f"/api/v1/{path}").status_code in (403, 404)


def test_a_host_without_an_agent_says_what_to_do(client_of, olga, host):
    Host.objects.update(agent=None)
    response = client_of(olga).post("/api/v1/hosts/848611d4/inspect")
    assert (response.status_code, response.json()["code"]) == (409, "agent_missing")
    assert "Enrol the host first" in response.json()["detail"]


def test_maintenance_through_the_api(client_of, olga, host):
    client = client_of(olga)
    assert client.post("/api/v1/hosts/848611d4/maintenance/start").json()["maintenance_since"]
    assert client.post("/api/v1/hosts/848611d4/maintenance/end").json()["maintenance_since"] is None


def test_the_list_of_jobs_leaves_the_sweep_out_unless_asked(client_of, vera, make_job):
    insert_inspections()
    boot = make_job("running")
    client = client_of(vera)
    assert [one["id"] for one in client.get("/api/v1/jobs").json()["results"]] == [str(boot.pk)]
    assert len(client.get("/api/v1/jobs?sweep=true").json()["results"]) == 3
    assert len(client.get("/api/v1/jobs?state=running&kind=boot&owner_hostid=848611d4").json()["results"]) == 1
    assert client.get("/api/v1/jobs?state=broken").json()["code"] == "filter"


def test_live_output_is_read_from_a_line_on(client_of, vera, make_job):
    job = make_job("running")
    for number in (1, 2, 3):
        JobLine.objects.create(job=job, number=number, at=timezone.now(), text=f"line {number}")
    lines = client_of(vera).get(f"/api/v1/jobs/{job.pk}?after=1").json()["lines"]
    assert [(line["number"], line["text"]) for line in lines] == [(2, "line 2"), (3, "line 3")]


@pytest.mark.parametrize("pk", ["x", "00000000-0000-7000-8000-000000000000", "{}"])
def test_a_job_that_is_none_is_not_found(client_of, vera, pk):
    assert client_of(vera).get(f"/api/v1/jobs/{pk}").status_code == 404


def test_a_job_is_taken_back_once(client_of, olga, make_job):
    job, client = make_job("sent"), client_of(olga)
    first = client.post(f"/api/v1/jobs/{job.pk}/cancel")
    again = client.post(f"/api/v1/jobs/{job.pk}/cancel")
    assert (first.status_code, first.json()["state"]) == (200, "cancelled")
    assert (again.status_code, again.json()["code"]) == (409, "order_finished")
    assert Event.objects.latest("seq").type == "job.refused"


def test_the_order_of_a_forced_action_is_not_cancelled_as_a_job(client_of, olga, make_job):
    job = make_job("sent", kind="force-takeover", args={"quiet_window_s": 5}, warrant={})
    answer = client_of(olga).post(f"/api/v1/jobs/{job.pk}/cancel")
    assert (answer.status_code, answer.json()["code"]) == (409, "forced_order")
    job.refresh_from_db()
    assert job.state == "sent"


def test_a_list_of_jobs_asks_as_often_for_one_as_for_fifty(client_of, vera, make_job, django_assert_max_num_queries):
    make_job("sent")
    client = client_of(vera)
    with django_assert_max_num_queries(12) as few:
        client.get("/api/v1/jobs")
    for _ in range(10):
        make_job("sent")
    with django_assert_max_num_queries(len(few)):
        assert len(client.get("/api/v1/jobs").json()["results"]) == 11


def test_a_field_that_is_not_known_is_refused(client_of, olga, host):
    response = client_of(olga).post("/api/v1/hosts/848611d4/inspect", {"zones": ["kzone1"]})
    assert (response.status_code, response.json()["code"]) == (400, "malformed_request")
    assert Job.objects.filter(created_at__gt=timezone.now() - timedelta(minutes=1)).count() == 0
