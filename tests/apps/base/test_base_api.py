"""The frame of the API: one shape of error, strict bodies and parameters, and refusals in the history."""

from __future__ import annotations

import json

import pytest
from django.db import OperationalError
from django.test import RequestFactory
from rest_framework.request import Request
from rest_framework.test import APIClient

from apps.accounts.models import ApiToken
from apps.base.api import etag, is_unchanged, refuse_other_version, version_wanted
from apps.base.errors import DomainError, VersionMismatch, VersionNeeded
from apps.history.models import Event

TOKENS = "/api/v1/tokens"


def problem(response) -> tuple[int, str]:
    """Return status and code, once the body was found to be a whole problem document."""
    body = response.json()
    assert response["Content-Type"] == "application/problem+json"
    assert body["status"] == response.status_code
    assert body["type"] == f"urn:kzfleet:error:{body['code']}"
    assert body["title"]
    assert body["detail"]
    assert body["request_id"] == response["X-Request-Id"]
    return response.status_code, body["code"]


@pytest.mark.django_db
def test_nobody_is_told_to_sign_in(db):
    response = APIClient().get("/api/v1/events")
    assert problem(response) == (401, "sign_in_needed")
    assert response["WWW-Authenticate"].startswith("Bearer")


@pytest.mark.django_db
@pytest.mark.parametrize("header", ["Bearer kzf_wrong", "Bearer", "Bearer a b", "bearer \xff"])
def test_a_token_that_opens_nothing_is_refused_and_leaves_no_event(header):
    response = APIClient(headers={"Authorization": header}).post(TOKENS, {"name": "x"})
    assert problem(response) == (401, "sign_in_needed")
    assert not Event.objects.exists()


@pytest.mark.django_db
def test_an_account_without_a_role_may_nothing_and_its_try_is_kept(ivo, client_of):
    response = client_of(ivo).post(TOKENS, {"name": "x"})
    assert problem(response) == (403, "not_allowed")
    event = Event.objects.last()
    assert event.type == "token.refused"
    assert event.record["actor"]["name"] == "ivo"
    assert event.record["data"] == {"code": "not_allowed", "action": "create"}


@pytest.mark.django_db
def test_a_refused_read_is_answered_and_not_kept(ivo, client_of):
    client = client_of(ivo)
    before = Event.objects.count()
    assert problem(client.get("/api/v1/events")) == (403, "not_allowed")
    assert Event.objects.count() == before


@pytest.mark.django_db
@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b'{"name":"a","name":"b"}',
        b'{"name":NaN}',
        b'{"days":1.5,"name":"x"}',
        b'{"days":' + b"9" * 30 + b',"name":"x"}',
        b"[" * 10_000,
        b'{"name":' + b"[" * 21 + b"]" * 21 + b"}",
        b'{"name":"' + b"x" * (1024 * 1024) + b'"}',
        b'{"name":"\xff"}',
        b"[]",
        b'"text"',
        b'{"name":7}',
        b'{"name":"x","days":"7"}',
        b'{"name":"x","days":true}',
        b'{"name":"x","scopes":"*"}',
        b'{"name":null}',
        b"{}",
        b"",
        b'{"name":"x","kind":"service"}',
    ],
    ids=lambda body: body[:24].decode("latin-1"),
)
def test_a_body_of_the_wrong_shape_is_400_and_changes_nothing(olga, client_of, body):
    client = client_of(olga)
    response = client.generic("POST", TOKENS, body, content_type="application/json")
    assert problem(response) == (400, "malformed_request")
    assert ApiToken.objects.count() == 1


@pytest.mark.django_db
def test_a_field_that_is_wrong_is_named(olga, client_of):
    facts = client_of(olga).post(TOKENS, {"days": 7, "nmae": "x"}).json()["facts"]
    assert facts == {"fields": {"nmae": ["is not known here"]}}
    assert set(client_of(olga).post(TOKENS, {"days": 7}).json()["facts"]["fields"]) == {"name"}


@pytest.mark.django_db
@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"])
def test_a_body_that_is_not_declared_json_is_415(olga, client_of, kind):
    response = client_of(olga).generic("POST", TOKENS, b'{"name":"x"}', content_type=kind)
    assert problem(response) == (415, "unsupported_media_type")


@pytest.mark.django_db
def test_a_rule_that_refuses_a_value_is_422_with_its_own_code(olga, client_of):
    response = client_of(olga).post(TOKENS, {"name": "x", "days": 366})
    assert problem(response) == (422, "token_life")
    assert response.json()["facts"] == {"field": "days"}
    assert Event.objects.last().record["data"]["code"] == "token_life"


@pytest.mark.django_db
def test_no_such_address_verb_or_form_is_a_problem_document_too(olga, client_of):
    client = client_of(olga)
    assert problem(client.get("/api/v1/nothing")) == (404, "not_found")
    assert problem(client.get("/api/v1/events/")) == (404, "not_found")
    assert problem(client.put("/api/v1/events", {})) == (405, "method_not_allowed")
    assert problem(client.get("/api/v1/events", headers={"Accept": "text/csv"})) == (406, "not_acceptable")
    assert problem(client.post(TOKENS, {}, headers={"X-HTTP-Method-Override": "DELETE"}))[0] == 400


@pytest.mark.django_db
@pytest.mark.parametrize(
    "query",
    [
        "_connector=OR",
        "__=1",
        "filter[x]=1",
        "after=1&after=2",
        "after=-1",
        "after=x",
        "after=1e3",
        "after=%00",
        "page_size=0",
        "page_size=1000000000",
        "page_size=-1",
        "subject=host",
        "order_by=--",
    ],
)
def test_a_parameter_that_is_not_known_or_not_of_its_form_is_400(olga, client_of, query):
    assert problem(client_of(olga).get(f"/api/v1/events?{query}")) == (400, "filter")


@pytest.mark.django_db
@pytest.mark.parametrize(
    "query",
    ["cursor=x", "cursor=cD0=", "cursor=cD03", "page_size=201", "offset=3"],
)
def test_a_cursor_that_was_not_given_out_is_400(olga, client_of, query):
    response = client_of(olga).get(f"{TOKENS}?{query}")
    assert problem(response) == (400, "filter")


@pytest.mark.django_db
def test_a_list_is_walked_by_its_cursors_without_a_repetition(olga, client_of):
    client = client_of(olga)
    made = {client.post(TOKENS, {"name": f"token {number}"}).json()["id"] for number in range(5)}
    url, found = f"{TOKENS}?page_size=2", []
    while url:
        page = client.get(url).json()
        assert len(page["results"]) <= 2
        found += [token["id"] for token in page["results"]]
        url = page["next"]
    assert len(found) == len(set(found)) == 6
    assert made < set(found)


@pytest.mark.django_db
def test_a_session_needs_the_csrf_token_to_change_anything(olga):
    browser = APIClient(enforce_csrf_checks=True)
    browser.force_login(olga, backend="allauth.account.auth_backends.AuthenticationBackend")
    assert browser.get("/api/v1/events").status_code == 200
    assert problem(browser.post(TOKENS, {"name": "x"})) == (403, "not_allowed")
    assert not ApiToken.objects.exists()


@pytest.mark.django_db
def test_a_fault_is_503_and_says_when_to_try_again(olga, client_of, monkeypatch):
    def fail(*_, **__):
        raise OperationalError("canceling statement due to lock timeout")

    monkeypatch.setattr("apps.accounts.api.create_token", fail)
    response = client_of(olga).post(TOKENS, {"name": "x"})
    assert problem(response) == (503, "fault")
    assert response["Retry-After"] == "5"
    assert "lock timeout" not in response.content.decode()


def request_with(**headers: str) -> Request:
    return Request(RequestFactory().get("/", headers={name.replace("_", "-"): v for name, v in headers.items()}))


def test_if_match_names_one_strong_version():
    assert etag(7) == '"7"'
    assert version_wanted(request_with(If_Match='"7"'), needed=True) == 7
    assert version_wanted(request_with(), needed=False) is None
    with pytest.raises(VersionNeeded):
        version_wanted(request_with(), needed=True)
    for header in ('W/"7"', "7", "*", '"7", "8"', '"x"', '"-1"', '""'):
        with pytest.raises(VersionMismatch):
            version_wanted(request_with(If_Match=header), needed=False)
    refuse_other_version(7, 7)
    refuse_other_version(None, 7)
    with pytest.raises(VersionMismatch):
        refuse_other_version(6, 7)
    assert is_unchanged(request_with(If_None_Match='"6", W/"7"'), 7)
    assert not is_unchanged(request_with(If_None_Match='"6"'), 7)


def test_a_refusal_says_its_own_words_or_those_of_its_class():
    class Refused(DomainError):
        code = "of_a_test"
        message = "no"
        hint = "Go away."

    assert (Refused().message, Refused().hint, Refused().facts) == ("no", "Go away.", {})
    refusal = Refused(message="not now", since="noon")
    assert (refusal.message, refusal.hint, refusal.facts) == ("not now", "Go away.", {"since": "noon"})
    json.dumps(refusal.facts)
    del Refused
