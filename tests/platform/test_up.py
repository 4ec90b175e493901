"""`make run` with every real process, from the first line to the last."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from kzfleet.up.broker import broker_answers
from kzfleet.up.look import answers

pytestmark = pytest.mark.journey

PROJECT = Path(__file__).resolve().parents[2]
START_WAIT_S = 90


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def processes_of(var: Path) -> dict[int, str]:
    """Return the command lines of all living processes that were started for this state folder."""
    mark = f"KZFLEET_VAR={var}".encode()
    found = {}
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            words = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            is_ours = mark in (entry / "environ").read_bytes() or f"{var}/" in words
            if is_ours and ") Z " not in (entry / "stat").read_text():
                found[int(entry.name)] = words
        except OSError:
            continue
    return found


def wait_for(is_so: Callable[[], bool], timeout_s: float) -> None:
    deadline = time.monotonic() + timeout_s
    while not is_so():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.1)


@contextmanager
def make_run(var: Path, *arguments: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Start everything; yield the supervisor and what it printed until it was ready."""
    env = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), "KZFLEET_VAR": str(var)}
    argv = [sys.executable, str(PROJECT / "manage.py"), "up", *arguments]
    with subprocess.Popen(argv, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as supervisor:
        try:
            yield supervisor, _until_ready(supervisor)
        finally:
            supervisor.kill()


def _until_ready(supervisor: subprocess.Popen[str]) -> str:
    assert supervisor.stdout is not None
    printed = ""
    for line in supervisor.stdout:
        printed += line
        if line.startswith("ready after"):
            return printed
    raise AssertionError(f"it was not ready:\n{printed}")


def test_it_starts_stops_and_goes_on_with_the_same_state(tmp_path: Path) -> None:
    port = free_port()
    with make_run(tmp_path, "--empty", "--port", str(port)) as (supervisor, first):
        assert f"http://127.0.0.1:{port}" in first
        assert answers(f"http://127.0.0.1:{port}/healthz")
        supervisor.send_signal(signal.SIGINT)
        began = time.monotonic()
        assert supervisor.wait(timeout=30) == 0
        assert time.monotonic() - began < 15
    assert processes_of(tmp_path) == {}

    with make_run(tmp_path, "--empty", "--port", str(port)) as (supervisor, second):
        accounts = re.findall(r"^  (\w+ +[\w-]+ +\w{4}-\w{4}-\w{4})", first, re.MULTILINE)
        assert len(accounts) == 7
        assert re.findall(r"^  (\w+ +[\w-]+ +\w{4}-\w{4}-\w{4})", second, re.MULTILINE) == accounts
        supervisor.send_signal(signal.SIGTERM)
        assert supervisor.wait(timeout=30) == 0


def test_kill_9_of_the_supervisor_leaves_nothing_running(tmp_path: Path) -> None:
    with make_run(tmp_path, "--port", str(free_port())) as (supervisor, _):
        running = processes_of(tmp_path).values()
        assert sum("kzagent run" in words for words in running) == 2
        assert sum("kernelzone.portable.guest" in words for words in running) >= 15
        supervisor.kill()
        supervisor.wait()
        wait_for(lambda: processes_of(tmp_path) == {}, 30)


@pytest.fixture(scope="module")
def empty_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, int]]:
    """The state folder and the port of a site that runs without the demonstration fleet."""
    var, port = tmp_path_factory.mktemp("up") / "var", free_port()
    with make_run(var, "--empty", "--port", str(port)):
        yield var, port


def test_a_second_one_on_the_same_state_or_port_is_one_sentence(empty_site: tuple[Path, int], tmp_path: Path) -> None:
    var, port = empty_site

    same_state, same_port = refused(var, free_port()), refused(tmp_path, port)

    assert re.fullmatch(r"CommandError: kzfleet already runs on .*: stop that one first, .*\n", same_state)
    assert re.fullmatch(rf"CommandError: Port {port} is taken by another program: .*\n", same_port)


def test_a_killed_broker_and_web_come_back(empty_site: tuple[Path, int]) -> None:
    var, port = empty_site

    for words in ("redis-server", "valkey-server", "uvicorn"):
        for pid in [pid for pid, line in processes_of(var).items() if words in line]:
            os.kill(pid, signal.SIGKILL)

    wait_for(lambda: not answers(f"http://127.0.0.1:{port}/healthz"), 30)
    wait_for(lambda: answers(f"http://127.0.0.1:{port}/healthz") and broker_answers(var), START_WAIT_S)


def refused(var: Path, port: int) -> str:
    """Return what a start that must fail says."""
    env = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), "KZFLEET_VAR": str(var)}
    argv = [sys.executable, str(PROJECT / "manage.py"), "up", "--empty", "--port", str(port)]
    done = subprocess.run(argv, check=False, env=env, capture_output=True, text=True, timeout=START_WAIT_S)
    assert done.returncode != 0
    assert "Traceback" not in done.stderr
    return done.stderr
