"""What the kinds that force nothing do: inspect, probe, export, configure and the verbs."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest
from agent_lab import GLOBAL1, GLOBAL2, Deployment, done

from kernelzone import orders, zonecfg
from kernelzone.host_state import state_digest
from kernelzone.hostdata import REGION_BYTES
from kernelzone.orders import Kind, ReportState
from kernelzone.portable import configuring, verbs
from kernelzone.words import HostId
from kzagent import evidence
from kzagent.errors import DriverError
from kzagent.host_states import HostStates

ZONE = "kzone2"


def ran(deployment: Deployment, kind: Kind, zone: str = ZONE, **args: Any) -> Any:
    """Run an order of `kind` and return its result; fails when it did not end well."""
    order = deployment.order(kind, zone, args=args)
    deployment.run(order)
    report = deployment.site.final(order.order)
    assert report is not None
    assert report.state is ReportState.DONE, report
    return orders.read_result(kind, report.result)


def code(deployment: Deployment, kind: Kind, zone: str = ZONE, **args: Any) -> tuple[str, str]:
    order = deployment.order(kind, zone, args=args)
    deployment.run(order)
    return deployment.result(order)


def test_an_inspection_tells_a_host_whole_and_no_key(deployment: Deployment) -> None:
    result = orders.read_result(Kind.INSPECT, deployment.inspected().result)

    assert (result.host.owner_hostid, result.host.hostname) == (GLOBAL1, "global1")
    assert [placement.zone for placement in result.placements] == ["kzone1", ZONE]
    assert [reading.record.owner_hostid for reading in result.readings] == [GLOBAL2, GLOBAL1]
    assert [configuration.zone for configuration in result.configurations] == ["kzone1", ZONE]
    key = deployment.fleet.global1.placement(ZONE).key()
    assert key is not None
    sent = repr(deployment.site.reports)
    assert key.hex() not in sent
    assert "keysource" not in sent


def test_a_zone_that_cannot_be_asked_does_not_hide_the_others(deployment: Deployment) -> None:
    (deployment.fleet.global1.directory / "zones" / "kzone1" / "configuration").write_text("no configuration")

    result = orders.read_result(Kind.INSPECT, deployment.inspected().result)

    assert ZONE in [reading.zone for reading in result.readings]


def test_a_zone_whose_configuration_cannot_be_read_is_read_all_the_same_and_that_is_said_once(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def unparsed(zone: str) -> None:
        raise DriverError("UNPARSED", "the exported configuration cannot be read")

    monkeypatch.setattr(deployment.agent.drivers[HostId(GLOBAL1)], "configuration", unparsed)

    found = [orders.read_result(Kind.INSPECT, deployment.inspected().result) for _ in range(2)]

    assert [[reading.zone for reading in one.readings] for one in found] == [["kzone1", ZONE]] * 2
    assert sum("the exported configuration cannot be read" in one.getMessage() for one in caplog.records) == 2


def test_storage_that_was_rolled_back_is_told_by_the_agents_own_memory(deployment: Deployment) -> None:
    image = deployment.fleet.image(ZONE)
    snapshot = image.read_bytes()
    done(verbs.ready(deployment.fleet.global1, ZONE))
    done(verbs.halt(deployment.fleet.global1, ZONE))
    deployment.inspected()
    image.write_bytes(snapshot)

    result = orders.read_result(Kind.INSPECT, deployment.inspected().result)

    warnings = {reading.zone: reading.warning for reading in result.readings}
    assert warnings == {"kzone1": None, ZONE: "ROLLBACK"}


def named(deployment: Deployment, state: str) -> Any:
    """Return the report about an inspection whose order names a state."""
    order = deployment.order(Kind.INSPECT, args={"known_state": state})
    deployment.run(order)
    return deployment.site.final(order.order)


def whole(deployment: Deployment) -> str:
    """Return the digest of a host's state, told whole."""
    return state_digest(orders.read_result(Kind.INSPECT, deployment.inspected().result))


def kept_readings(deployment: Deployment) -> int:
    return len(deployment.agent.journal.database.rows("SELECT nonce FROM readings"))


def test_a_host_as_its_order_names_it_is_unchanged_and_its_readings_are_nobodys(deployment: Deployment) -> None:
    known, kept = whole(deployment), kept_readings(deployment)

    report = named(deployment, known)

    assert (report.state, report.code, report.result) == (ReportState.DONE, "UNCHANGED", None)
    assert kept_readings(deployment) == kept


def test_a_host_that_is_not_as_its_order_names_it_is_told_whole(deployment: Deployment) -> None:
    known = whole(deployment)
    done(verbs.ready(deployment.fleet.global1, ZONE))

    changed = named(deployment, known)
    never = named(deployment, "f" * 64)

    assert orders.read_result(Kind.INSPECT, changed.result).placements[1].state == "ready"
    assert (changed.code, never.code) == ("DONE", "DONE")
    done(verbs.halt(deployment.fleet.global1, ZONE))


def test_one_changed_bit_of_host_data_is_no_unchanged_host(deployment: Deployment) -> None:
    known = whole(deployment)
    with deployment.fleet.image(ZONE).open("r+b") as image:
        image.seek(3000)  # in the padding, which no record needs
        image.write(b"\x01")

    result = orders.read_result(Kind.INSPECT, named(deployment, known).result)

    assert result.readings[1].slot_errors == {"A": "HD_CHECKSUM"}


def test_an_agent_that_lost_its_memory_learns_the_generations_of_an_unchanged_host(deployment: Deployment) -> None:
    known = whole(deployment)
    database = deployment.agent.journal.database
    before = database.rows("SELECT zone_uuid, generation, record_sha256 FROM high_water ORDER BY zone_uuid")
    with database.writing() as rows:
        rows.execute("DELETE FROM high_water")
    deployment.agent.states = HostStates()

    assert named(deployment, known).code == "UNCHANGED"

    assert database.rows("SELECT zone_uuid, generation, record_sha256 FROM high_water ORDER BY zone_uuid") == before


def test_a_probe_sees_a_write_and_only_a_write(deployment: Deployment) -> None:
    quiet = ran(deployment, Kind.PROBE, window_s=1)
    assert (quiet.changed_blocks, quiet.window_s, len(quiet.samples) >= 2) == (0, 1, True)

    writer = threading.Timer(0.6, lambda: _write_a_block(deployment))
    writer.start()
    active = ran(deployment, Kind.PROBE, window_s=2)
    writer.join()

    assert active.changed_blocks >= 1
    assert active.readings[0].zone == ZONE


def _write_a_block(deployment: Deployment) -> None:
    with deployment.fleet.image(ZONE).open("r+b") as image:
        image.seek(REGION_BYTES + 4096)
        image.write(b"a guest writes")


@pytest.mark.parametrize("window_s", [0, -1, 601])
def test_a_probe_of_no_sensible_length_is_refused(deployment: Deployment, window_s: int) -> None:
    assert code(deployment, Kind.PROBE, window_s=window_s) == ("refused", "FIELD")


def test_an_export_has_the_configuration_and_not_the_key(deployment: Deployment) -> None:
    exported = ran(deployment, Kind.EXPORT).configuration

    assert exported.text == deployment.fleet.global1.configuration(ZONE)
    assert zonecfg.key_source(zonecfg.parse(exported.text)) is None


def test_a_configuration_is_replaced_and_the_zone_keeps_its_key(deployment: Deployment) -> None:
    host = deployment.fleet.global1
    key = host.placement("kzone1").key()
    text = host.configuration("kzone1") + "set autoboot=true\n"

    result = ran(deployment, Kind.CONFIGURE, "kzone1", text=text)

    assert result.placement.autoboot
    assert host.placement("kzone1").key() == key


def test_a_zone_is_marked_unavailable_and_once_more_changes_nothing(deployment: Deployment) -> None:
    before = deployment.fleet.image(ZONE).read_bytes()[:REGION_BYTES]

    first = ran(deployment, Kind.MARK_UNAVAILABLE)
    again = ran(deployment, Kind.MARK_UNAVAILABLE)

    assert (first.placement.state, again.placement.state) == ("unavailable", "unavailable")
    assert code(deployment, Kind.BOOT) == ("failed", "WRONG_STATE")
    assert deployment.fleet.image(ZONE).read_bytes()[:REGION_BYTES] == before


def test_a_zone_that_runs_is_not_marked_unavailable(deployment: Deployment) -> None:
    done(verbs.ready(deployment.fleet.global1, ZONE))

    assert code(deployment, Kind.MARK_UNAVAILABLE) == ("failed", "WRONG_STATE")


def test_autoboot_is_switched_off_and_nothing_else_of_the_configuration(deployment: Deployment) -> None:
    host = deployment.fleet.global1
    before = host.configuration(ZONE)
    done(configuring.configure(host, ZONE, "set autoboot=true"))

    first = ran(deployment, Kind.DISABLE_AUTOBOOT)
    again = ran(deployment, Kind.DISABLE_AUTOBOOT)

    assert not first.placement.autoboot
    assert not again.placement.autoboot
    assert host.configuration(ZONE).replace("set autoboot=false\n", "") == before


def test_a_zone_that_is_new_to_the_host_may_be_configured(deployment: Deployment) -> None:
    text = deployment.fleet.global1.configuration("kzone1")

    assert ran(deployment, Kind.CONFIGURE, "kz-new", text=text).placement.state == "configured"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("create -b\nset brand=solaris-kz\nadd keysource\nset raw=" + "ab" * 16 + "\nend\n", "KEY_SOURCE"),
        ("delete -F", "ZONECFG_COMMAND"),
        ("nonsense", "ZONECFG_COMMAND"),
        ("create -b\nset brand=solaris-kz\nadd device\n", "ZONECFG_UNFINISHED"),
    ],
)
def test_a_command_file_that_is_no_plain_configuration_changes_nothing(
    deployment: Deployment, text: str, expected: str
) -> None:
    before = deployment.fleet.global1.export("kzone1")

    assert code(deployment, Kind.CONFIGURE, "kzone1", text=text) == ("failed", expected)

    assert deployment.fleet.global1.export("kzone1") == before


def test_a_command_file_that_is_too_long_is_refused(deployment: Deployment) -> None:
    assert code(deployment, Kind.CONFIGURE, "kzone1", text="#" * (32 * 1024 + 1)) == ("refused", "FIELD")


def test_a_zone_in_use_is_not_configured(deployment: Deployment) -> None:
    done(verbs.ready(deployment.fleet.global1, ZONE))
    text = deployment.fleet.global1.configuration(ZONE)

    assert code(deployment, Kind.CONFIGURE, text=text) == ("refused", "BUSY")


@pytest.mark.processes
def test_a_zone_is_booted_suspended_resumed_and_shut_down_by_orders(deployment: Deployment) -> None:
    try:
        assert ran(deployment, Kind.BOOT).placement.state == "running"
        assert code(deployment, Kind.BOOT) == ("failed", "ALREADY_BOOTED")
        assert ran(deployment, Kind.SHUTDOWN).placement.state == "installed"
        assert ran(deployment, Kind.BOOT).placement.state == "running"
        assert ran(deployment, Kind.HALT).placement.state == "installed"
        assert ran(deployment, Kind.DETACH).placement.state == "configured"
        attached = ran(deployment, Kind.ATTACH)
        assert attached.placement.state == "installed"
    finally:
        verbs.halt(deployment.fleet.global1, ZONE)


@pytest.mark.processes
def test_a_verb_that_was_done_is_done_though_the_zone_cannot_be_read_afterwards(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object) -> None:
        raise DriverError("UNREACHABLE", "the host cannot be asked")

    monkeypatch.setattr(deployment.agent.drivers[HostId(GLOBAL1)], "read", away)

    order = deployment.order(Kind.READY, ZONE)
    deployment.run(order)

    assert deployment.result(order) == ("done", "DONE")
    assert orders.read_result(Kind.READY, deployment.site.about(order.order)[-1].result).readings == ()


def test_a_zone_that_host_data_gives_to_another_is_never_booted(deployment: Deployment) -> None:
    deployment.run(deployment.takeover())
    assert deployment.fleet.global2.placement_facts("kzone1").state == "installed"
    order = deployment.order(Kind.BOOT, "kzone1", host=GLOBAL2)

    deployment.run(order)

    assert deployment.result(order) == ("failed", "IN_USE")
    assert deployment.fleet.global2.placement_facts("kzone1").state != "running"


def test_a_host_does_not_attach_what_its_agent_has_seen_newer_on_another_host(deployment: Deployment) -> None:
    """F15: no verb of global1 has ever looked at this zone."""
    fleet = deployment.fleet
    deployment.inspected(GLOBAL1)
    done(verbs.detach(fleet.global2, "kzone1"))
    free = fleet.image("kzone1").read_bytes()
    done(verbs.attach(fleet.global2, "kzone1"))
    deployment.inspected(GLOBAL2)
    fleet.image("kzone1").write_bytes(free)

    assert code(deployment, Kind.ATTACH, "kzone1") == ("failed", "ROLLBACK")

    assert fleet.image("kzone1").read_bytes() == free
    assert fleet.global1.placement_facts("kzone1").state != "installed"


def test_an_agent_is_the_writer_named_in_host_data(deployment: Deployment) -> None:
    done_by = ran(deployment, Kind.READY)

    assert done_by.placement.state == "ready"
    image = deployment.fleet.image(ZONE).read_bytes()
    assert deployment.uuid.bytes in image[:4096]


def test_a_reading_ages_from_when_it_was_begun(deployment: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    driver = deployment.agent.drivers[deployment.fleet.global1.owner_hostid]
    read = driver.read

    def slowly(*arguments: Any) -> Any:
        deployment.clock.slept_ms += 5000
        return read(*arguments)

    monkeypatch.setattr(driver, "read", slowly)
    began_ms = deployment.clock.monotonic_ms()

    (reading,) = evidence.read_zone(deployment.agent, driver, driver.placements()[1].zone)

    kept = deployment.agent.journal.database.row("SELECT monotonic_ms FROM readings WHERE nonce = ?", reading.nonce)
    assert kept is not None
    assert kept[0] - began_ms < 2000, time.monotonic()
