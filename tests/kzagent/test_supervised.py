"""An agent under a supervisor: it says that it works, ends when told, and ends itself when it hears no broker."""

from __future__ import annotations

import fcntl
import os
import select
import signal
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from agent_lab import Deployment
from agent_process import Broker, Process, rewrite, until

from kernelzone.orders import Kind
from kzagent import identity, supervisor
from kzagent.__main__ import main
from kzagent.pulse import Pulse
from kzagent.stop import stop_agent

pytestmark = pytest.mark.processes


class Proxy:
    """Stands between agent and broker; connections can be made to die without a word, as a lost network does it."""

    def __init__(self, target: Path) -> None:
        self._target = str(target)
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"redis://127.0.0.1:{self._listening.getsockname()[1]}/0"
        self._lock = threading.Lock()
        self._generation = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def lose_connections(self) -> None:
        """Hand nothing on any more over the connections there are; new ones work."""
        with self._lock:
            self._generation += 1

    def close(self) -> None:
        self._listening.close()

    def _accept(self) -> None:
        while True:
            try:
                agent, _ = self._listening.accept()
            except OSError:
                return
            broker = socket.socket(socket.AF_UNIX)
            broker.connect(self._target)
            threading.Thread(target=self._carry, args=(agent, broker, self._generation), daemon=True).start()

    def _carry(self, agent: socket.socket, broker: socket.socket, generation: int) -> None:
        with agent, broker:
            while True:
                readable, _, _ = select.select([agent, broker], [], [], 60)
                if generation != self._generation:
                    threading.Event().wait()  # held open for ever, and silent
                for source in readable:
                    content = source.recv(65536)
                    if not content:
                        return
                    (broker if source is agent else agent).sendall(content)


@pytest.fixture(scope="module")
def broker() -> Iterator[Broker]:
    broker = Broker()
    yield broker
    broker.close()


def runs_an_order(deployment: Deployment, broker: Broker, queue: str, within_s: float = 20) -> None:
    order = deployment.order(Kind.INSPECT)
    broker.send(queue, deployment.authority.sign(order))
    assert deployment.site.wait_for(lambda: deployment.site.final(order.order), within_s).code == "DONE"


@pytest.mark.slow
def test_an_agent_comes_back_from_a_connection_that_died_without_a_word(deployment: Deployment, broker: Broker) -> None:
    deployment.agent.journal.close()
    proxy = Proxy(broker.socket)
    process = Process(deployment, url=proxy.url)
    try:
        runs_an_order(deployment, broker, process.queue)
        proxy.lose_connections()
        time.sleep(2)  # the broker itself still waits a second for whom it does not know to be gone
        runs_an_order(deployment, broker, process.queue, within_s=60)
    finally:
        process.end()
        proxy.close()


# The third of its questions is never asked, as after a bug in the reconnecting.
DEAF = """
import sys
from kzagent import broker, pulse, worker
from kzagent.__main__ import main
ask, asked = broker.Channel._brpop_start, []
def deaf(channel, timeout=None):
    asked.append(1)
    if len(asked) < 3:
        ask(channel, timeout)
    else:
        channel._in_poll = channel.client.connection
broker.Channel._brpop_start = deaf
pulse.LEAST_SILENCE_S = 2.0
worker.PULSE_EVERY_S = 0.5
sys.exit(main(sys.argv[1:]))
"""


def test_a_worker_that_has_stopped_asking_for_orders_ends_and_the_next_start_works(
    deployment: Deployment, broker: Broker
) -> None:
    deployment.agent.journal.close()
    rewrite(deployment.directory, identity.load_settings(deployment.directory), heartbeat_s=1)
    process = Process(deployment, broker, code=DEAF)
    try:
        assert process.process.wait(timeout=40) == 1, process.output.read_text()
        assert "it ends, to be started again" in process.output.read_text()
    finally:
        process.end()
    again = Process(deployment, broker)
    try:
        runs_an_order(deployment, broker, again.queue)
    finally:
        again.end()


class Time:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_silence_of_a_broker_that_answers_nobody_is_waited_out():
    clock = Time()
    pulse = Pulse(4, 60, clock)
    clock.now += 61
    assert not pulse.is_stalled(lambda: False)
    assert not pulse.has_stalled
    assert pulse.is_stalled(lambda: True)
    assert pulse.has_stalled


def test_a_worker_that_hears_its_broker_or_has_all_hands_full_is_not_ended():
    clock = Time()
    pulse = Pulse(1, 60, clock)
    clock.now += 60
    assert not pulse.is_stalled(lambda: True)
    pulse.beat()
    clock.now += 60
    assert not pulse.is_stalled(lambda: True)
    with pulse.at_work():
        clock.now += 600  # boot storage may be watched for ten minutes
        assert not pulse.is_stalled(lambda: True)
    assert not pulse.is_stalled(lambda: True), "its silence begins when a hand is free again"


@pytest.fixture
def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """A supervisor's socket, which is named in the environment."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        path = f"/tmp/kzn-{os.getpid()}"
        listening.bind(path)
        listening.settimeout(20)
        monkeypatch.setenv(supervisor.VARIABLE, path)
        yield listening
    os.unlink(path)


def test_a_supervisor_hears_that_the_agent_is_ready_alive_and_stopping(
    deployment: Deployment, broker: Broker, told: socket.socket
) -> None:
    deployment.agent.journal.close()
    process = Process(deployment, broker)
    try:
        assert [told.recv(64), told.recv(64)] == [b"READY=1", b"WATCHDOG=1"]
        process.stop()
        assert process.process.returncode == 0
        assert told.recv(64) in (b"STOPPING=1", b"WATCHDOG=1")
    finally:
        process.end()


@pytest.mark.parametrize("address", ["", "/nowhere/at/all", "@nobody-listens"])
def test_a_supervisor_that_is_not_there_is_no_hindrance(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(supervisor.VARIABLE, address)
    supervisor.tell(supervisor.READY)


def test_stop_ends_the_agent_that_runs_and_says_when_none_does(
    deployment: Deployment, broker: Broker, capsys: pytest.CaptureFixture[str]
) -> None:
    deployment.agent.journal.close()
    process = Process(deployment, broker)
    try:
        runs_an_order(deployment, broker, process.queue)
        ended = threading.Thread(target=process.process.wait)  # as a supervisor does
        ended.start()
        assert main(["stop", str(deployment.directory)]) == 0
        ended.join(timeout=5)
        assert process.process.returncode == 0
        assert main(["stop", str(deployment.directory)]) == 0
    finally:
        process.end()
    assert capsys.readouterr().out.splitlines() == ["stopped", "no agent runs from there"]


def test_an_agent_that_does_not_end_in_time_is_named(
    deployment: Deployment, broker: Broker, capsys: pytest.CaptureFixture[str]
) -> None:
    deployment.agent.journal.close()
    process = Process(deployment, broker)
    try:
        runs_an_order(deployment, broker, process.queue)
        process.process.send_signal(signal.SIGSTOP)
        with pytest.raises(identity.SetupError, match=r"has not ended within 0\.2 s"):
            stop_agent(deployment.directory, within_s=0.2)
        process.process.send_signal(signal.SIGCONT)
        until(lambda: process.process.poll() is not None)
    finally:
        process.end()


def test_a_lock_that_names_no_process_stops_nothing(tmp_path: Path) -> None:
    with (tmp_path / "lock").open("w") as lock:
        lock.write("0\n")
        lock.flush()
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(identity.SetupError, match="names no process"):
            stop_agent(tmp_path)


def test_before_its_first_start_there_is_nothing_to_stop(tmp_path: Path) -> None:
    assert not stop_agent(tmp_path)
