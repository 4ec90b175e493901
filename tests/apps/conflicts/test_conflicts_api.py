"""Conflicts through the API."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from apps.history.models import Event

URL = "/api/v1/conflicts"


@pytest.fixture
def conflict(fleet: Any) -> Any:
    """kzone1 is held by global2, which is dead."""
    return fleet.begin()


def test_a_conflict_is_shown_with_message_doors_and_sheets(
    fleet: Any, conflict: Any, olga: Any, client_of: Any, silence_is_over: Any
) -> None:
    client = client_of(olga)
    made = client.post(f"{URL}/{conflict.pk}/evidence", {"window_s": 5})
    assert (made.status_code, made.json()["state"]) == (202, "gathering")
    silence_is_over()
    shown = client.get(f"{URL}/{conflict.pk}").json()
    assert (shown["kind"], shown["severity"], shown["zone"]["name"]) == ("held-elsewhere", "high", "kzone1")
    assert "zone kzone1 is in use by host with  hostid 848611d4" in shown["message"]
    assert [door["door"] for door in shown["doors"]][-2:] == ["force-takeover", "initialize-hostdata"]
    assert shown["doors"][-2]["state"] == "open"
    assert [row["word"] for row in shown["sheets"][0]["rows"]] == ["says-nothing", "says-nothing", "suggests-off"]


def test_hosts_are_called_by_their_names(fleet: Any, vera: Any, client_of: Any) -> None:
    fleet.global1.put(fleet.kzone1, "configured")
    fleet.say_states()
    client = client_of(vera)

    [listed] = client.get(f"{URL}?kind=stale-configuration").json()["results"]

    assert listed["sentence"] == "global1 still configures it, though global2 owns it."
    assert client.get(f"{URL}/{listed['id']}").json()["sentence"] == listed["sentence"]


def test_the_list_is_filtered(fleet: Any, conflict: Any, vera: Any, client_of: Any) -> None:
    client = client_of(vera)
    assert [row["id"] for row in client.get(f"{URL}?open=yes").json()["results"]] == [str(conflict.pk)]
    assert client.get(f"{URL}?open=no").json()["results"] == []
    assert client.get(f"{URL}?kind=torn").json()["results"] == []
    assert client.get(f"{URL}?zone={uuid4()}").json()["results"] == []
    for bad in ("open=perhaps", "kind=odd", "page_size=0", "colour=red"):
        assert client.get(f"{URL}?{bad}").status_code == 400


def test_acknowledging_is_kept_with_the_first_who_did_it(conflict: Any, olga: Any, vera: Any, client_of: Any) -> None:
    url = f"{URL}/{conflict.pk}/acknowledge"
    assert client_of(vera).post(url).status_code == 403
    assert client_of(olga).post(url).json()["acknowledged_by"] == "olga"
    assert client_of(olga).post(url).status_code == 200
    assert Event.objects.filter(type="conflict.acknowledge").count() == 1


def test_a_word_is_given_by_a_person_and_never_by_a_service(conflict: Any, ada: Any, client_of: Any) -> None:
    url = f"{URL}/{conflict.pk}/words"
    body = {"text": "I pulled the plug.", "how": "I stand in front of the rack."}
    assert client_of(ada, kind="service").post(url, body).json()["code"] == "token_scope"
    assert client_of(ada).post(url, body).status_code == 201
    assert client_of(ada).post(url, {"text": "", "how": "x"}).json()["code"] == "word_empty"
    assert client_of(ada).post(url, {"text": "x\u202ey", "how": "x"}).json()["code"] == "word_control"


def test_doors_and_waivers(fleet: Any, olga: Any, client_of: Any) -> None:
    fleet.say_states()
    conflict = fleet.conflict()
    client = client_of(olga)
    taken = client.post(f"{URL}/{conflict.pk}/doors", {"door": "detach-and-attach"})
    assert (taken.status_code, taken.json()["state"]) == (202, "new")
    assert taken["Location"] == f"/api/v1/jobs/{taken.json()['job']}"
    waived = client.post(
        f"{URL}/{conflict.pk}/waivers", {"door": "repair-record", "reason": "There is nothing to repair."}
    )
    assert waived.status_code == 201
    refused = client.post(f"{URL}/{conflict.pk}/doors", {"door": "force-takeover"})
    assert (refused.status_code, refused.json()["code"]) == (409, "forced_door")


def test_absent_and_invisible_are_alike(conflict: Any, ivo: Any, vera: Any, client_of: Any) -> None:
    assert client_of(vera).get(f"{URL}/{uuid4()}").status_code == 404
    assert client_of(vera).get(f"{URL}/x").status_code == 404
    assert client_of(ivo).get(f"{URL}/{conflict.pk}").status_code == 403
