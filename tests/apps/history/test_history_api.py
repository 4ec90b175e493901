"""Events for programs, and refusals on pages."""

from __future__ import annotations

import hashlib

import pytest
from django.db import transaction
from django.http import HttpResponse
from django.test import RequestFactory

from apps.accounts import second_factor
from apps.base.errors import Fault, NotFound
from apps.history.actors import SYSTEM
from apps.history.models import Event
from apps.history.refusals import refusals_are_answered
from apps.history.services import append


@pytest.fixture
def seven_events(db):
    with transaction.atomic():
        for number in range(7):
            kind = "zone" if number % 2 else "host"
            append(f"{kind}.seen", actor=SYSTEM, subjects=[(kind, "1")], data={"number": number})


@pytest.mark.django_db
def test_events_are_caught_up_by_their_numbers(seven_events, vera, client_of):
    client, after, seen = client_of(vera), 0, []
    while True:
        page = client.get(f"/api/v1/events?after={after}&page_size=3").json()
        seen += [event["seq"] for event in page["results"]]
        after = page["after"]
        if not page["more"]:
            break
    assert seen == list(range(1, Event.objects.count() + 1))
    assert client.get(f"/api/v1/events?after={after}").json() == {"results": [], "after": after, "more": False}


@pytest.mark.django_db
def test_an_event_shows_the_exact_bytes_its_leaf_is_the_hash_of(seven_events, vera, client_of):
    event = client_of(vera).get("/api/v1/events/3").json()
    assert hashlib.sha256(b"\0" + event["body"].encode()).hexdigest() == event["leaf_sha256"]
    assert event["record"]["n"] == event["seq"] == 3


@pytest.mark.django_db
def test_events_are_found_by_type_and_by_object(seven_events, vera, client_of):
    client = client_of(vera)
    assert [e["seq"] for e in client.get("/api/v1/events?type=zone.seen").json()["results"]] == [2, 4, 6]
    assert [e["seq"] for e in client.get("/api/v1/events?subject=host:1&after=1").json()["results"]] == [3, 5, 7]
    assert client.get("/api/v1/events?subject=host:2").json()["results"] == []


@pytest.mark.django_db
@pytest.mark.parametrize("pk", ["0", "99", "x", "1" * 30, "²"])
def test_an_event_that_is_not_there_is_not_found(seven_events, vera, client_of, pk):
    assert client_of(vera).get(f"/api/v1/events/{pk}").status_code == 404


@refusals_are_answered("zone", subject="zone_id")
def refusing(request, zone_id):
    raise NotFound(message="there is no zone <b>here</b>")


@refusals_are_answered("zone")
def failing(request):
    raise Fault


@refusals_are_answered("forced-action")
def guessing(request):
    with second_factor.guessing(request.user):
        second_factor.verify_totp(request.user, "000000")
    return HttpResponse()


def page(view, user, method="post", **kwargs):
    request = getattr(RequestFactory(), method)("/")
    request.user = user
    return view(request, **kwargs)


@pytest.mark.django_db
def test_a_page_shows_a_refusal_escaped_and_the_history_keeps_it(olga):
    response = page(refusing, olga, zone_id="\x1b7")
    assert response.status_code == 404
    assert b"There is no zone &lt;b&gt;here" in response.content
    record = Event.objects.last().record
    assert (record["type"], record["data"]) == ("zone.refused", {"code": "not_found", "action": "refusing"})
    assert record["subject"] == {"kind": "zone", "id": "?7"}


@pytest.mark.django_db
def test_a_page_that_was_only_read_leaves_no_event(olga):
    before = Event.objects.count()
    assert page(refusing, olga, "get", zone_id="7").status_code == 404
    assert Event.objects.count() == before


@pytest.mark.django_db
def test_a_page_answers_a_fault_with_when_to_try_again(olga):
    response = page(failing, olga)
    assert (response.status_code, response["Retry-After"]) == (503, "5")


@pytest.mark.django_db
def test_a_wrong_code_on_a_page_is_counted(adam):
    assert page(guessing, adam).status_code == 403
    assert adam.second_factor_guard.wrong_guesses == 1
    assert Event.objects.last().record["data"]["code"] == "second_factor_wrong"
