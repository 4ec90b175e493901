"""Forced actions beyond the plain case: other beginnings, other writers, faulty storage, and what comes afterwards."""

from __future__ import annotations

import pytest
from agent_lab import GLOBAL1, GLOBAL2, Deployment, done

from kernelzone.hostdata import SLOT_A, SLOT_B, Device, HostDataError
from kernelzone.orders import Kind, Report, VerbResult, read_result
from kernelzone.portable import configuring, storage, verbs
from kzagent import afterwards
from kzagent.errors import JournalError
from kzagent.intents import OrderClaim


def result_of(report: Report | None) -> VerbResult:
    assert report is not None
    result = read_result(Kind.FORCE_TAKEOVER, report.result)
    assert isinstance(result, VerbResult)
    return result


def device(deployment: Deployment, zone: str = "kzone1") -> Device:
    return Device(deployment.fleet.image(zone))


def tear(deployment: Deployment, slot: int, zone: str = "kzone1") -> None:
    image = device(deployment, zone).read_slots()[slot]
    device(deployment, zone).write_slot(slot, image[:2048] + bytes(2048))


def test_an_approved_takeover_claims_attaches_and_shows_a_new_reading(deployment: Deployment) -> None:
    order = deployment.takeover()

    deployment.run(order)

    report = deployment.site.final(order.order)
    assert report is not None
    assert (report.state, report.code) == ("done", "DONE")
    result = result_of(report)
    record = result.readings[0].record
    assert record is not None
    assert (record.owner_hostid, record.flags, record.previous_owner_hostid) == (GLOBAL1, ("forced",), GLOBAL2)
    assert result.placement is not None
    assert result.placement.state == "installed"
    said = [one.progress.what for one in deployment.site.about(order.order) if one.progress]
    assert said[-3:] == [
        "claiming host data",
        "host data names this host, attaching",
        "reading host data again",
    ]


def test_an_ordinary_attach_of_a_zone_in_use_reports_the_six_fields(deployment: Deployment) -> None:
    order = deployment.order(Kind.ATTACH, "kzone1")

    deployment.run(order)

    report = deployment.site.final(order.order)
    assert report is not None
    assert (report.state, report.code) == ("failed", "IN_USE")
    result = result_of(report)
    assert result.in_use is not None
    assert (result.in_use.owner_hostid, result.in_use.hostname) == (GLOBAL2, "global2")
    assert any("is in use by host with" in line for line in report.lines)
    assert result.readings[0].record is not None
    assert result.readings[0].record.owner_hostid == GLOBAL2, "the refusal changed the owner"


@pytest.mark.parametrize("slot", [SLOT_A, SLOT_B])
def test_a_torn_zone_may_be_taken_over_from_exactly_what_was_approved(deployment: Deployment, slot: int) -> None:
    tear(deployment, slot)
    order = deployment.takeover()

    deployment.run(order)

    assert deployment.result(order) == ("done", "DONE")
    (reading,) = deployment.fleet.global1.read("kzone1")
    assert (reading.status, reading.generation) == ("CLEAN", 2)


def test_what_no_key_opens_is_not_taken_over(deployment: Deployment) -> None:
    tear(deployment, SLOT_A)
    tear(deployment, SLOT_B)
    before = device(deployment).read_slots()
    order = deployment.takeover()

    deployment.run(order)

    assert deployment.result(order) == ("refused", "NO_HOST_DATA")
    assert device(deployment).read_slots() == before


def test_what_no_key_opens_may_be_initialised(deployment: Deployment) -> None:
    tear(deployment, SLOT_A)
    tear(deployment, SLOT_B)
    order = deployment.takeover(kind=Kind.INITIALIZE_HOSTDATA)

    deployment.run(order)

    assert deployment.result(order) == ("done", "DONE")


def test_a_zone_that_was_installed_here_when_another_took_it_can_be_taken_back(deployment: Deployment) -> None:
    host, zone = deployment.fleet.global1, "kzone2"
    done(configuring.configure(deployment.fleet.global2, zone, host.export(zone)))
    done(verbs.attach(deployment.fleet.global2, zone, "force-takeover"))
    assert host.placement_facts(zone).state == "installed"
    order = deployment.takeover(zone)

    deployment.run(order)

    assert deployment.result(order) == ("done", "DONE")
    assert host.placement_facts(zone).state == "installed"


# --- a zone on two boot storages ------------------------------------------------------------------------------------


@pytest.fixture
def mirrored(deployment: Deployment) -> Deployment:
    """kz-mirror has two boot devices; global2 owns it, global1 wants it."""
    fleet = deployment.fleet
    text = "create -b; set brand=solaris-kz; "
    for number in range(2):
        path = fleet.image(f"kz-mirror{number}")
        storage.create(path, storage.SMALLEST_BYTES)
        text += f"add device; set storage=file://{path}; set bootpri={number}; set id={number}; end; "
    done(configuring.configure(fleet.global2, "kz-mirror", text))
    done(verbs.install(fleet.global2, "kz-mirror"))
    done(configuring.configure(fleet.global1, "kz-mirror", fleet.global2.export("kz-mirror")))
    return deployment


def test_a_zone_on_two_boot_storages_is_taken_over_on_both(mirrored: Deployment) -> None:
    order = mirrored.takeover("kz-mirror")

    mirrored.run(order)

    assert mirrored.result(order) == ("done", "DONE")
    records = [reading.record for reading in mirrored.fleet.global1.read("kz-mirror")]
    assert [record.owner_hostid for record in records if record] == [GLOBAL1, GLOBAL1]
    assert len({record.incarnation for record in records if record}) == 1


def test_one_of_two_boot_storages_changed_refuses_both(mirrored: Deployment) -> None:
    order = mirrored.takeover("kz-mirror")
    tear(mirrored, SLOT_B, "kz-mirror1")
    before = device(mirrored, "kz-mirror0").read_slots()

    mirrored.run(order)

    assert mirrored.result(order) == ("refused", "CHANGED")
    assert device(mirrored, "kz-mirror0").read_slots() == before


def test_a_claim_that_is_won_on_one_of_two_is_unknown_and_never_done(
    mirrored: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = mirrored.takeover("kz-mirror")
    intent = OrderClaim.intent

    def fails_on_the_second(self: OrderClaim, *images: bytes) -> None:
        if "kz-mirror1" in self._place[2]:
            raise JournalError("the disk is full")
        intent(self, *images)

    monkeypatch.setattr(OrderClaim, "intent", fails_on_the_second)

    mirrored.run(order)

    assert mirrored.result(order) == ("unknown", "JOURNAL")


# --- other writers and faulty storage -------------------------------------------------------------------------------


def test_a_write_of_another_between_check_and_claim_ends_in_changed(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = deployment.takeover()
    claim = deployment.agent.drivers[order.owner_hostid].claim

    def late(*arguments: object) -> object:
        done(verbs.detach(deployment.fleet.global2, "kzone1"))
        return claim(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(deployment.agent.drivers[order.owner_hostid], "claim", late)

    deployment.run(order)

    assert deployment.result(order) == ("not-applied", "CHANGED")
    (reading,) = deployment.fleet.global2.read("kzone1")
    assert reading.record is not None
    assert (reading.record.state, reading.record.owner_hostid) == ("free", GLOBAL2)


def test_a_write_of_another_inside_the_claim_is_lost_and_left_alone(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = deployment.takeover()
    foreign = device(deployment, "kzone2").read_slots()
    write = Device.write_slot

    def then_another(self: Device, slot: int, image: bytes) -> None:
        write(self, slot, image)
        if self.path == deployment.fleet.image("kzone1") and image not in foreign:
            write(self, SLOT_B, foreign[SLOT_B])

    monkeypatch.setattr(Device, "write_slot", then_another)

    deployment.run(order)

    assert deployment.result(order) == ("lost", "LOST")
    assert device(deployment).read_slots()[SLOT_B] == foreign[SLOT_B]


def test_storage_that_fails_while_it_is_written_is_unknown_or_untouched_never_done(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = deployment.takeover()

    def fails(self: Device, slot: int, image: bytes) -> None:
        raise HostDataError("HD_IO")

    monkeypatch.setattr(Device, "write_slot", fails)
    before = device(deployment).read_slots()

    deployment.run(order)

    assert deployment.result(order)[0] in ("not-applied", "unknown")
    assert device(deployment).read_slots() == before


def test_storage_that_confirms_a_write_and_keeps_nothing_is_not_committed(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = deployment.takeover()
    monkeypatch.setattr(Device, "write_slot", lambda self, slot, image: None)

    deployment.run(order)

    assert deployment.result(order) == ("unknown", "HD_LOST_WRITE")
    assert deployment.fleet.global1.placement_facts("kzone1").state == "configured"


# --- afterwards -----------------------------------------------------------------------------------------------------


def later(deployment: Deployment) -> None:
    deployment.clock.slept_ms += afterwards.LOOK_EVERY_MS
    deployment.agent.afterwards.look()


def test_a_late_write_that_tears_a_won_record_is_repaired(deployment: Deployment) -> None:
    deployment.run(deployment.takeover())
    won = device(deployment).read_slots()
    tear(deployment, SLOT_A)

    deployment.agent.afterwards.look()
    assert device(deployment).read_slots() != won, "it is not time to look yet"
    later(deployment)

    assert device(deployment).read_slots() == won


def test_a_record_that_was_changed_since_is_left_as_it_is(deployment: Deployment) -> None:
    deployment.run(deployment.takeover())
    done(verbs.detach(deployment.fleet.global1, "kzone1"))
    later(deployment)
    changed = device(deployment).read_slots()
    tear(deployment, SLOT_A)

    later(deployment)

    assert device(deployment).read_slots()[SLOT_B] == changed[SLOT_B]
    assert device(deployment).read_slots()[SLOT_A] != changed[SLOT_A], "only the winner's own record is repaired"


def test_a_won_record_is_looked_after_for_ten_minutes_and_not_longer(deployment: Deployment) -> None:
    deployment.run(deployment.takeover())
    deployment.clock.slept_ms += afterwards.LOOK_FOR_MS
    deployment.agent.afterwards.look()
    tear(deployment, SLOT_A)
    torn = device(deployment).read_slots()

    later(deployment)

    assert device(deployment).read_slots() == torn
