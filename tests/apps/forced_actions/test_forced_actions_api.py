"""The story through REST with personal tokens, and what the API answers to bad input."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from apps.accounts.services import grant_role
from apps.forced_actions.services import cancel_forced_action, request_forced_action
from apps.history.models import Event

URL = "/api/v1/forced-actions"
REASON = "global2 lost its power supply at 02:10 and does not come back before noon."


@pytest.fixture
def body(fleet: Any, adam: Any, ada: Any) -> dict[str, str]:
    """What a program sends to take kzone1 over."""
    return {
        "kind": "force-takeover",
        "conflict": str(fleet.begin().pk),
        "reason": REASON,
        "typed_zone_name": "kzone1",
        "typed_loser_hostid": "848611d4",
    }


def test_the_story_through_rest(
    fleet: Any, body: Any, client_of: Any, totp_code: Any, silence_is_over: Any, request: Any
) -> None:
    olga, adam, ada = (request.getfixturevalue(name) for name in ("olga", "adam", "ada"))
    made = client_of(olga).post(URL, body)
    assert (made.status_code, made["ETag"]) == (201, '"2"')
    url = made["Location"]
    silence_is_over()
    for person in (adam, ada):
        client = client_of(person)
        shown = client.get(url).json()
        assert shown["command"] == "zoneadm -z kzone1 attach -x force-takeover"
        decision = {"verdict": "approve", "digest": shown["evidence_sha256"], "second_factor": totp_code(person)}
        answer = client.post(f"{url}/decisions", decision, headers={"If-Match": f'"{shown["version"]}"'})
        assert answer.status_code == 200, answer.json()
    assert answer.json()["state"] == "releasing"
    silence_is_over()
    fleet.turn(3)
    ended = client_of(olga).get(url).json()
    assert (ended["state"], ended["approvals"], ended["job"]["state"]) == ("done", 2, "done")
    assert [decision["by"] for decision in ended["decisions"]] == ["adam", "ada"]
    assert ended["warrant"]["payload_sha256"] == fleet.kzone1.warrant_sha256
    assert ended["release_sheet"]["facts_sha256"] == ended["evidence_sha256"]


def test_one_s_own_request_is_refused_and_that_is_in_the_history(pending: Any, olga: Any, client_of: Any) -> None:
    grant_role(olga, "approver")
    olga = type(olga).objects.get(pk=olga.pk)
    answer = client_of(olga).post(
        f"{URL}/{pending.pk}/decisions", {"verdict": "approve", "digest": pending.evidence_sha256}
    )
    assert (answer.status_code, answer.json()["code"]) == (403, "self_approval")
    pending.refresh_from_db()
    assert (pending.state, pending.approvals.count()) == ("pending", 0)
    assert Event.objects.latest("seq").type == "forced-action.refused"


def test_an_old_digest_is_refused_with_the_difference(fleet: Any, pending: Any, adam: Any, client_of: Any) -> None:
    fleet.kzone1.change()
    fleet.say_states()
    fleet.reconcile()
    decision = {"verdict": "approve", "digest": f"sha256:{pending.evidence_sha256}", "second_factor": "123456"}
    answer = client_of(adam).post(f"{URL}/{pending.pk}/decisions", decision)
    assert (answer.status_code, answer.json()["code"]) == (409, "evidence_changed")
    assert answer.json()["facts"]["state"] == "voided"
    assert any(change["what"].endswith("generation") for change in answer.json()["facts"]["difference"])


def test_a_service_token_never_approves_and_may_deny(pending: Any, adam: Any, client_of: Any) -> None:
    client = client_of(adam, kind="service")
    url = f"{URL}/{pending.pk}/decisions"
    decision = {"verdict": "approve", "digest": pending.evidence_sha256, "second_factor": "123456"}
    answer = client.post(url, decision)
    assert (answer.status_code, answer.json()["code"]) == (403, "token_scope")
    answer = client.post(url, {"verdict": "deny", "reason": "The ticket was closed."})
    assert (answer.status_code, answer.json()["state"]) == (200, "denied")


@pytest.mark.parametrize(
    ("edit", "status", "code"),
    [
        ({"reason": "short"}, 422, "reason_short"),
        ({"reason": 7}, 400, "malformed_request"),
        ({"extra": "x"}, 400, "malformed_request"),
        ({"conflict": "{x}"}, 422, "uuid"),
        ({"conflict": str(uuid4())}, 404, "not_found"),
        ({"conflict": "", "zone": str(uuid4())}, 409, "conflict_needed"),
        ({"typed_zone_name": "kzone"}, 422, "typed_zone_name"),
        ({"typed_loser_hostid": "0x848611D4"}, 422, "hostid"),
        ({"kind": "accept-rollback"}, 422, "forced_action_kind"),
    ],
)
def test_a_bad_request_is_answered_with_its_code(
    body: Any, olga: Any, client_of: Any, edit: dict[str, object], status: int, code: str
) -> None:
    answer = client_of(olga).post(URL, body | edit)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert client_of(olga).get(URL).json()["results"] == []


@pytest.mark.parametrize(
    ("decision", "status", "code"),
    [
        ({"verdict": "approve"}, 422, "digest_missing"),
        ({"verdict": "perhaps"}, 422, "verdict"),
        ({}, 400, "malformed_request"),
        ({"verdict": "approve", "digest": "f" * 64}, 409, "evidence_changed"),
        ({"verdict": "deny"}, 422, "reason_empty"),
    ],
)
def test_a_bad_decision_is_answered_with_its_code(
    pending: Any, adam: Any, client_of: Any, decision: Any, status: int, code: str
) -> None:
    answer = client_of(adam).post(f"{URL}/{pending.pk}/decisions", decision)
    assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_an_old_version_is_refused_and_an_equal_one_is_not_sent_again(
    pending: Any, olga: Any, ada: Any, client_of: Any
) -> None:
    url = f"{URL}/{pending.pk}"
    answer = client_of(olga).post(f"{url}/cancel", headers={"If-Match": '"1"'})
    assert (answer.status_code, answer.json()["code"]) == (412, "version_mismatch")
    assert client_of(ada).get(url, headers={"If-None-Match": f'"{pending.version}"'}).status_code == 304
    answer = client_of(olga).post(f"{url}/cancel", headers={"If-Match": f'"{pending.version}"'})
    assert (answer.status_code, answer.json()["state"]) == (200, "cancelled")


def test_the_list_is_filtered_and_its_queries_do_not_grow(
    fleet: Any, observing: Any, olga: Any, wish: Any, client_of: Any, django_assert_max_num_queries: Any
) -> None:
    for _ in range(4):
        cancel_forced_action(observing.pk, actor=olga)
        observing = request_forced_action(wish(), actor=olga, zone_id=observing.zone_id)
    client = client_of(olga)
    with django_assert_max_num_queries(10):
        assert len(client.get(URL).json()["results"]) == 5
    assert len(client.get(f"{URL}?state=cancelled").json()["results"]) == 4
    assert client.get(f"{URL}?zone={uuid4()}").json()["results"] == []
    assert client.get(f"{URL}?state=odd").json()["code"] == "filter"
    assert client.get(f"{URL}?colour=red").json()["code"] == "filter"


def test_it_is_absent_for_who_may_not_see_it(pending: Any, ivo: Any, vera: Any, client_of: Any) -> None:
    assert client_of(ivo).get(f"{URL}/{pending.pk}").status_code == 403
    assert client_of(vera).get(f"{URL}/{pending.pk}").status_code == 200
    assert client_of(vera).get(f"{URL}/{uuid4()}").status_code == 404
    assert client_of(vera).get(f"{URL}/nonsense").status_code == 404


def test_a_comment_is_answered_and_shown(pending: Any, vera: Any, client_of: Any) -> None:
    client = client_of(vera)
    assert client.post(f"{URL}/{pending.pk}/comments", {"text": "I am at the rack."}).status_code == 201
    assert client.post(f"{URL}/{pending.pk}/comments", {"text": ""}).json()["code"] == "comment_empty"
    assert client.get(f"{URL}/{pending.pk}").json()["comments"][0]["text"] == "I am at the rack."
