"""What every driver promises, whatever stands behind it: one set of tests for all of them."""

from __future__ import annotations

from dataclasses import replace

import pytest
from agent_lab import GLOBAL1, GLOBAL2, Fleet, done

from kernelzone import zoneadm
from kernelzone.orders import EvacuateArgs, MigrateArgs
from kernelzone.portable import configuring, drills, evacuation_targets, maintenance, storage, verbs
from kernelzone.states import Verb
from kernelzone.words import HostId, ZoneName
from kzagent.drivers import ZoneDriver
from kzagent.errors import DriverError

KZONE1, KZONE2 = ZoneName("kzone1"), ZoneName("kzone2")


def state(driver: ZoneDriver, zone: str = KZONE2) -> str:
    return next(one.state for one in driver.placements() if one.zone == zone)


def run(driver: ZoneDriver, verb: Verb, zone: ZoneName = KZONE2) -> str:
    return driver.run(verb, zone, 0).code


def test_a_host_is_named_as_it_names_itself(driver: ZoneDriver, way: str, fleet: Fleet) -> None:
    facts = driver.host()

    assert driver.is_reachable()
    assert driver.owner_hostid == facts.owner_hostid == GLOBAL1
    assert (facts.hostname, facts.release) == ("global1", "unknown" if way == "rad" else "11.4")
    assert facts.boot_environment_uuid == fleet.global1.boot_environment.uuid


def test_a_host_that_started_again_has_another_boot_id(driver: ZoneDriver, fleet: Fleet) -> None:
    before = driver.host().boot_id

    fleet.global1.crash()
    fleet.global1.come_back()

    assert driver.host().boot_id != before


def test_a_host_that_has_become_another_one_is_left_alone(driver: ZoneDriver, way: str, fleet: Fleet) -> None:
    if way == "rad":
        pytest.skip("RAD cannot say the hostid: docs/solaris.md")
    assert driver.owner_hostid == GLOBAL1
    fleet.global1.crash()
    drills.set_hostid(fleet.global1, "80808080")
    fleet.global1.come_back()

    with pytest.raises(DriverError) as refused:
        driver.run(Verb.BOOT, KZONE2, 0)
    assert refused.value.code == "HOSTID"
    assert fleet.global1.placement("kzone2").state().state == "installed"


def test_every_zone_is_listed_with_state_and_boot_storage(driver: ZoneDriver, fleet: Fleet) -> None:
    placements = {one.zone: one for one in driver.placements()}

    assert {zone: one.state for zone, one in placements.items()} == {"kzone1": "configured", "kzone2": "installed"}
    assert placements[KZONE2].boot_storage == fleet.global1.placement("kzone2").boot_devices()
    assert placements[KZONE2].autoboot is False


def test_a_configuration_comes_whole_and_without_its_key(driver: ZoneDriver, fleet: Fleet) -> None:
    found = driver.configuration(KZONE1)

    assert "keysource" in fleet.global1.export("kzone1")
    assert found.text == fleet.global1.configuration("kzone1")
    assert found.sha256 == next(one.configuration_sha256 for one in driver.placements() if one.zone == KZONE1)


def test_a_zone_in_use_elsewhere_is_refused_with_the_six_fields(driver: ZoneDriver, fleet: Fleet) -> None:
    outcome = driver.run(Verb.ATTACH, KZONE1, 0)

    assert (outcome.is_done, outcome.exit_code, outcome.code) == (False, 1, "IN_USE")
    in_use = zoneadm.parse_in_use("\n".join(outcome.lines))
    assert in_use is not None
    assert (in_use.owner_hostid, in_use.last_known_state, in_use.hostname) == (GLOBAL2, "installed", "global2")
    assert state(driver, KZONE1) == "unavailable"


def test_what_is_read_after_the_refusal_names_the_owner(driver: ZoneDriver) -> None:
    driver.run(Verb.ATTACH, KZONE1, 0)

    (reading,) = driver.read(KZONE1, 0)

    assert reading.record is not None
    assert (reading.record.owner_hostid, reading.record.owner_hostname) == (GLOBAL2, "global2")
    assert reading.record.boot_environment_uuid is not None
    assert reading.raw_sha256 is not None


def test_a_free_zone_attaches(driver: ZoneDriver, fleet: Fleet) -> None:
    done(verbs.detach(fleet.global2, "kzone1"))

    assert run(driver, Verb.ATTACH, KZONE1) == "DONE"
    assert state(driver, KZONE1) == "installed"


def test_the_wrong_key_is_told_apart(driver: ZoneDriver, fleet: Fleet) -> None:
    done(verbs.detach(fleet.global2, "kzone1"))
    text = fleet.global1.export("kzone1")
    raw = next(line for line in text.splitlines() if "raw=" in line).partition("raw=")[2]
    text = text.replace(raw, raw[::-1])
    done(configuring.configure(fleet.global1, "kzone1", text.replace("create -b", "create -Fb")))

    assert run(driver, Verb.ATTACH, KZONE1) == "WRONG_KEY"
    assert state(driver, KZONE1) == "unavailable"


@pytest.mark.parametrize(
    ("walk", "ends"),
    [
        ((Verb.BOOT, Verb.HALT), "installed"),
        ((Verb.READY, Verb.BOOT, Verb.SHUTDOWN), "installed"),
        ((Verb.DETACH, Verb.ATTACH, Verb.READY, Verb.HALT), "installed"),
        ((Verb.DETACH,), "configured"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, tuple) else value,
)
def test_verbs_lead_where_the_table_says(driver: ZoneDriver, walk: tuple[Verb, ...], ends: str) -> None:
    for verb in walk:
        outcome = driver.run(verb, KZONE2, 0)
        assert (outcome.code, outcome.exit_code) == ("DONE", 0), (verb, outcome)

    assert state(driver) == ends


def test_a_suspended_zone_says_so_and_resumes(driver: ZoneDriver, fleet: Fleet) -> None:
    place = fleet.root / "storage" / "suspend"
    text = f"select device id=0; end; add suspend; set path={place}/%{{zonename}}; end"
    done(configuring.configure(fleet.global1, "kzone2", text))
    assert [run(driver, verb) for verb in (Verb.BOOT, Verb.SUSPEND)] == ["DONE", "DONE"]

    placement = next(one for one in driver.placements() if one.zone == KZONE2)

    assert (placement.state, placement.auxiliary) == ("installed", ("suspended",))
    assert run(driver, Verb.BOOT) == "DONE"
    assert run(driver, Verb.HALT) == "DONE"


def test_what_the_state_does_not_allow_is_refused_with_its_code(driver: ZoneDriver) -> None:
    assert run(driver, Verb.DETACH, KZONE1) == "WRONG_STATE"
    assert run(driver, Verb.ATTACH) == "WRONG_STATE"
    assert run(driver, Verb.BOOT) == "DONE"
    assert run(driver, Verb.BOOT) == "ALREADY_BOOTED"
    assert run(driver, Verb.HALT) == "DONE"


def test_a_zone_that_is_marked_unavailable_does_not_boot(driver: ZoneDriver) -> None:
    assert driver.mark_unavailable(KZONE2).is_done
    assert driver.mark_unavailable(KZONE2).is_done

    assert run(driver, Verb.BOOT) == "WRONG_STATE"
    assert state(driver) == "unavailable"


def test_autoboot_is_switched_off(driver: ZoneDriver, fleet: Fleet) -> None:
    done(configuring.configure(fleet.global1, "kzone2", "set autoboot=true"))
    assert driver.configuration(KZONE2).text.count("autoboot=true") == 1

    assert driver.disable_autoboot(KZONE2).is_done

    assert next(one.autoboot for one in driver.placements() if one.zone == KZONE2) is False


def test_a_configuration_is_replaced_and_the_zone_keeps_its_key(driver: ZoneDriver, fleet: Fleet) -> None:
    text = driver.configuration(KZONE2).text + "add virtual-cpu\nset ncpus=4\nend\n"

    assert driver.configure(KZONE2, text).is_done

    assert "ncpus=4" in driver.configuration(KZONE2).text
    assert [run(driver, verb) for verb in (Verb.BOOT, Verb.HALT)] == ["DONE", "DONE"]


def test_a_new_zone_is_configured(driver: ZoneDriver) -> None:
    outcome = driver.configure(ZoneName("kzone3"), "create -b\nset brand=solaris-kz\n")

    assert outcome.is_done, outcome
    assert state(driver, "kzone3") == "configured"


def test_a_configuration_with_a_key_source_is_refused(driver: ZoneDriver, fleet: Fleet) -> None:
    with pytest.raises(DriverError) as refused:
        driver.configure(KZONE1, fleet.global1.export("kzone1"))

    assert refused.value.code == "KEY_SOURCE"


MOVING = ZoneName("kz-move")
MIGRATION = MigrateArgs("ssh://global2", HostId(GLOBAL2), dry_run=False, live_only=False)


@pytest.fixture
def moving(fleet: Fleet) -> Fleet:
    """kz-move is installed on global1, on storage that both hosts reach."""
    uri = "lu:luname.naa.600144f0000000000000000000000009"
    storage.create(fleet.global1.path_of(uri), storage.SMALLEST_BYTES)
    text = f"create -b; set brand=solaris-kz; add device; set storage={uri}; set bootpri=0; set id=0; end"
    done(configuring.configure(fleet.global1, MOVING, text))
    done(verbs.install(fleet.global1, MOVING))
    return fleet


def test_a_zone_is_migrated_and_configured_here_afterwards(driver: ZoneDriver, moving: Fleet) -> None:
    dry = driver.migrate(MOVING, replace(MIGRATION, dry_run=True), 0, lambda line: None)
    assert (dry.code, dry.lines[-1]) == ("DONE", f"zoneadm: zone '{MOVING}': Cleaning up.")
    assert state(driver, MOVING) == "installed"

    outcome = driver.migrate(MOVING, MIGRATION, 0, lambda line: None)

    assert (outcome.code, outcome.lines[0]) == (
        "DONE",
        f"zoneadm: zone '{MOVING}': Importing zone configuration on destination.",
    )
    assert state(driver, MOVING) == "configured"
    assert moving.global2.placement_facts(MOVING).state == "installed"


def test_a_migration_that_is_refused_leaves_the_zone_where_it_is(driver: ZoneDriver, moving: Fleet) -> None:
    outcome = driver.migrate(MOVING, replace(MIGRATION, live_only=True), 0, lambda line: None)

    assert not outcome.is_done
    assert "must be running before migrate -t live." in outcome.lines[-1]
    assert state(driver, MOVING) == "installed"


EVACUATION = EvacuateArgs(dry_run=False, every_zone=True, is_return=False)


@pytest.fixture
def leaving(moving: Fleet) -> Fleet:
    """kz-move is to go to global2 when its host is evacuated; kzone2 goes nowhere."""
    service = f"{evacuation_targets.EVERY_ZONE}:{MOVING}"
    evacuation_targets.store(moving.global1.directory, service, "ssh://global2")
    evacuation_targets.refresh(moving.global1.directory, service)
    return moving


def test_the_zones_of_a_host_go_and_come_back(driver: ZoneDriver, way: str, leaving: Fleet) -> None:
    if way == "rad":
        with pytest.raises(DriverError) as refused:
            driver.evacuate(EVACUATION, lambda line: None)
        assert refused.value.code == "NOT_OFFERED"
        return
    done(driver.run(Verb.DETACH, KZONE2, 0))
    said: list[str] = []

    dry = driver.evacuate(replace(EVACUATION, dry_run=True), said.append)
    assert (dry.outcome.code, [(one.zone, one.fate, one.target) for one in dry.zones]) == (
        "DONE",
        [(MOVING, "evacuated", "ssh://global2")],
    )
    assert state(driver, MOVING) == "installed"

    gone = driver.evacuate(EVACUATION, said.append)
    assert (gone.outcome.code, gone.zones) == ("DONE", dry.zones), gone
    assert (state(driver, MOVING), leaving.global2.placement_facts(MOVING).state) == ("configured", "installed")
    assert "sysadm: evacuation completed successfully." in said

    back = driver.evacuate(replace(EVACUATION, is_return=True), said.append)
    assert (back.outcome.code, [(one.zone, one.fate) for one in back.zones]) == ("DONE", [(MOVING, "returned")])
    assert state(driver, MOVING) == "installed"


def test_a_zone_without_a_target_stays_and_is_named(driver: ZoneDriver, way: str, leaving: Fleet) -> None:
    if way == "rad":
        pytest.skip("RAD does not evacuate here")

    gone = driver.evacuate(EVACUATION, lambda line: None)

    assert gone.outcome.code == "PARTIAL"
    assert {one.zone: one.fate for one in gone.zones} == {MOVING: "evacuated", KZONE2: "skipped"}
    assert state(driver) == "installed"


def test_the_maintenance_of_a_host_is_told_in_its_own_words(driver: ZoneDriver, way: str, fleet: Fleet) -> None:
    assert driver.host().maintenance is None

    maintenance.start(fleet.global1.directory, "new disks: shelf 3")

    assert driver.host().maintenance == (None if way == "rad" else "new disks: shelf 3")
    maintenance.end(fleet.global1.directory)
    assert driver.host().maintenance is None
