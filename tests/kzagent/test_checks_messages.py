"""What an order must pass before it is answered at all: checks 1 to 4. What fails is dropped and touches nothing."""

from __future__ import annotations

import base64
import dataclasses
import json
import time
from uuid import uuid4

import pytest
from agent_lab import GLOBAL2, Deployment, host_data
from agent_site import Authority

from kernelzone import orders, strict
from kernelzone.orders import Kind, Order

# --- 1 to 4: messages that are not answered -------------------------------------------------------------------------


def dropped(deployment: Deployment, text: object) -> str:
    """Return the code under which `text` was dropped; nothing was reported and nothing was touched."""
    before, reports = host_data(deployment), len(deployment.site.reports)
    deployment.agent.dropped.clear()
    deployment.run(text)  # type: ignore[arg-type]
    assert host_data(deployment) == before
    assert len(deployment.site.reports) == reports
    (code,) = deployment.agent.dropped
    return code


def edited(envelope: str, **fields: object) -> str:
    """Return the envelope with fields of its payload changed, the signature as it was."""
    outer = json.loads(envelope)
    payload = json.loads(base64.b64decode(outer["payload"])) | fields
    outer["payload"] = base64.b64encode(json.dumps(payload).encode()).decode()
    return json.dumps(outer)


def raw(authority: Authority, payload: bytes, **fields: object) -> str:
    return json.dumps(json.loads(authority.sign_bytes(payload)) | fields)


BROKEN = {
    "not JSON": lambda good: "not JSON",
    "empty": lambda good: "",
    "a list": lambda good: "[]",
    "another payload type": lambda good: json.dumps(json.loads(good) | {"payloadType": "text/plain"}),
    "without signatures": lambda good: json.dumps(json.loads(good) | {"signatures": []}),
    "17 signatures": lambda good: json.dumps(json.loads(good) | {"signatures": json.loads(good)["signatures"] * 17}),
    "an unknown field": lambda good: json.dumps(json.loads(good) | {"more": 1}),
    "duplicate keys": lambda good: good[:-1] + ',"payload":""}',
    "payload is no base64": lambda good: json.dumps(json.loads(good) | {"payload": "%"}),
    "too large": lambda good: json.dumps(json.loads(good) | {"payload": "A" * 100_000}),
    "much too large": lambda good: "A" * 3_000_000,
    "nested 10 000 deep": lambda good: "[" * 10_000 + "]" * 10_000,
    "not a number": lambda good: json.dumps(json.loads(good) | {"payload": float("nan")}),
    "a lone surrogate": lambda good: '"\ud800"',
}


@pytest.mark.parametrize("breakage", BROKEN)
def test_what_is_no_envelope_is_dropped(deployment: Deployment, breakage: str) -> None:
    good = deployment.authority.sign(deployment.order(Kind.INSPECT))

    assert dropped(deployment, BROKEN[breakage](good)) == "FORMAT"

    deployment.run(good)
    assert len(deployment.site.reports) == 1


@pytest.mark.parametrize("content", [None, 7, b"bytes", ["list"], {"envelope": "x"}])
def test_what_is_no_text_is_dropped(deployment: Deployment, content: object) -> None:
    assert dropped(deployment, content) == "FORMAT"


@pytest.mark.parametrize(
    "field",
    [
        {"owner_hostid": GLOBAL2},
        {"not_after": int(time.time()) + 900},
        {"kind": "halt"},
        {"zone": {"name": "kzone2", "uuid": None}},
    ],
    ids=lambda field: next(iter(field)),
)
def test_an_order_edited_in_the_broker_is_dropped(deployment: Deployment, field: dict[str, object]) -> None:
    order = deployment.takeover()

    assert dropped(deployment, edited(deployment.authority.sign(order), **field)) == "SIGNATURE"

    deployment.run(order)
    assert deployment.result(order) == ("done", "DONE")


def test_an_order_of_another_authority_is_dropped(deployment: Deployment) -> None:
    assert dropped(deployment, Authority().sign(deployment.order(Kind.INSPECT))) == "SIGNATURE"


def test_the_right_key_id_with_a_broken_signature_is_dropped(deployment: Deployment) -> None:
    outer = json.loads(deployment.authority.sign(deployment.order(Kind.INSPECT)))
    outer["signatures"][0]["sig"] = base64.b64encode(bytes(64)).decode()

    assert dropped(deployment, json.dumps(outer)) == "SIGNATURE"


def payload_of(order: Order, **fields: object) -> bytes:
    return strict.canonical(strict.write(order) | fields)


SENSELESS = {
    "unknown field": {"shell": "rm"},
    "wrong type": {"not_after": "tomorrow"},
    "unknown kind": {"kind": "uninstall"},
    "unknown argument": {"args": {"force": True}},
    "another version": {"v": 2},
    "the global zone": {"zone": {"name": "global", "uuid": None}},
    "a name that is an option": {"zone": {"name": "-F", "uuid": None}},
    "a name with a command": {"zone": {"name": "kz;reboot", "uuid": None}},
    "a hostid of zero": {"owner_hostid": "00000000"},
    "ends before it begins": {"not_after": 1},
    "valid for too long": {"not_after": int(time.time()) + 90_000},
}


@pytest.mark.parametrize("what", SENSELESS)
def test_a_signed_order_with_other_fields_is_dropped(deployment: Deployment, what: str) -> None:
    order = deployment.order(Kind.BOOT, "kzone2")
    payload = payload_of(order, **SENSELESS[what])

    assert dropped(deployment, deployment.authority.sign_bytes(payload)) == "FIELD"


def test_a_payload_with_duplicate_keys_is_dropped(deployment: Deployment) -> None:
    payload = orders.write_order(deployment.order(Kind.INSPECT))

    assert dropped(deployment, deployment.authority.sign_bytes(payload[:-1] + b',"v":1}')) == "FIELD"


@pytest.mark.parametrize("attempt", [-1, 3])
def test_an_attempt_that_is_never_made_is_dropped(deployment: Deployment, attempt: int) -> None:
    order = deployment.takeover()
    fields = strict.write(order)
    fields["warrant"]["attempt"] = attempt

    assert dropped(deployment, deployment.authority.sign_bytes(strict.canonical(fields))) == "FIELD"


def test_a_warrant_on_a_reading_order_is_dropped_and_so_is_a_forced_order_without_one(deployment: Deployment) -> None:
    order = deployment.takeover()
    unforced = payload_of(order, kind="inspect", args={})
    unwarranted = payload_of(order, warrant=None)

    assert dropped(deployment, deployment.authority.sign_bytes(unforced)) == "FIELD"
    assert dropped(deployment, deployment.authority.sign_bytes(unwarranted)) == "FIELD"


def test_a_report_that_is_signed_as_an_order_is_dropped(deployment: Deployment) -> None:
    report = orders.write_report(deployment.inspected())

    assert dropped(deployment, deployment.authority.sign_bytes(report, orders.REPORT_TYPE)) == "FORMAT"
    assert dropped(deployment, deployment.authority.sign_bytes(report)) == "FIELD"


@pytest.mark.parametrize("field", ["deployment", "agent", "owner_hostid"])
def test_an_order_for_somebody_else_is_dropped(deployment: Deployment, field: str) -> None:
    other = "12345678" if field == "owner_hostid" else uuid4()
    order = deployment.order(Kind.INSPECT)

    assert dropped(deployment, deployment.authority.sign(dataclasses.replace(order, **{field: other}))) == "AUDIENCE"

    deployment.run(order)
    assert deployment.result(order) == ("done", "DONE")


@pytest.mark.parametrize("flag", ["cut-off", "dead"])
def test_an_order_for_a_host_out_of_reach_is_left_unanswered_and_may_come_again(
    deployment: Deployment, flag: str
) -> None:
    order = deployment.order(Kind.INSPECT)
    deployment.fleet.global1.set_flag(flag)

    assert dropped(deployment, deployment.authority.sign(order)) == "SILENT"

    deployment.fleet.global1.set_flag("up")
    deployment.run(order)
    assert deployment.result(order) == ("done", "DONE")
