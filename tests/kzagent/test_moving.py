"""The kinds by which zones leave a host: migrate and evacuate, through a whole agent."""

from __future__ import annotations

from typing import Any

import pytest
from agent_lab import GLOBAL1, GLOBAL2, Deployment, done

from kernelzone import orders
from kernelzone.facts import Outcome
from kernelzone.orders import EvacuateResult, Kind, ReportState, VerbResult
from kernelzone.portable import configuring, evacuating, evacuation_targets, fsck, guests, maintenance, verbs
from kernelzone.portable.evacuating import Evacuation
from kernelzone.portable.evacuation_targets import EVERY_ZONE
from kernelzone.words import HostId, ZoneName

pytestmark = pytest.mark.processes
ZONE = "kz-move"
ARGS = {"target": "ssh://global2", "target_hostid": GLOBAL2, "dry_run": False, "live_only": False}
EVACUATE = {"dry_run": False, "every_zone": False, "is_return": False}


@pytest.fixture
def running(deployment: Deployment) -> Any:
    """kz-move runs on global1, on storage that both hosts reach; its guest is gone when the test ends."""
    fleet = deployment.fleet
    uri = "lu:luname.naa.600144f0000000000000000000000009"
    fleet.global1.path_of(uri).touch()
    with fleet.global1.path_of(uri).open("r+b") as file:
        file.truncate(2 * 1024 * 1024)
    text = f"create -b; set brand=solaris-kz; add device; set storage={uri}; set bootpri=0; set id=0; end"
    done(configuring.configure(fleet.global1, ZONE, text))
    done(verbs.install(fleet.global1, ZONE))
    done(verbs.boot(fleet.global1, ZONE))
    yield fleet.global1.path_of(uri)
    guests.end_all([host.placement(ZONE).guest() for host in (fleet.global1, fleet.global2) if ZONE in host.zones()])


def report_of(deployment: Deployment, kind: Kind, zone: str | None, args: dict[str, Any]) -> Any:
    order = deployment.order(kind, zone, args=args)
    deployment.run(order)
    return deployment.site.final(order.order)


def test_a_live_migration_is_ordered_reported_line_by_line_and_told_by_the_target(
    deployment: Deployment, running: Any
) -> None:
    order = deployment.order(Kind.MIGRATE, ZONE, args=ARGS)
    deployment.run(order)
    report = deployment.site.final(order.order)

    assert (report.state, report.code) == (ReportState.DONE, "DONE")
    assert report.lines[-1] == f"zoneadm: zone '{ZONE}': Halting and detaching zone on source host."
    result: VerbResult = orders.read_result(Kind.MIGRATE, report.result)
    assert result.placement is not None
    assert result.placement.state == "configured"
    (reading,) = result.readings
    assert reading.record is not None
    assert (reading.record.owner_hostid, reading.record.previous_owner_hostid) == (GLOBAL2, GLOBAL1)
    steps = [
        (one.progress.done, one.progress.of, one.progress.what)
        for one in deployment.site.about(order.order)
        if one.progress
    ]
    assert [step[:2] for step in steps] == [(number, 9) for number in range(1, 10)]
    assert steps[4][2].endswith("Starting migration.")
    assert deployment.fleet.global2.placement_facts(ZONE).state == "running"
    assert fsck.check(running, None).is_clean


def test_a_dry_run_is_done_and_moves_nothing(deployment: Deployment, running: Any) -> None:
    report = report_of(deployment, Kind.MIGRATE, ZONE, {**ARGS, "dry_run": True})
    assert (report.state, report.lines[-1]) == ("done", f"zoneadm: zone '{ZONE}': Dry-run migration successful.")
    assert deployment.fleet.global1.placement_facts(ZONE).state == "running"


def test_an_order_that_was_cut_off_after_the_zone_had_gone_is_done_when_it_comes_again(
    deployment: Deployment, running: Any
) -> None:
    done(verbs.migrate(deployment.fleet.global1, ZONE, "ssh://global2"))
    report = report_of(deployment, Kind.MIGRATE, ZONE, ARGS)
    assert (report.state, report.code) == (ReportState.DONE, "DONE")
    assert "there already" in report.lines[0]
    report = report_of(deployment, Kind.MIGRATE, ZONE, {**ARGS, "target_hostid": GLOBAL1})
    assert (report.state, report.code) == (ReportState.FAILED, "WRONG_STATE")


def test_a_zone_goes_to_the_host_that_is_meant_and_to_no_other_of_that_name(
    deployment: Deployment, running: Any
) -> None:
    report = report_of(deployment, Kind.MIGRATE, ZONE, {**ARGS, "target_hostid": "80808080"})
    assert (report.state, report.code) == (ReportState.FAILED, "TARGET_OTHER")
    assert f"global2 is host {GLOBAL2}, but host 80808080 is meant" in report.lines[-1]
    assert deployment.fleet.global1.placement_facts(ZONE).state == "running"


def test_the_guard_leaves_the_zones_of_a_host_alone_while_it_is_evacuated(
    deployment: Deployment, running: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []

    def evacuate(*args: object, **options: object) -> Evacuation:
        with deployment.agent.at_work.guard(HostId(GLOBAL1), ZoneName(ZONE)) as is_idle:
            seen.append(is_idle)
        return Evacuation(Outcome("evacuate", True, 0, "DONE", ()), ())

    monkeypatch.setattr(evacuating, "evacuate", evacuate)
    assert report_of(deployment, Kind.EVACUATE, None, EVACUATE).state == ReportState.DONE
    assert seen == [False]


def test_a_refusal_is_a_failure_with_its_code_and_the_zone_stays(deployment: Deployment, running: Any) -> None:
    maintenance.start(deployment.fleet.global2.directory, "new firmware")
    report = report_of(deployment, Kind.MIGRATE, ZONE, ARGS)
    assert (report.state, report.code) == (ReportState.FAILED, "MAINTENANCE")
    assert orders.read_result(Kind.MIGRATE, report.result).placement.state == "running"


@pytest.mark.parametrize("target", ["-n", "ssh://global2; reboot", "global2", "file:///etc/passwd", "ssh://a\nb"])
def test_a_target_that_is_none_is_refused_before_anything_is_asked(
    deployment: Deployment, running: Any, target: str
) -> None:
    report = report_of(deployment, Kind.MIGRATE, ZONE, {**ARGS, "target": target})
    assert (report.state, report.code) == (ReportState.REFUSED, "FIELD")


def test_a_host_is_evacuated_zone_by_zone_and_says_where_each_went(deployment: Deployment, running: Any) -> None:
    directory = deployment.fleet.global1.directory
    evacuation_targets.store(directory, f"{EVERY_ZONE}:{ZONE}", "ssh://global2")
    evacuation_targets.refresh(directory, f"{EVERY_ZONE}:{ZONE}")

    report = report_of(deployment, Kind.EVACUATE, None, {**EVACUATE, "every_zone": True})
    result: EvacuateResult = orders.read_result(Kind.EVACUATE, report.result)
    assert (report.state, report.code) == (ReportState.FAILED, "PARTIAL")
    fates = {one.zone: (one.fate, one.target, one.error) for one in result.zones}
    assert fates == {
        ZONE: ("evacuated", "ssh://global2", ""),
        "kzone2": ("skipped", "", "no evacuation target is set"),
    }
    assert deployment.fleet.global2.placement_facts(ZONE).state == "running"

    report = report_of(deployment, Kind.EVACUATE, None, {**EVACUATE, "is_return": True})
    assert (report.state, report.lines[-1]) == ("done", f"sysadm: {ZONE}: returned")
    assert deployment.fleet.global1.placement_facts(ZONE).state == "running"
    assert fsck.check(running, None).is_clean


def test_a_host_in_maintenance_is_not_given_a_zone_by_a_forced_action_either(deployment: Deployment) -> None:
    maintenance.start(deployment.fleet.global1.directory, "new firmware")
    order = deployment.takeover()
    before = deployment.fleet.image("kzone1").read_bytes()
    deployment.run(order)
    assert deployment.result(order)[1] == "MAINTENANCE"
    assert deployment.fleet.image("kzone1").read_bytes() == before
