"""The agent as a process: orders through a real broker, a quick stop, and nothing on the queue that can end it."""

from __future__ import annotations

import base64
import dataclasses
import json
import pickle
import signal
from collections.abc import Iterator
from functools import partial

import pytest
from agent_lab import Deployment
from agent_process import Broker, Process
from celery import Celery

from kernelzone.orders import MOST_ORDERS_A_MESSAGE, Kind, Order
from kzagent import __main__ as command
from kzagent import broker as door
from kzagent.worker import celery_app

pytestmark = pytest.mark.processes


@pytest.fixture(scope="module")
def broker() -> Iterator[Broker]:
    broker = Broker()
    yield broker
    broker.close()


@pytest.fixture
def process(deployment: Deployment, broker: Broker) -> Iterator[Process]:
    deployment.agent.journal.close()
    process = Process(deployment, broker)
    yield process
    process.end()


def runs_an_order(deployment: Deployment, broker: Broker, process: Process) -> None:
    order = deployment.order(Kind.INSPECT)
    broker.send(process.queue, deployment.authority.sign(order))
    assert deployment.site.wait_for(lambda: deployment.site.final(order.order)).code == "DONE"
    assert process.process.poll() is None


def test_an_order_goes_through_the_broker_and_its_report_comes_back(
    deployment: Deployment, broker: Broker, process: Process
) -> None:
    runs_an_order(deployment, broker, process)

    assert process.stop() < 3
    assert process.process.returncode == 0


def test_orders_that_come_together_are_done_each_by_itself(
    deployment: Deployment, broker: Broker, process: Process
) -> None:
    first, second = deployment.order(Kind.INSPECT), deployment.order(Kind.INSPECT)
    lines = [deployment.authority.sign(first), "{}", "", deployment.authority.sign(second)]

    broker.send(process.queue, "\n".join(lines))

    for order in (first, second):
        assert deployment.site.wait_for(partial(deployment.site.final, order.order)).code == "DONE"
    assert process.output.read_text().count("dropped a message") == 2


def test_more_orders_than_may_come_together_are_none(deployment: Deployment, broker: Broker, process: Process) -> None:
    envelopes = [deployment.authority.sign(deployment.order(Kind.INSPECT)) for _ in range(MOST_ORDERS_A_MESSAGE + 1)]
    broker.send(process.queue, "\n".join(envelopes))

    runs_an_order(deployment, broker, process)

    assert process.output.read_text().count("dropped a message") == 1
    assert len([report for report in deployment.site.reports.values() if report.order]) == 1


def test_an_agent_does_not_load_django_whatever_its_environment_names(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DJANGO_SETTINGS_MODULE", "kzfleet.settings")

    app = celery_app(deployment.agent)

    assert app._fixups == []
    assert Celery("another", set_as_current=False)._fixups, "Celery has another way to Django now"


def message(**changes: object) -> dict[str, object]:
    """Return a task message as kombu writes it, with parts of it replaced."""
    body = base64.b64encode(json.dumps([["{}"], {}, {}]).encode()).decode()
    whole: dict[str, object] = {
        "body": body,
        "content-encoding": "utf-8",
        "content-type": "application/json",
        "headers": {"task": "kzagent.run", "id": "1", "lang": "py"},
        "properties": {
            "correlation_id": "1",
            "delivery_info": {"exchange": "", "routing_key": ""},
            "delivery_tag": "1",
            "body_encoding": "base64",
        },
    }
    return whole | changes


def body(value: object) -> str:
    return base64.b64encode(value if isinstance(value, bytes) else json.dumps(value).encode()).decode()


def packed(**changes: object) -> bytes:
    return json.dumps(message(**changes)).encode()


TASK = {"task": "kzagent.run", "id": "1"}
MALFORMED: dict[str, bytes] = {
    "empty": b"",
    "no JSON": b"\x80\x04pickle",
    "a number": b"7",
    "null": b"null",
    "a list": b"[]",
    "an empty object": b"{}",
    "not UTF-8": b"\xff\xfe",
    "nested 10 000 deep": b"[" * 10_000 + b"]" * 10_000,
    "a huge integer": b'{"body":' + b"9" * 5000 + b"}",
    "not a number": b'{"body":NaN}',
    "duplicate keys": b'{"body":"a","body":"b"}',
    "2 MiB": packed(body="A" * 2**21),
    "without headers": json.dumps({k: v for k, v in message().items() if k != "headers"}).encode(),
    "without properties": json.dumps({k: v for k, v in message().items() if k != "properties"}).encode(),
    "headers are a list": packed(headers=[]),
    "properties are null": packed(properties=None),
    "body is null": packed(body=None),
    "body is no base64": packed(body="%%"),
    "body is pickle": json.dumps(
        message(body=body(pickle.dumps([["x"], {}, {}])), **{"content-type": "application/x-python-serialize"})
    ).encode(),
    "body is yaml": packed(body=body(b"- [x]"), **{"content-type": "application/x-yaml"}),
    "body is an object": packed(body=body({})),
    "protocol 1": json.dumps(message(body=body({**TASK, "args": ["x"], "kwargs": {}}))).encode(),
    "no arguments": packed(body=body([[], {}, {}])),
    "two arguments": packed(body=body([["x", "y"], {}, {}])),
    "an argument that is no text": packed(body=body([[{}], {}, {}])),
    "arguments are text": packed(body=body(["x", {}, {}])),
    "a callback": packed(body=body([["x"], {}, {"callbacks": [{"task": "control"}]}])),
    "an unknown task": packed(headers={"task": "os.system", "id": "1"}),
    "an eta of tomorrow": packed(headers={**TASK, "eta": "tomorrow"}),
    "an id that is a list": packed(headers={"task": "kzagent.run", "id": []}),
    "a compression bomb": json.dumps(message(headers={**TASK, "compression": "zlib"})).encode(),
    "a delivery tag that is null": json.dumps(
        message(properties={"delivery_tag": None, "delivery_info": None})
    ).encode(),
}


def test_no_message_on_the_queue_ends_the_agent(deployment: Deployment, broker: Broker, process: Process) -> None:
    runs_an_order(deployment, broker, process)
    for content in MALFORMED.values():
        broker.client.lpush(process.queue, content)

    runs_an_order(deployment, broker, process)

    assert broker.client.llen(process.queue) == 0
    dropped = process.output.read_text().count("dropped a message")
    assert dropped == len(MALFORMED)
    assert not [
        report for report in deployment.site.reports.values() if report.code not in ("DONE", "HEARTBEAT", "STATE")
    ]


def test_the_agent_goes_on_when_the_broker_forgets_everything(
    deployment: Deployment, broker: Broker, process: Process
) -> None:
    runs_an_order(deployment, broker, process)
    broker.client.flushall()

    runs_an_order(deployment, broker, process)


def test_the_agent_goes_on_when_its_connections_are_cut(
    deployment: Deployment, broker: Broker, process: Process
) -> None:
    runs_an_order(deployment, broker, process)
    broker.client.client_kill_filter(skipme=True, _type="normal")

    runs_an_order(deployment, broker, process)


def test_the_agent_comes_back_to_a_broker_that_was_killed(
    deployment: Deployment, broker: Broker, process: Process
) -> None:
    runs_an_order(deployment, broker, process)
    broker.restart()

    runs_an_order(deployment, broker, process)


def test_headers_of_a_message_are_not_believed(deployment: Deployment, broker: Broker, process: Process) -> None:
    order = deployment.order(Kind.INSPECT)
    envelope = deployment.authority.sign(order)
    headers = {"task": "kzagent.run", "id": "1", "eta": "2999-01-01T00:00:00", "expires": "2000-01-01T00:00:00"}
    broker.client.lpush(process.queue, json.dumps(message(body=body([[envelope], {}, {}]), headers=headers)))

    assert deployment.site.wait_for(lambda: deployment.site.final(order.order)).code == "DONE"


def test_a_stop_in_the_quiet_window_leaves_the_order_for_the_next_start(deployment: Deployment, broker: Broker) -> None:
    order = deployment.takeover()
    deployment.agent.journal.close()
    envelope = deployment.authority.sign(_with_window(order, 30))
    first = Process(deployment, broker)
    broker.send(first.queue, envelope)
    deployment.site.wait_for(lambda: [r for r in deployment.site.about(order.order) if "watching" in str(r.progress)])

    assert first.stop() < 3

    second = Process(deployment, broker)
    try:
        broker.send(second.queue, deployment.authority.sign(_with_window(order, 30)))
        runs_an_order(deployment, broker, second)
        assert deployment.site.final(order.order) is None
    finally:
        second.end()


def _with_window(order: Order, window_s: int) -> Order:
    return dataclasses.replace(order, args={"quiet_window_s": window_s})


def test_two_agents_do_not_run_from_one_directory(
    deployment: Deployment, broker: Broker, process: Process, capsys: pytest.CaptureFixture[str]
) -> None:
    runs_an_order(deployment, broker, process)

    assert command.main(["run", str(deployment.directory)]) == 1

    assert "another agent runs" in capsys.readouterr().err


def test_an_interrupt_from_the_terminal_stops_it_too(deployment: Deployment, broker: Broker, process: Process) -> None:
    runs_an_order(deployment, broker, process)

    process.process.send_signal(signal.SIGINT)

    assert process.process.wait(timeout=5) == 0


@pytest.mark.parametrize("name", MALFORMED)
def test_what_comes_through_the_door_is_one_text(name: str) -> None:
    try:
        envelope = door.envelope_in(MALFORMED[name])
    except door.MessageDropped:
        return
    rebuilt = door.message_around(envelope)
    assert door.envelope_in(json.dumps(rebuilt).encode()) == envelope
    assert rebuilt["headers"]["task"] == "kzagent.run"
