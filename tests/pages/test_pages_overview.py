"""The overview and what waits for one person, as they are read."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from fake_agent import Fleet

from apps.fleet.models import Agent, Host
from apps.forced_actions.services import Wish, request_forced_action
from apps.zones.models import Placement, Zone

MOST_QUERIES = 15


def text_of(response: Any) -> str:
    return " ".join(response.content.decode().split())


def test_the_overview_says_in_one_sentence_what_needs_a_person(fleet: Fleet, vera: Any, browser_client: Any) -> None:
    page = text_of(browser_client(vera).get("/"))

    assert "<h1>1 zone needs a person, 1 of 3 hosts is silent.</h1>" in page
    assert "global1 wants it, but its host data names global2 as owner (installed)." in page
    assert "not heard for 41 min" in page


def test_a_map_mark_says_its_word_and_not_only_a_colour(fleet: Fleet, vera: Any, browser_client: Any) -> None:
    page = text_of(browser_client(vera).get("/"))

    assert 'role="img" aria-label="held elsewhere"' in page
    assert 'role="img" aria-label="running here"' in page


def test_nobody_signed_in_is_sent_to_sign_in(client: Client, db: None) -> None:
    response = client.get("/")

    assert response.status_code == 302
    assert response["Location"] == "/accounts/login/?next=/"


def test_an_account_without_a_role_sees_a_refusal_and_nothing_of_the_fleet(
    fleet: Fleet, ivo: Any, browser_client: Any
) -> None:
    response = browser_client(ivo).get("/")

    assert response.status_code == 403
    assert "You may not do this" in text_of(response)
    assert "global" not in text_of(response)


def test_an_empty_site_says_what_to_do_first(db: None, vera: Any, browser_client: Any) -> None:
    page = text_of(browser_client(vera).get("/"))

    assert "No host is known yet." in page
    assert "Enrol a host, under Agents" in page
    assert "has never signed: orders wait" in page


def test_what_waits_for_an_approver_is_on_the_overview_and_their_own_page(
    fleet: Fleet, olga: Any, adam: Any, ada: Any, browser_client: Any
) -> None:
    conflict = fleet.conflict()
    wish = Wish(
        kind="force-takeover",
        reason="global2 lost its power supply at 02:10 and stays away.",
        typed_zone_name="kzone1",
        typed_loser_hostid="848611d4",
    )
    action = request_forced_action(wish, actor=olga, conflict_id=conflict.pk)
    type(action).objects.filter(pk=action.pk).update(state="pending")

    overview, mine = browser_client(adam).get("/"), browser_client(adam).get("/for-me")
    asked = browser_client(olga).get("/for-me")

    assert "1 request waits for you" in text_of(overview)
    assert "1 request waits for your decision" in text_of(mine)
    assert f"/forced-actions/{action.pk}" in text_of(mine)
    assert "lost its power supply" in text_of(mine)
    assert "Nothing waits for your decision." in text_of(asked)
    assert "Force takeover of kzone1 to global1" in text_of(asked)


def test_queries_of_the_overview_do_not_grow_with_the_fleet(
    fleet: Fleet, make_person: Any, browser_client: Any
) -> None:
    client = browser_client(make_person("otto", "operator", "approver"))
    few = _queries(client)
    _grow(1000)
    many = _queries(client)

    assert few == many
    assert many <= MOST_QUERIES


def _queries(client: Client) -> int:
    with CaptureQueriesContext(connection) as seen:
        assert client.get("/").status_code == 200
    return len(seen)


def _grow(count: int) -> None:
    now, agent = timezone.now(), Agent.objects.get()
    hosts = [Host(owner_hostid=f"{number:08x}", site="x", agent=agent, last_heard_at=now) for number in range(count)]
    Host.objects.bulk_create(hosts)
    zones = [Zone(name=f"z{host.owner_hostid}", verdict="ours", owner_hostid=host.owner_hostid) for host in hosts]
    Zone.objects.bulk_create(zones)
    times = dict.fromkeys(("first_seen_at", "last_seen_at", "state_since"), now)
    Placement.objects.bulk_create(
        [
            Placement(zone=zone, host=host, name=zone.name, state="running", **times)
            for zone, host in zip(zones, hosts, strict=True)
        ]
    )


@pytest.mark.parametrize("path", ["/", "/for-me", "/hosts", "/zones", "/hosts/83a0cc71"])
def test_a_live_part_is_answered_with_304_until_something_changes(
    frozen: None, fleet: Fleet, olga: Any, browser_client: Any, path: str
) -> None:
    client = browser_client(olga)
    first = client.get(path, headers={"HX-Request": "true"})
    same = client.get(path, headers={"HX-Request": "true", "If-None-Match": first["ETag"]})
    Host.objects.create(owner_hostid="00000001", hostname="newcomer", site="east")
    Host.objects.filter(owner_hostid="83a0cc71").update(release="11.4.99")
    Zone.objects.create(name="newzone")
    changed = client.get(path, headers={"HX-Request": "true", "If-None-Match": first["ETag"]})

    assert b"<html" not in first.content
    assert (same.status_code, same.content) == (304, b"")
    assert changed.status_code == (304 if path == "/for-me" else 200)


def test_a_whole_page_and_its_live_part_are_kept_apart_by_caches(fleet: Fleet, vera: Any, browser_client: Any) -> None:
    client = browser_client(vera)

    assert b"<html" in client.get("/hosts").content
    assert "HX-Request" in client.get("/hosts")["Vary"]
    assert client.get("/hosts", headers={"HX-Request": "true"})["Cache-Control"] == "private, no-cache"
