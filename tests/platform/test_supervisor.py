"""The supervisor of `make run`, with real processes."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from kzfleet.up import supervisor as supervisor_module
from kzfleet.up.children import Plan
from kzfleet.up.refusals import CannotStart
from kzfleet.up.supervisor import Supervisor, how_it_ended, is_worth_showing

PROJECT = Path(__file__).resolve().parents[2]


def python(code: str, *arguments: str) -> tuple[str, ...]:
    return (sys.executable, "-c", code, *arguments)


def wait_for(is_so: Callable[[], bool], timeout_s: float = 30) -> None:
    deadline = time.monotonic() + timeout_s
    while not is_so():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.02)


def is_alive(pid: int) -> bool:
    """Return whether the process runs; one that ended and was not collected yet does not."""
    try:
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False


@contextmanager
def supervised(folder: Path) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """A supervisor in its own process and the pid of its child."""
    script = [sys.executable, str(PROJECT / "tests/platform/supervised.py"), str(folder)]
    env = {**os.environ, "PYTHONPATH": str(PROJECT)}
    with subprocess.Popen(script, stdout=subprocess.PIPE, text=True, env=env) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "started\n"
        try:
            yield process, int((folder / "pid").read_text())
        finally:
            process.kill()


@pytest.fixture
def watch(tmp_path: Path) -> Iterator[Supervisor]:
    supervisor = Supervisor(tmp_path / "log")
    kept = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    yield supervisor
    supervisor.stop()
    for number, handler in kept.items():
        signal.signal(number, handler)


def test_kill_9_of_the_supervisor_leaves_no_child(tmp_path: Path) -> None:
    with supervised(tmp_path) as (supervisor, child_pid):
        assert is_alive(child_pid)
        supervisor.kill()
        supervisor.wait()
        wait_for(lambda: not is_alive(child_pid))


def test_ctrl_c_ends_the_children_and_then_the_supervisor(tmp_path: Path) -> None:
    with supervised(tmp_path) as (supervisor, child_pid):
        supervisor.send_signal(signal.SIGINT)
        assert supervisor.wait(timeout=20) == 0
        assert not is_alive(child_pid)


def test_a_dead_child_is_started_again(watch: Supervisor, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    born = tmp_path / "born"
    code = "import sys, time; open(sys.argv[1], 'a').write('x'); time.sleep(60)"
    child = watch.start(Plan("worker", python(code, str(born)), {}))
    assert watch.run_until(lambda: born.exists() and born.read_text() == "x", timeout_s=30)

    child.signal(signal.SIGKILL)

    assert watch.run_until(lambda: born.read_text() == "xx", timeout_s=30)
    assert "worker ended (signal SIGKILL); it is started again in 0.5 s." in capfd.readouterr().out


def test_a_child_that_keeps_dying_is_given_up_with_its_last_words(
    watch: Supervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor_module, "BACKOFF_MAX_S", 0.05)
    watch.start(Plan("signer", python("import sys; sys.exit('no key file')"), {}))

    with pytest.raises(CannotStart) as refused:
        watch.run_until(lambda: False, timeout_s=40)

    assert "signer ended 5 times soon after its start (exit code 1)" in str(refused.value)
    assert "no key file" in str(refused.value)


def test_the_others_go_on_without_a_child_that_is_not_essential(
    watch: Supervisor, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(supervisor_module, "BACKOFF_MAX_S", 0.05)
    shown: list[str] = []
    stays = watch.start(Plan("stays", python("import time; time.sleep(60)"), {}))
    watch.start(Plan("agent", python("raise SystemExit(3)"), {}, essential=False))

    def was_given_up() -> bool:
        shown.append(capfd.readouterr().out)
        return "agent ended 5 times" in "".join(shown)

    assert watch.run_until(was_given_up, timeout_s=40)
    assert stays.is_running()


def test_the_broker_is_stopped_after_the_others(watch: Supervisor, tmp_path: Path) -> None:
    order = tmp_path / "order"
    code = (
        "import signal, sys, time\n"
        "def end(*_):\n    open(sys.argv[2], 'a').write(sys.argv[1]); sys.exit()\n"
        "signal.signal(signal.SIGTERM, end); print('ready', flush=True); time.sleep(60)"
    )
    plans = [
        Plan("broker", python(code, "broker ", str(order)), {}, stops_last=True),
        Plan("web", python(code, "web ", str(order)), {}),
    ]
    children = [watch.start(plan) for plan in plans]
    assert watch.run_until(lambda: all("ready" in child.last_lines for child in children), timeout_s=30)

    watch.stop()

    assert order.read_text() == "web broker "


def test_a_child_that_ignores_the_stop_is_killed_soon(watch: Supervisor) -> None:
    code = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(60)"
    )
    child = watch.start(Plan("deaf", python(code), {}))
    assert watch.run_until(lambda: "deaf" in child.last_lines, timeout_s=30)
    began = time.monotonic()

    watch.stop()

    assert not child.is_running()
    assert time.monotonic() - began < supervisor_module.GRACE_S + 15  # of 60


def test_what_children_print_is_kept_in_a_file_and_warnings_are_shown(
    watch: Supervisor, capfd: pytest.CaptureFixture[str]
) -> None:
    code = """print('{"level": "info", "event": "quiet"}\\n{"level": "warning", "event": "loud"}', flush=True)
import time; time.sleep(60)"""
    child = watch.start(Plan("web", python(code), {}))
    assert watch.run_until(lambda: len(child.last_lines) == 2, timeout_s=30)

    assert child.path.read_text().count("\n") == 2
    shown = capfd.readouterr().out
    assert 'web        | {"level": "warning", "event": "loud"}' in shown
    assert "quiet" not in shown


@pytest.mark.parametrize(
    ("line", "is_shown"),
    [
        ("Traceback (most recent call last):", True),
        ('{"level": "error"}', True),
        ('{"level": "INFO"}', False),
        ("   ", False),
        ("[1, 2]", True),
        ("12", True),
        ('{"level": null}', True),
        ("2026-11-23 13:00:00,001 INFO kzagent.worker: agent acts for 83a0cc71", False),
        ("2026-11-23 13:00:00,001 WARNING kzagent.link: the site does not answer", True),
    ],
)
def test_lines_worth_showing(line: str, is_shown: bool) -> None:
    assert is_worth_showing(line) is is_shown


def test_an_end_is_told_in_words() -> None:
    assert [how_it_ended(code) for code in (0, 1, -9, -250, None)] == [
        "exit code 0",
        "exit code 1",
        "signal SIGKILL",
        "exit code -250",
        "exit code None",
    ]
