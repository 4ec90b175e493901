"""Hosts and zones, as they are read and acted on; finding them; sign-in and errors."""

from __future__ import annotations

from typing import Any

import pytest
from django.template.loader import render_to_string
from django.test import Client, RequestFactory
from django.utils import timezone
from fake_agent import Fleet

from apps.base.badges import FAMILIES
from apps.fleet.models import Host
from apps.history.models import Event
from apps.jobs.models import Job
from apps.zones.models import Reading
from kzfleet.pages.parts import show_parts


def text_of(response: Any) -> str:
    return " ".join(response.content.decode().split())


def test_a_silent_host_is_called_silent_and_not_down(fleet: Fleet, vera: Any, browser_client: Any) -> None:
    page = text_of(browser_client(vera).get("/hosts/848611d4"))

    assert "global2 has not been heard from for 41 min. Its silence proves nothing." in page
    assert "down" not in page.lower().replace("shutdown", "")


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ("", {"global1", "global2", "global3"}),
        ("?state=silent", {"global2"}),
        ("?state=heard", {"global1", "global3"}),
        ("?state=no+agent", set()),
        ("?q=GLOBAL3", {"global3"}),
        ("?q=848611", {"global2"}),
        ("?site=west", set()),
    ],
)
def test_hosts_are_found_by_state_name_and_site(
    fleet: Fleet, vera: Any, browser_client: Any, query: str, shown: set[str]
) -> None:
    page = text_of(browser_client(vera).get(f"/hosts{query}"))

    assert {host for host in ("global1", "global2", "global3") if f">{host}</a>" in page} == shown


def test_an_operator_inspects_a_host_from_its_page(fleet: Fleet, olga: Any, browser_client: Any) -> None:
    client = browser_client(olga)
    assert "Inspect global1 now" in text_of(client.get("/hosts/83a0cc71"))

    response = client.post("/hosts/83a0cc71/inspect", follow=True)

    assert "global1 is asked to look at its zones." in text_of(response)
    job = Job.objects.get(requested_by=olga)
    assert (job.kind, job.host.hostname) == ("inspect", "global1")


def test_maintenance_begins_and_ends_by_the_same_button(fleet: Fleet, olga: Any, browser_client: Any) -> None:
    client = browser_client(olga)
    begun = text_of(client.post("/hosts/83a0cc71/maintenance", {"to": "start"}, follow=True))
    ended = text_of(client.post("/hosts/83a0cc71/maintenance", {"to": "end"}, follow=True))

    assert "End maintenance of global1" in begun
    assert "Begin maintenance of global1" in ended


def test_a_viewer_sees_no_button_and_is_refused_where_it_leads(fleet: Fleet, vera: Any, browser_client: Any) -> None:
    client = browser_client(vera)
    page = text_of(client.get("/hosts/83a0cc71"))
    response = client.post("/hosts/83a0cc71/inspect")

    assert "Inspect global1 now" not in page
    assert response.status_code == 403
    assert "You may not do this" in text_of(response)
    assert not Job.objects.filter(requested_by=vera).exists()
    assert Event.objects.get(type="host.refused").record["data"]["code"] == "not_allowed"


@pytest.mark.parametrize("path", ["/hosts/00000000", "/zones/019ac6f4-0000-7000-8000-000000000000"])
def test_what_is_absent_is_said_to_be_absent(fleet: Fleet, vera: Any, browser_client: Any, path: str) -> None:
    response = browser_client(vera).get(path)

    assert response.status_code == 404
    assert "There is no such thing here" in text_of(response)


def test_a_zone_page_says_the_verdict_in_a_sentence_and_shows_the_reading(
    fleet: Fleet, vera: Any, browser_client: Any, zone: Any
) -> None:
    page = text_of(browser_client(vera).get(f"/zones/{zone('kzone1').pk}"))

    assert "kzone1 is owned by global2, where it is configured." in page
    assert "Its silence proves nothing." in page
    assert Reading.objects.filter(zone=zone("kzone1"))[0].raw_sha256 in page
    assert 'class="bar bar-' in page
    assert "this is what it last said" in page


def test_an_operator_halts_a_zone_where_it_runs(fleet: Fleet, olga: Any, browser_client: Any, zone: Any) -> None:
    client, web = browser_client(olga), zone("kz-web01")
    page = text_of(client.get(f"/zones/{web.pk}"))
    assert "Halt kz-web01 on global3" in page
    assert "Boot kz-web01" not in page

    response = client.post(f"/zones/{web.pk}/verbs", {"verb": "halt", "owner_hostid": "84a1b2c3"})

    job = Job.objects.get(kind="halt")
    assert response["Location"] == f"/jobs/{job.pk}"
    assert (job.zone_name, job.host.hostname, job.requested_by) == ("kz-web01", "global3", olga)


def test_a_zone_that_another_host_owns_is_not_attached_from_its_page(
    fleet: Fleet, olga: Any, browser_client: Any, zone: Any
) -> None:
    page = text_of(browser_client(olga).get(f"/zones/{zone('kzone1').pk}"))

    assert "Attach kzone1 on global1" not in page
    assert "Another host owns the zone" in page


@pytest.mark.parametrize("verb", ["force-takeover", "rm -rf", ""])
def test_only_safe_verbs_are_taken_from_a_page(
    fleet: Fleet, olga: Any, browser_client: Any, zone: Any, verb: str
) -> None:
    path = f"/zones/{zone('kz-web01').pk}/verbs"
    response = browser_client(olga).post(path, {"verb": verb, "owner_hostid": "84a1b2c3"})

    assert response.status_code in (404, 409, 422)
    assert not Job.objects.filter(requested_by=olga).exists()


def test_a_form_without_its_token_changes_nothing(fleet: Fleet, olga: Any) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(olga, backend="allauth.account.auth_backends.AuthenticationBackend")

    response = client.post("/hosts/83a0cc71/inspect")

    assert response.status_code == 403
    assert "This form is too old." in text_of(response)
    assert not Job.objects.filter(requested_by=olga).exists()


@pytest.mark.parametrize(
    ("text", "path"), [("global3", "/hosts/84a1b2c3"), ("84A1B2", "/hosts/84a1b2c3"), ("#1", "/history/1")]
)
def test_a_single_finding_is_gone_to(fleet: Fleet, vera: Any, browser_client: Any, text: str, path: str) -> None:
    assert browser_client(vera).get("/search", {"q": text})["Location"] == path


def test_a_digest_finds_its_reading(fleet: Fleet, vera: Any, browser_client: Any, zone: Any) -> None:
    digest = fleet.global3.zones["kz-web01"][0].raw
    response = browser_client(vera).get("/search", {"q": digest[:12]})

    assert response["Location"] == f"/zones/{zone('kz-web01').pk}"


@pytest.mark.parametrize("text", ["nothing-is-called-so", "%", "'; DROP TABLE zones_zone; --", "9" * 40])
def test_what_is_not_found_is_said_and_breaks_nothing(fleet: Fleet, vera: Any, browser_client: Any, text: str) -> None:
    response = browser_client(vera).get("/search", {"q": text})

    assert response.status_code == 200


def test_somebody_without_a_role_finds_nothing(fleet: Fleet, ivo: Any, browser_client: Any) -> None:
    page = text_of(browser_client(ivo).get("/search", {"q": "kzone1"}))

    assert "Nothing is called that." in page


def test_names_from_hosts_are_escaped(fleet: Fleet, vera: Any, browser_client: Any) -> None:
    Host.objects.filter(owner_hostid="83a0cc71").update(hostname="<script>alert(1)</script>")
    for path in ("/", "/hosts", "/hosts/83a0cc71", "/search?q=script"):
        assert b"<script>alert" not in browser_client(vera).get(path, follow=True).content


def test_every_part_is_shown_in_every_state(rf: RequestFactory, vera: Any) -> None:
    request = rf.get("/parts/")
    request.user = vera
    page = text_of(show_parts(request))

    assert all(word.label in page for words in FAMILIES.values() for word in words.values())
    assert "41 min ago" in page


def test_parts_are_not_served_in_production(fleet: Fleet, vera: Any, browser_client: Any) -> None:
    assert browser_client(vera).get("/parts/").status_code == 404


def test_the_sign_in_page_is_dressed(client: Client, db: None) -> None:
    page = text_of(client.get("/accounts/login/"))

    assert "/static/css/tokens.css" in page
    assert '<label for="id_login">Name</label>' in page


def test_an_unknown_address_is_answered_to_nobody_in_particular(client: Client, db: None) -> None:
    response = client.get("/nothing-here")

    assert response.status_code == 404
    assert "There is no such thing here." in text_of(response)


def test_the_page_of_a_fault_needs_no_request_and_no_database() -> None:
    assert "Something went wrong on our side." in render_to_string("500.html")


def test_a_page_carries_the_policy_that_forbids_inline_code(fleet: Fleet, vera: Any, browser_client: Any) -> None:
    response = browser_client(vera).get("/")

    assert "script-src 'self'" in response["Content-Security-Policy"]
    assert "unsafe-inline" not in response["Content-Security-Policy"]


def test_times_are_exact_on_hover_and_for_machines(frozen: None, fleet: Fleet, vera: Any, browser_client: Any) -> None:
    page = text_of(browser_client(vera).get("/hosts/83a0cc71"))

    assert f'<time datetime="{timezone.now().isoformat()}" title="2026-10-31 10:00:00 UTC">just now</time>' in page
