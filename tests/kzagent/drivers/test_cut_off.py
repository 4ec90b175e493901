"""The agent is killed while a `zoneadm` is at work: it is found again by pid and start, waited for and never run twice.

A slow `zoneadm` stands in for the real one: it notes that it was begun, sleeps, and then is the portable host's.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from agent_lab import GLOBAL1, GLOBAL2, Deployment, Fleet
from agent_process import Broker, Process, until
from agent_site import FORCED_ARGS, Site, warrant_for
from ways import local_settings

from kernelzone.facts import RegionStatus
from kernelzone.orders import Kind, Order, ReportState, VerbResult, read_result
from kernelzone.words import ZoneName
from kzagent.drivers.solaris import runner
from kzagent.drivers.solaris.begun import Begun, BegunVerbs
from kzagent.drivers.solaris.local import LocalTransport
from kzagent.drivers.solaris.opening import open_solaris
from kzagent.errors import DriverError
from kzagent.recovery import recover

Z = ZoneName("kzone2")


class Slow:
    """global1's `zoneadm`, slow for one subcommand; `begun`: one line each time that was begun."""

    def __init__(self, fleet: Fleet) -> None:
        place = fleet.global1.directory / "bin"
        local_settings(fleet.global1)
        self.begun, self.go = fleet.root / "begun", fleet.root / "go"
        quick = place / "zoneadm-quick"
        (place / "zoneadm").rename(quick)
        self.path = place / "zoneadm"
        self._quick = quick
        self.at("no-such-verb")

    def at(self, words: str) -> None:
        """Wait with this subcommand until `go` is there."""
        begun, go, quick = (shlex.quote(str(path)) for path in (self.begun, self.go, self._quick))
        waits = f"echo begun >> {begun}; while [ ! -e {go} ]; do sleep 0.1; done"
        self.path.write_text(f'#!/bin/sh\ncase "$*" in *{words}) {waits};; esac\nexec {quick} "$@"\n')
        self.path.chmod(0o755)

    def times(self) -> int:
        return len(self.begun.read_text().splitlines()) if self.begun.exists() else 0


@pytest.fixture
def slow(fleet: Fleet) -> Slow:
    return Slow(fleet)


@pytest.fixture(scope="module")
def broker() -> Iterator[Broker]:
    broker = Broker()
    yield broker
    broker.close()


@pytest.fixture
def start(solaris: Deployment, broker: Broker, slow: Slow) -> Iterator[Callable[[], Process]]:
    solaris.agent.journal.close()
    running: list[Process] = []

    def started() -> Process:
        running.append(Process(solaris, broker))
        return running[-1]

    yield started
    slow.go.touch()
    for process in running:
        process.end()


def result_of(solaris: Deployment, order: Order) -> VerbResult:
    report = solaris.site.wait_for(lambda: solaris.site.final(order.order), 60)
    result = read_result(order.kind, report.result)
    assert isinstance(result, VerbResult)
    return result


@pytest.mark.processes
def test_a_verb_outlives_its_agent_and_the_next_one_reports_its_end(
    solaris: Deployment, broker: Broker, slow: Slow, start: Callable[[], Process]
) -> None:
    slow.at("boot")
    order = solaris.order(Kind.BOOT, Z)
    envelope = solaris.authority.sign(order)
    first = start()
    broker.send(first.queue, envelope)
    until(lambda: slow.times() == 1, 60)
    first.end()  # SIGKILL

    second = start()
    broker.send(second.queue, envelope)  # the site has heard nothing, and sends it again
    inspect = solaris.order(Kind.INSPECT)
    broker.send(second.queue, solaris.authority.sign(inspect))
    assert solaris.site.wait_for(lambda: solaris.site.final(inspect.order), 60).code == "DONE"
    assert solaris.site.final(order.order) is None, "its end was not seen yet"

    slow.go.touch()

    outcome = result_of(solaris, order).outcome
    assert (outcome.code, outcome.exit_code) == ("DONE", 0)
    assert slow.times() == 1, "it was begun again"
    assert solaris.fleet.global1.placement(Z).state().state == "running"


@pytest.mark.processes
def test_a_forced_attach_outlives_its_agent_and_what_it_said_is_the_reading(
    solaris: Deployment, broker: Broker, slow: Slow, start: Callable[[], Process]
) -> None:
    solaris.start()
    refused = solaris.order(Kind.ATTACH, "kzone1")
    solaris.run(refused)
    warrant = warrant_for(solaris.inspected(), "kzone1")
    order = solaris.order(Kind.FORCE_TAKEOVER, "kzone1", args=FORCED_ARGS, warrant=warrant)
    solaris.agent.journal.close()
    slow.at("force-takeover")
    first = start()
    broker.send(first.queue, solaris.authority.sign(order))
    until(lambda: slow.times() == 1, 60)
    first.end()
    second = start()
    until(lambda: "at work" in second.output.read_text(), 60)
    assert solaris.site.final(order.order) is None

    slow.go.touch()

    result = result_of(solaris, order)
    assert solaris.result(order) == (str(ReportState.UNKNOWN), "UNKNOWN")
    assert slow.times() == 1
    (reading,) = result.readings
    assert reading.status is RegionStatus.IN_USE
    assert reading.record is not None
    assert reading.record.owner_hostid == GLOBAL1 != GLOBAL2


# --- whose pid it is ----------------------------------------------------------------------------------------------


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return BegunVerbs(tmp_path / "verbs").begin(Z, Begun("boot", ("boot",), 0))


def left_behind(place: Path, *processes: tuple[int, str | None]) -> None:
    runner.keep(place / runner.VECTOR, ["/bin/true"])
    runner.keep(place / runner.PROCESSES, processes)


def test_a_process_with_that_pid_and_start_is_the_verb(place: Path) -> None:
    left_behind(place, (os.getpid(), runner.started(os.getpid())))

    assert LocalTransport().left(place) is None


def test_a_process_that_only_has_the_pid_is_another_one(place: Path) -> None:
    began = runner.started(os.getpid())
    assert began is not None
    left_behind(place, (os.getpid(), began[:-1] + str((int(began[-1]) + 1) % 10)))

    found = LocalTransport().left(place)

    assert found is not None
    assert found.exit_code is None


def test_a_verb_that_ended_meanwhile_left_its_exit_code_and_what_it_said(place: Path) -> None:
    runner.keep(place / runner.VECTOR, ["/bin/sh", "-c", "echo said; sleep 0.3; exit 3"])  # not gone before it is asked
    with (place / "stdout").open("wb") as stdout:
        subprocess.run([sys.executable, "-I", "-S", runner.__file__, str(place)], stdout=stdout, check=True)

    assert LocalTransport().left(place) == (3, "said\n", "")
    ((_, own), (_, verb)) = json.loads((place / runner.PROCESSES).read_text())
    assert own is not None
    assert verb is not None


def test_one_that_was_killed_and_not_yet_waited_for_has_ended(place: Path) -> None:
    child = subprocess.Popen(["/bin/sleep", "60"])
    left_behind(place, (child.pid, runner.started(child.pid)))
    assert LocalTransport().left(place) is None
    child.kill()
    until(lambda: LocalTransport().left(place) is not None)
    child.wait()


@pytest.mark.parametrize(
    ("kept", "found", "same"),
    [
        ("b 1", "b 1", True),
        ("b 1", "b 2", False),
        ("b 1", "c 1", False),
        ("posix 100", "posix 102", True),
        ("posix 100", "posix 98", True),
        ("posix 100", "posix 103", False),
        ("posix 100", "b 100", False),
        (None, None, False),
        ("b 1", None, False),
        (None, "b 1", False),
    ],
)
def test_two_starts_are_one_process_only_when_they_agree(kept: str | None, found: str | None, same: bool) -> None:
    assert runner.is_same(kept, found) is same


@pytest.mark.skipif(not Path("/usr/bin/ps").exists(), reason="needs ps")
def test_where_there_is_no_linux_ps_says_when_a_process_began(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner.sys, "platform", "sunos5")

    first, again = runner.started(os.getpid()), runner.started(os.getpid())

    assert first is not None
    assert first.startswith("posix ")
    assert runner.is_same(first, again)
    assert runner.started(2**22 + 1) is None


def test_no_second_verb_is_begun_while_the_first_is_at_work(fleet: Fleet, tmp_path: Path) -> None:
    settings = local_settings(fleet.global1).solaris
    assert settings is not None
    driver = open_solaris(settings, tmp_path)
    left_behind(driver._begun.begin(Z, Begun("boot", ("boot",), 0)), (os.getpid(), runner.started(os.getpid())))
    driver._begun.wait_no_more(Z)

    with pytest.raises(DriverError) as refused:
        driver.mark_unavailable(Z)

    assert refused.value.code == "BUSY"
    assert fleet.global1.placement(Z).state().state == "installed"


def test_an_order_whose_verb_vanished_is_unknown_and_not_begun_again(solaris: Deployment) -> None:
    order = solaris.order(Kind.BOOT, Z)
    journal = solaris.agent.journal
    journal.accept(order, "0" * 64, solaris.clock.now())  # type: ignore[arg-type]
    journal.begin(order.order)
    left_behind(solaris.agent.drivers[GLOBAL1]._begun.begin(Z, Begun("boot", ("boot",), 0)))  # type: ignore[attr-defined]
    journal.close()

    recover(solaris.start())
    solaris.send()

    assert solaris.result(order) == ("unknown", "END_UNSEEN")
    assert solaris.fleet.global1.placement(Z).state().state == "installed"


def test_what_was_begun_is_kept_once_for_a_zone_and_forgotten_whole(tmp_path: Path, site: Site) -> None:
    verbs = BegunVerbs(tmp_path / "verbs")
    begun = Begun("boot", ("boot",), 7)
    verbs.begin(Z, begun)

    with pytest.raises(DriverError) as refused:
        verbs.begin(Z, begun)

    assert refused.value.code == "BUSY"
    assert BegunVerbs(tmp_path / "verbs").found(Z) == begun
    assert verbs.found(None) is None
    verbs.forget(Z)
    assert (verbs.found(Z), list((tmp_path / "verbs").iterdir())) == (None, [])
