"""The agent as a process: orders through a real broker, a quick stop, and nothing on the queue that can end it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from agent_lab import Deployment
from agent_process import Broker, Process

from kernelzone.orders import Kind


@pytest.fixture(scope="module")
def broker() -> Iterator[Broker]:
    broker = Broker()
    yield broker
    broker.close()


@pytest.fixture
def process(deployment: Deployment, broker: Broker) -> Iterator[Process]:
    process = Process(deployment, broker)
    yield process
    process.end()


def test_an_order_goes_through_the_broker_and_its_report_comes_back(
    deployment: Deployment, broker: Broker, process: Process
) -> None:
    order = deployment.order(Kind.INSPECT)

    broker.send(process.queue, deployment.authority.sign(order))

    report = deployment.site.wait_for(lambda: deployment.site.final(order.order))
    assert report.code == "DONE"
    assert process.stop() < 3
    assert process.process.returncode == 0
