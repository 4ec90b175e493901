"""The agent is killed at every crash point of a takeover; after its restart the row of agent.md's table holds."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from agent_lab import GLOBAL1, GLOBAL2, Deployment
from agent_process import Broker, Process

from kernelzone import crashpoints as claim_crashpoints
from kernelzone.hostdata import REGION_BYTES
from kernelzone.orders import Kind, Order, Report, read_result
from kernelzone.portable import verbs
from kernelzone.portable.host import Flag
from kzagent import crashpoints
from kzagent.database import Database
from kzagent.journal import JOURNAL_NAME

pytestmark = pytest.mark.processes

MAY_COME_AGAIN = None
NOT_APPLIED = ("not-applied", "NOT_APPLIED")
PENDING = ("done", "ATTACH_PENDING")
UNCLEAR = ("unknown", "ATTACH_UNCLEAR")
DONE = ("done", "DONE")
ROWS = {
    "agent.after-accepted": MAY_COME_AGAIN,
    "claim.before-intent": MAY_COME_AGAIN,
    "claim.after-intent": NOT_APPLIED,
    "claim.inside-slot-a": NOT_APPLIED,
    "claim.after-slot-a": NOT_APPLIED,
    "claim.before-slot-b": NOT_APPLIED,
    "claim.inside-slot-b": PENDING,
    "claim.after-slot-b": PENDING,
    "claim.before-committed": PENDING,
    "claim.after-committed": PENDING,
    "agent.before-attach": PENDING,
    "agent.during-attach": UNCLEAR,
    "agent.after-attach": UNCLEAR,
    "agent.after-result-stored": DONE,
}


@pytest.fixture(scope="module")
def broker() -> Iterator[Broker]:
    broker = Broker()
    yield broker
    broker.close()


class Crash:
    """One takeover whose agent dies at a crash point, and starts again."""

    def __init__(self, deployment: Deployment, broker: Broker) -> None:
        self.deployment = deployment
        self.broker = broker
        self.order: Order = deployment.takeover()
        self.before = self.image()
        self.envelope = deployment.authority.sign(self.order)
        deployment.agent.journal.close()
        self.running: list[Process] = []

    def image(self) -> bytes:
        with self.deployment.fleet.image("kzone1").open("rb") as image:
            return image.read(REGION_BYTES)

    def at(self, crashpoint: str) -> None:
        process = Process(self.deployment, self.broker, KZ_CRASHPOINT=crashpoint)
        self.running.append(process)
        self.broker.send(process.queue, self.envelope)
        process.wait_until_killed()

    def restart(self) -> Process:
        process = Process(self.deployment, self.broker)
        self.running.append(process)
        return process

    def send_again(self) -> None:
        self.broker.send(self.running[-1].queue, self.envelope)

    def ended(self) -> Report:
        report = self.deployment.site.wait_for(lambda: self.deployment.site.final(self.order.order))
        assert isinstance(report, Report)
        return report

    def inspected(self) -> None:
        """Return after the agent has run an order that was sent now, and so all before it."""
        order = self.deployment.order(Kind.INSPECT)
        self.broker.send(self.running[-1].queue, self.deployment.authority.sign(order))
        self.deployment.site.wait_for(lambda: self.deployment.site.final(order.order))

    def owner(self) -> tuple[str, str]:
        """Return the status of host data, and who it names."""
        (reading,) = self.deployment.fleet.global1.read("kzone1")
        return reading.status.value, reading.record.owner_hostid if reading.record else ""


@pytest.fixture
def crash(deployment: Deployment, broker: Broker) -> Iterator[Crash]:
    crash = Crash(deployment, broker)
    yield crash
    for process in crash.running:
        process.end()


def test_every_crash_point_has_its_row() -> None:
    of_claims = {name for name in claim_crashpoints.CRASHPOINTS if name.startswith("claim.")}
    assert set(ROWS) == set(crashpoints.CRASHPOINTS) | of_claims


@pytest.mark.parametrize("crashpoint", [name for name, row in ROWS.items() if row is MAY_COME_AGAIN])
def test_a_crash_before_intent_changes_nothing_and_the_order_may_come_again(crash: Crash, crashpoint: str) -> None:
    crash.at(crashpoint)
    assert crash.image() == crash.before

    crash.restart()
    crash.inspected()
    assert crash.deployment.site.final(crash.order.order) is None

    crash.send_again()
    assert (crash.ended().state, crash.ended().code) == DONE
    assert crash.owner() == ("CLEAN", GLOBAL1)


@pytest.mark.parametrize("crashpoint", [name for name, row in ROWS.items() if row == NOT_APPLIED])
def test_a_crash_before_slot_b_is_undone_and_the_order_stays_burned(crash: Crash, crashpoint: str) -> None:
    crash.at(crashpoint)

    crash.restart()

    report = crash.ended()
    assert (report.state, report.code) == NOT_APPLIED
    assert crash.image() == crash.before
    crash.send_again()
    crash.inspected()
    assert crash.image() == crash.before
    assert crash.deployment.site.final(crash.order.order) == report


@pytest.mark.parametrize("crashpoint", [name for name, row in ROWS.items() if row == PENDING])
def test_a_crash_after_slot_a_was_proven_leaves_the_attach_to_a_person(crash: Crash, crashpoint: str) -> None:
    crash.at(crashpoint)

    crash.restart()

    report = crash.ended()
    assert (report.state, report.code) == PENDING
    assert crash.owner() == ("CLEAN", GLOBAL1)
    result = read_result(Kind.FORCE_TAKEOVER, report.result)
    assert result.placement.state == "configured", "the attach went on by itself"
    attached = crash.deployment.order(Kind.ATTACH, "kzone1")
    crash.broker.send(crash.running[-1].queue, crash.deployment.authority.sign(attached))
    assert crash.deployment.site.wait_for(lambda: crash.deployment.site.final(attached.order)).code == "DONE"


@pytest.mark.parametrize("crashpoint", [name for name, row in ROWS.items() if row == UNCLEAR])
def test_a_crash_during_the_attach_is_unknown_and_a_reading_is_there_to_settle_it(
    crash: Crash, crashpoint: str
) -> None:
    crash.at(crashpoint)

    crash.restart()

    report = crash.ended()
    assert (report.state, report.code) == UNCLEAR
    (reading,) = read_result(Kind.FORCE_TAKEOVER, report.result).readings
    assert (reading.status, reading.record.owner_hostid) == ("CLEAN", GLOBAL1)


def test_a_result_that_was_stored_is_sent_after_the_restart(crash: Crash) -> None:
    crash.deployment.site.refuses, crash.deployment.site.answers_questions = 503, True
    crash.at("agent.after-result-stored")
    assert crash.deployment.site.final(crash.order.order) is None
    crash.deployment.site.refuses = None

    crash.restart()

    assert (crash.ended().state, crash.ended().code) == DONE
    finals = [one for one in crash.deployment.site.about(crash.order.order) if one.state == "done"]
    assert len(finals) == 1


def test_a_claim_on_a_host_that_was_away_at_the_start_is_settled_once_it_is_back(crash: Crash) -> None:
    crash.at("claim.after-slot-a")
    host = crash.deployment.fleet.global1
    host.set_flag(Flag.CUT_OFF)
    torn = crash.image()

    crash.restart()
    order = crash.deployment.order(Kind.INSPECT, host=GLOBAL2)
    crash.broker.send(crash.running[-1].queue, crash.deployment.authority.sign(order))
    crash.deployment.site.wait_for(lambda: crash.deployment.site.final(order.order))
    assert crash.deployment.site.final(crash.order.order) is None
    assert crash.image() == torn
    host.set_flag(Flag.UP)

    report = crash.ended()
    assert (report.state, report.code) == NOT_APPLIED
    assert crash.image() == crash.before


def test_half_of_slot_b_is_left_to_a_person_once_the_order_has_run_out(crash: Crash) -> None:
    crash.at("claim.inside-slot-b")
    journal = Database(crash.deployment.directory / JOURNAL_NAME)
    with journal.writing() as rows:
        rows.execute("UPDATE intents SET deadline_ms = 0")
    journal.close()
    torn = crash.image()

    crash.restart()

    assert (crash.ended().state, crash.ended().code) == ("unknown", "UNKNOWN")
    assert crash.image() == torn
    assert crash.owner()[0] == "SINGLE_A"


def test_host_data_that_another_has_written_meanwhile_is_lost_and_left_alone(crash: Crash) -> None:
    crash.at("claim.after-slot-a")
    taken = verbs.attach(crash.deployment.fleet.global2, "kzone1", "force-takeover")
    if not taken.is_done:  # it is installed there: the owner detaches first
        verbs.mark_unavailable(crash.deployment.fleet.global2, "kzone1")
        taken = verbs.attach(crash.deployment.fleet.global2, "kzone1", "force-takeover")
    assert taken.is_done, taken
    theirs = crash.image()

    crash.restart()

    assert crash.ended().state == "lost"
    assert crash.image() == theirs
    assert crash.owner() == ("CLEAN", GLOBAL2)
