"""Forced actions and safe verbs through an agent whose hosts are Solaris ones, by their commands."""

from __future__ import annotations

from pathlib import Path

import pytest
from agent_lab import GLOBAL1, GLOBAL2, Deployment, done
from agent_site import FORCED_ARGS, warrant_for

from kernelzone.facts import RegionStatus
from kernelzone.orders import Kind, Order, ReportState, VerbResult, read_result
from kernelzone.portable import configuring, verbs
from kzagent.drivers.solaris.driver import SolarisDriver
from kzagent.drivers.solaris.port import Finished
from kzagent.errors import DriverError
from kzagent.recovery import recover


def result_of(deployment: Deployment, order: Order) -> VerbResult:
    report = deployment.site.final(order.order)
    assert report is not None
    result = read_result(order.kind, report.result)
    assert isinstance(result, VerbResult)
    return result


def refused_attach(deployment: Deployment) -> Order:
    order = deployment.order(Kind.ATTACH, "kzone1")
    deployment.run(order)
    assert deployment.result(order) == ("failed", "IN_USE")
    return order


def takeover(deployment: Deployment, kind: Kind = Kind.FORCE_TAKEOVER, **changes: object) -> Order:
    warrant = warrant_for(deployment.inspected(), "kzone1", **changes)
    return deployment.order(kind, "kzone1", args=FORCED_ARGS, warrant=warrant)


def owner(deployment: Deployment) -> str:
    (reading,) = deployment.fleet.global2.read("kzone1")
    assert reading.record is not None
    return reading.record.owner_hostid


def test_before_any_attach_nothing_is_claimed_to_be_known(solaris: Deployment) -> None:
    report = solaris.inspected()

    readings = read_result(Kind.INSPECT, report.result).readings
    assert {reading.status for reading in readings} == {RegionStatus.HIDDEN}
    assert {reading.raw_sha256 for reading in readings} == {None}
    assert {reading.record for reading in readings} == {None}


def test_a_refused_attach_is_the_reading(solaris: Deployment) -> None:
    order = refused_attach(solaris)

    result = result_of(solaris, order)
    (reading,) = result.readings
    assert reading.status is RegionStatus.IN_USE
    assert reading.record is not None
    assert reading.record.owner_hostid == GLOBAL2
    assert result.in_use is not None
    assert result.in_use.hostname == "global2"


def test_a_refusal_by_hand_is_read_from_the_attach_log(solaris: Deployment) -> None:
    assert verbs.attach(solaris.fleet.global1, "kzone1").code == "IN_USE"

    report = solaris.inspected()

    reading = next(one for one in read_result(Kind.INSPECT, report.result).readings if one.zone == "kzone1")
    assert reading.record is not None
    assert (reading.status, reading.record.owner_hostid) == (RegionStatus.IN_USE, GLOBAL2)


def test_an_approved_takeover_attaches_by_force_and_reads_back(solaris: Deployment) -> None:
    refused_attach(solaris)
    order = takeover(solaris)

    solaris.run(order)

    assert solaris.result(order) == ("done", "DONE")
    assert owner(solaris) == GLOBAL1
    result = result_of(solaris, order)
    assert result.placement is not None
    assert result.placement.state == "installed"
    record = result.readings[0].record
    assert record is not None
    assert (record.owner_hostid, record.flags, record.previous_owner_hostid) == (GLOBAL1, ("forced",), GLOBAL2)
    assert record.warrant_sha256 is not None


def test_a_zone_that_became_free_is_attached_without_force(solaris: Deployment) -> None:
    refused_attach(solaris)
    order = takeover(solaris)
    done(verbs.detach(solaris.fleet.global2, "kzone1"))

    solaris.run(order)

    assert solaris.result(order) == ("done", "NOT_FORCED")
    record = solaris.fleet.global1.read("kzone1")[0].record
    assert record is not None
    assert (record.owner_hostid, record.flags) == (GLOBAL1, ())


@pytest.mark.parametrize("change", ["state", "owner"])
def test_other_fields_than_those_approved_end_it_before_the_force(solaris: Deployment, change: str) -> None:
    refused_attach(solaris)
    order = takeover(solaris)
    if change == "state":
        done(verbs.boot(solaris.fleet.global2, "kzone1"))
    else:
        done(verbs.detach(solaris.fleet.global2, "kzone1"))
        text = solaris.fleet.global2.export("kzone1")
        third = solaris.fleet._host("global3", "9b01c2d3")
        done(configuring.configure(third, "kzone1", text))
        done(verbs.attach(third, "kzone1"))

    solaris.run(order)
    verbs.halt(solaris.fleet.global2, "kzone1")

    assert solaris.result(order) == ("refused", "CHANGED")
    assert owner(solaris) != GLOBAL1


def test_a_crash_during_the_forced_attach_is_unknown_and_never_tried_again(
    solaris: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused_attach(solaris)
    order = takeover(solaris)
    driver = solaris.agent.drivers[GLOBAL1]
    assert isinstance(driver, SolarisDriver)
    run = driver._port.run

    def crashes(zone: str, words: list[str], patience_s: float, place: Path) -> object:
        if "-x" in words:
            run(zone, words, patience_s, place)
            raise KeyboardInterrupt
        return run(zone, words, patience_s, place)

    monkeypatch.setattr(driver._port, "run", crashes)
    with pytest.raises(KeyboardInterrupt):
        solaris.run(order)
    monkeypatch.undo()
    solaris.agent.journal.close()

    recover(solaris.start())
    solaris.send()

    assert solaris.result(order) == ("unknown", "UNKNOWN")
    assert result_of(solaris, order).placement.state == "installed"  # type: ignore[union-attr]


def test_a_forced_attach_whose_end_nobody_saw_is_unknown(solaris: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    refused_attach(solaris)
    order = takeover(solaris)
    driver = solaris.agent.drivers[GLOBAL1]
    assert isinstance(driver, SolarisDriver)
    run = driver._port.run

    def never_ends(zone: str, words: list[str], patience_s: float, place: Path) -> object:
        finished = run(zone, words, patience_s, place)
        return finished._replace(exit_code=None) if "-x" in words else finished

    monkeypatch.setattr(driver._port, "run", never_ends)
    solaris.run(order)

    report = solaris.site.final(order.order)
    assert report is not None
    assert report.state is ReportState.UNKNOWN


def test_a_verb_whose_end_nobody_saw_has_not_failed(solaris: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    driver = solaris.agent.drivers[GLOBAL1]
    assert isinstance(driver, SolarisDriver)
    monkeypatch.setattr(driver._port, "run", lambda *_: Finished(None, "", ""))

    order = solaris.order(Kind.BOOT, "kzone2")
    solaris.run(order)

    assert solaris.result(order) == ("unknown", "STILL_RUNNING")


def test_nothing_is_begun_while_somebody_works_on_the_zone(
    solaris: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    driver = solaris.agent.drivers[GLOBAL1]
    assert isinstance(driver, SolarisDriver)
    monkeypatch.setattr(driver._port, "is_at_work", lambda zone: True)

    order = solaris.order(Kind.BOOT, "kzone2")
    solaris.run(order)

    assert solaris.result(order) == ("failed", "BUSY")
    assert solaris.fleet.global1.placement("kzone2").state().state == "installed"


def test_a_host_that_says_it_is_another_one_is_not_acted_on(solaris: Deployment) -> None:
    driver = solaris.agent.drivers[GLOBAL1]
    assert isinstance(driver, SolarisDriver)
    other = SolarisDriver(GLOBAL2, driver._port, solaris.directory / "other")  # type: ignore[arg-type]

    with pytest.raises(DriverError) as refused:
        other.mark_unavailable("kzone2")  # type: ignore[arg-type]

    assert refused.value.code == "HOSTID"
    assert solaris.fleet.global1.placement("kzone2").state().state == "installed"
