"""What agents post: what is taken, what is refused whole, and what the answer says."""

from __future__ import annotations

import gzip
import tracemalloc

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.utils import timezone
from signing_agent import inspection, post_batch

from apps.fleet.agents import revoke_agent
from apps.history.models import Event
from apps.jobs.models import ReportEnvelope, SignedBeacon

pytestmark = pytest.mark.django_db


def _stored() -> int:
    return ReportEnvelope.objects.count()


def test_a_batch_is_stored_once_and_answered_with_how_far_it_is_held(client, signing_agent):
    batch = [signing_agent.report(), signing_agent.report()]
    first = signing_agent.post(client, *batch)
    again = signing_agent.post(client, *batch)

    assert first.status_code == 202
    held = {"epoch": "a" * 32, "seq": 2, "missing": [], "wanted": []}
    assert first.json() == {**held, "beacon": None, "obligations": None, "authority": []}
    assert again.json()["seq"] == 2
    assert _stored() == 2


def test_an_empty_batch_tells_which_epoch_the_site_knows(client, signing_agent):
    assert signing_agent.post(client).json()["epoch"] == ""
    signing_agent.post(client, signing_agent.report())

    answer = signing_agent.post(client).json()
    assert (answer["epoch"], answer["seq"]) == ("a" * 32, 1)


def test_what_is_missing_is_asked_for_and_the_gap_closes(client, signing_agent):
    first, second, third = (signing_agent.report() for _ in range(3))
    signing_agent.post(client, first)

    assert signing_agent.post(client, third).json()["missing"] == [2]
    closed = signing_agent.post(client, second).json()
    assert (closed["seq"], closed["missing"]) == (3, [])


def test_the_newest_beacon_is_handed_out(client, signing_agent):
    SignedBeacon.objects.create(envelope='{"a":1}', signed_at=timezone.now())
    assert signing_agent.post(client).json()["beacon"] == '{"a":1}'


def test_a_heartbeat_is_answered_with_the_hosts_whose_state_is_not_known(client, signing_agent, host):
    host.state_sha256 = "b" * 64
    host.save(update_fields=["state_sha256"])

    answer = signing_agent.post(client, signing_agent.heartbeat(h848611d4="b", h848611d5="c", h11111111="d"))
    assert answer.json()["wanted"] == ["848611d5"]


def test_a_state_that_follows_its_heartbeat_is_not_asked_for_again(client, signing_agent):
    state = signing_agent.report(owner_hostid="848611d5", result=inspection("848611d5"), seq=2)
    answer = signing_agent.post(client, signing_agent.heartbeat(h848611d5="c") if False else state)
    assert answer.json()["wanted"] == []


def test_one_report_of_another_key_refuses_the_whole_batch(client, signing_agent):
    good = signing_agent.report()
    signing_agent.key = Ed25519PrivateKey.generate()

    response = signing_agent.post(client, good, signing_agent.report())
    assert (response.status_code, response.json()["code"]) == (403, "report_signature")
    assert _stored() == 0


def test_a_changed_byte_is_refused(client, signing_agent):
    text = signing_agent.report()
    at = text.index('"payload":"') + 40
    response = signing_agent.post(client, text[:at] + ("A" if text[at] != "A" else "B") + text[at + 1 :])

    assert response.status_code in (400, 403)
    assert response.json()["code"] in ("report_signature", "report_format")
    assert _stored() == 0


def test_an_agent_that_was_revoked_is_not_heard(client, signing_agent):
    revoke_agent(signing_agent.uuid)
    response = signing_agent.post(client, signing_agent.report())
    assert (response.status_code, response.json()["code"]) == (403, "report_agent")
    assert _stored() == 0


def test_a_new_epoch_is_an_event_and_the_old_one_is_taken_in_no_more(client, signing_agent):
    signing_agent.post(client, signing_agent.report())
    old = signing_agent.report()
    signing_agent.epoch = "b" * 32
    answer = signing_agent.post(client, signing_agent.report(seq=1, monotonic_ms=3000)).json()
    late = signing_agent.post(client, old).json()

    assert (answer["epoch"], answer["seq"]) == ("b" * 32, 1)
    assert (late["epoch"], late["seq"]) == ("a" * 32, 1)
    assert _stored() == 2
    assert Event.objects.filter(type="agent.new-epoch").count() == 1


@pytest.mark.parametrize(
    ("fields", "status", "code"),
    [
        ({"agent": "x", "reports": []}, 400, "report_format"),
        ({"agent": 7, "reports": []}, 400, "report_format"),
        ({"agent": "11111111-1111-4111-8111-111111111111", "reports": []}, 403, "report_agent"),
        ({"agent": "11111111-1111-4111-8111-111111111111", "reports": [], "more": 1}, 400, "report_format"),
        ({"agent": "11111111-1111-4111-8111-111111111111"}, 400, "report_format"),
        ([], 400, "report_format"),
        ({"agent": "11111111-1111-4111-8111-111111111111", "reports": ["{}"] * 201}, 413, "report_too_large"),
    ],
)
def test_a_batch_of_another_form_is_refused(client, fields, status, code):
    response = post_batch(client, fields)
    assert (response.status_code, response.json()["code"]) == (status, code)
    assert response["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize(
    "report", [7, None, "", "{}", "[" * 20_000, '{"payload":"e30=","payloadType":"x","signatures":[]}']
)
def test_a_report_that_is_no_envelope_is_refused(client, signing_agent, report):
    response = signing_agent.post(client, report)
    assert (response.status_code, response.json()["code"]) == (400, "report_format")
    assert _stored() == 0


@pytest.mark.parametrize(
    "payload", [b"{}", b"[]", b"7", b'{"epoch":"a","seq":0}', b'{"epoch":"' + b"a" * 33 + b'","seq":1}']
)
def test_a_signed_report_without_a_place_is_refused(client, signing_agent, payload):
    response = signing_agent.post(client, signing_agent.sign(payload))
    assert (response.status_code, response.json()["code"]) == (400, "report_format")


def _post_raw(client, body, **headers):
    headers = {"Content-Encoding": "gzip"} | headers
    return client.post("/api/agent/v1/reports", data=body, content_type="application/json", headers=headers)


def test_a_gzip_bomb_is_not_unpacked(client, signing_agent):
    bomb = gzip.compress(b" " * (64 * 1024 * 1024), compresslevel=9)
    tracemalloc.start()
    response = _post_raw(client, bomb)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert (response.status_code, response.json()["code"]) == (413, "report_too_large")
    assert peak < 30 * 1024 * 1024


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"not gzip", "report_format"),
        (gzip.compress(b"{}")[:-4], "report_format"),
        (gzip.compress(b"{}") + b"more", "report_format"),
        (gzip.compress(b'{"agent":"a","agent":"b","reports":[]}'), "report_format"),
        (gzip.compress(b"{"), "report_format"),
        (gzip.compress(b"\xff\xfe"), "report_format"),
        (gzip.compress(b'{"agent":NaN,"reports":[]}'), "report_format"),
        (gzip.compress(b"[" * 100_000), "report_format"),
    ],
)
def test_bytes_that_are_no_batch_are_refused(client, body, code):
    response = _post_raw(client, body)
    assert (response.status_code, response.json()["code"]) == (400, code)


def test_only_posts_of_packed_json_are_taken(client):
    assert client.get("/api/agent/v1/reports").status_code == 405
    assert _post_raw(client, b"{}", **{"Content-Encoding": "identity"}).status_code == 415
    assert client.post("/api/agent/v1/reports", data=b"{}", content_type="text/plain").status_code == 415
