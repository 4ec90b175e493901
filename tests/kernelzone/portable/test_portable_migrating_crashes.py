"""A migration that is killed at every step: one host has the zone afterwards, and nobody ever wrote beside it."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from typing import Any

import pytest
from portable_lab import Lab, must

from kernelzone.crashpoints import CRASHPOINTS, VARIABLE
from kernelzone.hostdata import Device
from kernelzone.portable import changes, configuring, fsck, guests, migration_settling, storage, verbs
from kernelzone.portable.host import Host

pytestmark = pytest.mark.processes
ZONE = "kzone1"
SOURCE, TARGET = "848611d4", "83a0cc71"
STAYED = ("running", ()), ("configured", ()), (SOURCE, "running")
# what a live migration killed there has come to once both hosts have settled it: source, target, host data
LIVE = {
    "migrate.after-configured": STAYED,
    "migrate.after-booted-in": STAYED,
    "migrate.after-marked-out": STAYED,
    "migrate.after-suspended": STAYED,
    "migrate.before-handed-over": STAYED,
    "migrate.after-handed-over": (("configured", ()), ("installed", ("suspended",)), (TARGET, "suspended")),
    "migrate.before-going": (("configured", ()), ("installed", ()), (TARGET, "installed")),
    "migrate.after-going": (("configured", ()), ("running", ()), (TARGET, "running")),
}
COLD = {
    "migrate.after-configured": (("installed", ()), ("configured", ()), (SOURCE, "installed")),
    "migrate.before-handed-over": (("installed", ()), ("configured", ()), (SOURCE, "installed")),
    "migrate.after-handed-over": (("configured", ()), ("installed", ()), (TARGET, "installed")),
}
# in the claim of the target: taken back before slot B is begun, finished from then on
CLAIMS = {
    "claim.after-slot-a": COLD["migrate.before-handed-over"],
    "claim.inside-slot-b": COLD["migrate.after-handed-over"],
}


def killed_at(point: str, lab: Lab) -> None:
    words = [str(lab.global2.directory), "zoneadm", "-z", ZONE, "migrate", "ssh://global1"]
    command = [sys.executable, "-m", "kernelzone.portable.cli", *words]
    ended = subprocess.run(command, env={**os.environ, VARIABLE: point}, capture_output=True, check=False)
    assert ended.returncode == -9, ended.stderr.decode()


def settled(lab: Lab) -> tuple[tuple[str, tuple[str, ...]], ...]:
    (reading,) = lab.global2.read(ZONE)
    assert reading.status == "CLEAN"
    assert reading.record is not None
    facts = [host.placement_facts(ZONE) for host in (lab.global2, lab.global1)]
    return *((one.state, one.auxiliary) for one in facts), (reading.record.owner_hostid, reading.record.state)


def recover(lab: Lab, order: str) -> None:
    for host in {"source first": (lab.global2, lab.global1), "target first": (lab.global1, lab.global2)}[order]:
        verbs.recover(host)
    verbs.recover(lab.global2)  # what the source could not settle before the target had


def is_clean(lab: Lab) -> bool:
    return fsck.check(lab.storage_path(), None).is_clean


def traces(lab: Lab) -> list[str]:
    found = [path for name in ("migrating.json", "handover") for path in lab.directory.glob(f"*/zones/*/{name}")]
    return sorted(path.name for path in found)


@pytest.mark.parametrize("order", ["source first", "target first"])
@pytest.mark.parametrize("point", LIVE)
def test_a_killed_live_migration_leaves_the_zone_on_one_host_which_goes_on(lab: Lab, point: str, order: str) -> None:
    lab.running()
    killed_at(point, lab)

    recover(lab, order)

    assert settled(lab) == LIVE[point]
    assert is_clean(lab)
    assert traces(lab) == (["handover"] if LIVE[point][1][1] == ("suspended",) else [])
    has = lab.global1 if LIVE[point][2][0] == TARGET else lab.global2
    if has.placement_facts(ZONE).state != "running":
        must(verbs.boot(has, ZONE))
    other = lab.global2 if has is lab.global1 else lab.global1
    must(verbs.migrate(has, ZONE, f"ssh://{other.hostname}"))
    assert is_clean(lab)
    assert traces(lab) == []


@pytest.mark.parametrize("order", ["source first", "target first"])
@pytest.mark.parametrize("point", [*COLD, *CLAIMS])
def test_a_killed_cold_migration_leaves_the_zone_on_one_host(lab: Lab, point: str, order: str) -> None:
    lab.installed()
    killed_at(point, lab)

    recover(lab, order)

    expected = {**COLD, **CLAIMS}[point]
    assert settled(lab) == expected
    assert traces(lab) == []
    must(verbs.boot(lab.global1 if expected[2][0] == TARGET else lab.global2, ZONE))


def test_every_crash_point_of_a_migration_is_swept() -> None:
    assert set(LIVE) == {name for name in CRASHPOINTS if name.startswith("migrate.")}


def test_the_next_command_on_either_host_settles_it_without_being_asked_to(lab: Lab) -> None:
    lab.running()
    killed_at("migrate.after-suspended", lab)
    must(verbs.migrate(lab.global2, ZONE, "ssh://global1"))
    assert settled(lab) == LIVE["migrate.after-going"]
    assert is_clean(lab)


def test_a_zone_that_was_handed_over_resumes_its_memory_on_the_target(lab: Lab) -> None:
    lab.running()
    killed_at("migrate.after-handed-over", lab)
    must(verbs.boot(lab.global1, ZONE))
    assert settled(lab)[1:] == (("running", ()), (TARGET, "running"))
    verbs.recover(lab.global2)
    assert traces(lab) == []
    assert is_clean(lab)


def test_a_zone_that_was_handed_over_may_be_migrated_again_before_it_resumes(lab: Lab) -> None:
    """Its memory lies on one host alone, and goes along."""
    lab.running()
    killed_at("migrate.after-handed-over", lab)
    must(verbs.migrate(lab.global1, ZONE, "ssh://global2"))
    must(verbs.boot(lab.global2, ZONE))
    assert settled(lab) == STAYED
    assert traces(lab) == []
    assert is_clean(lab)


def test_the_power_of_the_source_fails_while_nobody_writes(lab: Lab) -> None:
    lab.running()
    killed_at("migrate.after-suspended", lab)
    lab.global2.set_flag("dead")
    verbs.recover(lab.global2)
    assert settled(lab)[2] == (SOURCE, "migrating-out")  # a dead host writes nothing
    lab.global2.set_flag("up")
    recover(lab, "source first")
    assert settled(lab) == (("installed", ()), ("configured", ()), (SOURCE, "installed"))
    assert traces(lab) == []
    must(verbs.boot(lab.global2, ZONE))
    assert is_clean(lab)


def test_guests_that_are_started_again_with_the_machine_leave_migrations_to_the_recovery(lab: Lab) -> None:
    lab.running()
    killed_at("migrate.before-handed-over", lab)
    assert (verbs.restart_guests(lab.global1), verbs.restart_guests(lab.global2)) == (0, 0)


def test_two_hosts_that_send_one_zone_at_once_do_not_both_win(lab: Lab) -> None:
    """global2 owns it; global1, too, believes that it may send it: host data says which of them is right."""
    lab.running()
    ended = []

    def send(host: Host, target: str) -> None:
        ended.append(verbs.migrate(host, ZONE, target).code)

    threads = [
        threading.Thread(target=send, args=(lab.global2, "ssh://global1")),
        threading.Thread(target=send, args=(lab.global1, "ssh://global2")),
        threading.Thread(target=send, args=(lab.global2, "ssh://global1")),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert ended.count("DONE") in (1, 2)  # there, or there and back
    assert set(ended) <= {"DONE", "BUSY", "WRONG_STATE"}
    running = [host for host in (lab.global1, lab.global2) if guests.is_alive(host.placement(ZONE).guest())]
    assert len(running) == 1
    assert is_clean(lab)


# --- a zone with two boot devices ------------------------------------------------------------------------------------

MIRROR = "lu:luname.naa.600144f0000000000000000000000002"


@pytest.fixture
def halfway(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> Lab:
    """A mirrored zone whose live migration died when the target had taken the first of its boot devices."""
    lab.installed()
    storage.create(lab.global2.path_of(MIRROR))
    add = f"add device; set storage={MIRROR}; set id=1; set bootpri=1; end"
    must(configuring.configure(lab.global2, ZONE, add))
    must(verbs.apply(lab.global2, ZONE))
    must(configuring.configure(lab.global1, ZONE, add))
    must(verbs.boot(lab.global2, ZONE))
    change = changes.change_host_data

    def dying(device: Device, **how: Any) -> Any:
        if device.path == lab.global1.path_of(MIRROR) and how["lock_path"].is_relative_to(lab.global1.directory):
            raise OSError("the power is gone")
        return change(device, **how)

    with monkeypatch.context() as patch:
        patch.setattr(changes, "change_host_data", dying)
        patch.setattr(migration_settling, "settle", lambda host, placement: None)
        assert verbs.migrate(lab.global2, ZONE, "ssh://global1").code == "IO"
    owners = [one.record.owner_hostid for one in lab.global2.read(ZONE) if one.record]
    assert owners == [TARGET, SOURCE]
    return lab


def test_a_handover_that_died_between_two_boot_devices_is_finished_by_the_target_alone(halfway: Lab) -> None:
    assert verbs.boot(halfway.global2, ZONE).code == "HD_CONTRADICTORY"
    verbs.recover(halfway.global1)
    verbs.recover(halfway.global2)
    records = [one.record for one in halfway.global1.read(ZONE) if one.record]
    assert [record.owner_hostid for record in records] == [TARGET, TARGET]
    assert len({record.incarnation for record in records}) == 1
    assert halfway.global2.placement_facts(ZONE).state == "configured"
    must(verbs.boot(halfway.global1, ZONE))
    assert is_clean(halfway)


def test_where_the_target_is_lost_a_person_can_still_take_the_zone(halfway: Lab) -> None:
    halfway.global1.set_flag("dead")
    assert verbs.boot(halfway.global2, ZONE).code == "HD_CONTRADICTORY"
    must(verbs.mark_unavailable(halfway.global2, ZONE))
    assert verbs.attach(halfway.global2, ZONE).code == "HD_CONTRADICTORY"
    must(verbs.attach(halfway.global2, ZONE, "force-takeover"))
    must(verbs.boot(halfway.global2, ZONE))
    assert is_clean(halfway)
    assert not (halfway.global2.placement(ZONE).directory / "migrating.json").exists()
