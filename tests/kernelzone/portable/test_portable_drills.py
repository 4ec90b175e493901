"""Hosts that are copied or get another board, and what a guest sets from inside: host data keeps it, or names it."""

from __future__ import annotations

import time

import pytest
from portable_lab import Lab, must

from kernelzone import zoneadm
from kernelzone.portable import cli, drills, fsck, guests, inside, verbs
from kernelzone.portable.errors import PortableError
from kernelzone.portable.host import Host
from kernelzone.words import WordError

pytestmark = pytest.mark.processes


def started(host: Host) -> list[str]:
    """Start a host as `kz HOSTDIR flag up` does; return how the boots of its zones ended."""
    host.set_flag("up")
    verbs.recover(host)
    return [outcome.code for outcome in verbs.autoboot(host)]


def wait_for_fork(lab: Lab) -> None:
    deadline = time.monotonic() + 10
    while not fsck.check(lab.storage_path()).forks:
        assert time.monotonic() < deadline, "two guests did not fork the sequence in time"
        time.sleep(0.02)


def test_a_cloned_host_is_not_told_from_the_original_and_its_zones_run_twice(lab: Lab) -> None:
    lab.running()
    copy = drills.clone_host(lab.global2, lab.directory / "copy", "global2-copy")

    assert (copy.owner_hostid, copy.hostname, copy.flag) == ("848611d4", "global2-copy", "dead")
    assert lab.global2.placement_facts("kzone1").state == "running"
    assert started(copy) == ["DONE"]
    wait_for_fork(lab)
    assert copy.boot_id != lab.global2.boot_id


def test_a_clone_never_ends_the_originals_guests(lab: Lab) -> None:
    lab.running()
    guest = lab.global2.placement("kzone1").guest()
    copy = drills.clone_host(lab.global2, lab.directory / "copy")
    copy.set_flag("up")
    copy.set_flag("dead")
    assert guests.is_alive(guest)
    assert copy.hostname == lab.global2.hostname


def test_a_clone_reaches_the_same_storage_from_wherever_it_lies(lab: Lab) -> None:
    lab.installed()
    (lab.directory / "far").mkdir()
    copy = drills.clone_host(lab.global2, lab.directory / "far" / "copy")
    assert copy.read("kzone1")[0].status == "CLEAN"
    for wrong in (lab.global1.directory, lab.global2.directory / "inside"):
        with pytest.raises(PortableError) as refused:
            drills.clone_host(lab.global2, wrong)
        assert refused.value.code == "HOST_EXISTS"
    with pytest.raises(PortableError) as refused:
        drills.clone_host(lab.global2, lab.directory / "misnamed", "two words")
    assert refused.value.code == "HOST_NAME"
    assert not (lab.directory / "misnamed").exists()


def test_after_a_change_of_board_every_zone_is_in_use_by_the_old_hostid(lab: Lab) -> None:
    lab.running()
    with pytest.raises(PortableError) as refused:
        drills.set_hostid(lab.global2, "80808080")
    assert refused.value.code == "HOST_RUNS"
    lab.global2.set_flag("dead")
    before = lab.slots()

    host = drills.set_hostid(lab.global2, "80808080")

    assert started(host) == ["IN_USE"]
    assert host.placement_facts("kzone1").state == "unavailable"
    assert lab.slots() == before
    must(verbs.attach(host, "kzone1", "force-takeover"))
    assert host.read("kzone1")[0].record.previous_owner_hostid == "848611d4"
    must(verbs.boot(host, "kzone1"))


@pytest.mark.parametrize("wrong", ["00000000", "0x123456", "", "-z"])
def test_a_hostid_is_eight_hex_digits(lab: Lab, wrong: str) -> None:
    lab.global2.set_flag("dead")
    with pytest.raises(WordError):
        drills.set_hostid(lab.global2, wrong)
    assert Host.open(lab.global2.directory).owner_hostid == "848611d4"


def test_the_drills_are_commands(lab: Lab, capsys: pytest.CaptureFixture[str]) -> None:
    lab.running()
    directory, copy = str(lab.global2.directory), str(lab.directory / "copy")
    assert cli.main([directory, "panic", "kzone1"]) == 0
    assert cli.main([directory, "clone-host", copy, "--hostname", "copy"]) == 0
    assert "copy: 848611d4, dead" in capsys.readouterr().out
    assert cli.main([copy, "set-hostid", "80808080"]) == 0
    assert cli.main([directory, "set-hostid", "80808080"]) == 1
    assert "flag dead" in capsys.readouterr().err
    for words in (["panic"], ["clone-host"], ["clone-host", copy, "x"], ["set-hostid"], ["guest", "kzone1"],
                  ["guest", "kzone1", "reboot"], ["guest", "kzone1", "set-clock", "soon"],
                  ["guest", "kzone1", "date", "now"]):  # fmt: skip
        assert cli.main([directory, *words]) == 2


KEPT = ["suspend and resume", "halt and boot", "detach and attach elsewhere", "takeover", "boot -R"]


def moved(lab: Lab, how: str) -> Host:
    """Do to the running zone what `how` says; return the host on which it then runs."""
    host, other = lab.global2, lab.global1
    if how == "takeover":
        must(verbs.attach(other, "kzone1", "force-takeover"))
        must(verbs.boot(other, "kzone1"))
        return other
    must(verbs.halt(host, "kzone1") if how == "halt and boot" else verbs.suspend(host, "kzone1"))
    if how == "detach and attach elsewhere":
        must(verbs.detach(host, "kzone1"))
        must(verbs.attach(other, "kzone1"))
        host = other
    must(verbs.boot(host, "kzone1", fresh=how == "boot -R"))
    return host


@pytest.mark.parametrize("how", KEPT)
def test_the_clock_and_the_openboot_variables_of_a_guest_are_kept(lab: Lab, how: str) -> None:
    lab.running()
    must(inside.set_clock(lab.global2, "kzone1", -7200))
    must(inside.eeprom(lab.global2, "kzone1", "auto-boot?", "false"))
    must(inside.eeprom(lab.global2, "kzone1", "boot-device", "disk0 net"))

    host = moved(lab, how)

    assert "-7200 s" in inside.date(host, "kzone1").lines[0]
    assert inside.eeprom(host, "kzone1").lines == ("auto-boot?=false", "boot-device=disk0 net")
    assert inside.eeprom(host, "kzone1", "auto-boot?").lines == ("auto-boot?=false",)


def test_an_initialisation_resets_them_and_says_that_the_suspend_image_is_lost(lab: Lab) -> None:
    lab.running()
    must(inside.set_clock(lab.global2, "kzone1", 60))
    must(inside.eeprom(lab.global2, "kzone1", "auto-boot?", "false"))
    must(verbs.suspend(lab.global2, "kzone1"))

    outcome = verbs.attach(lab.global1, "kzone1", "initialize-hostdata")

    said = "\n".join(outcome.lines)
    assert outcome.is_done
    assert f"the suspend image {lab.directory / 'suspend' / 'kzone1'} is lost" in said
    assert "OpenBoot variables are reset" in said
    assert zoneadm.classify(said, 0).kind == "done"  # an agent of the solaris driver reads the same words
    must(verbs.boot(lab.global1, "kzone1"))
    assert "+0 s" in inside.date(lab.global1, "kzone1").lines[0]
    assert inside.eeprom(lab.global1, "kzone1").lines == ()


def test_an_initialisation_without_a_suspend_image_does_not_speak_of_one(lab: Lab) -> None:
    lab.installed()
    said = "\n".join(verbs.attach(lab.global1, "kzone1", "initialize-hostdata").lines)
    assert "suspend image" not in said


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("a b", "x", "VARIABLE"),
        ("n", "two\nlines", "VARIABLE"),
        ("n", "x" * 1100, "VARIABLE"),
        ("n", None, "NO_VARIABLE"),
    ],
)
def test_a_variable_that_could_not_be_read_back_is_refused(lab: Lab, name: str, value: str | None, code: str) -> None:
    lab.running()
    before = lab.slots()
    assert inside.eeprom(lab.global2, "kzone1", name, value).code == code
    assert inside.set_clock(lab.global2, "kzone1", 10**12).code == "OFFSET"
    assert lab.slots() == before


def test_only_a_guest_that_runs_sets_anything(lab: Lab) -> None:
    lab.installed()
    assert inside.set_clock(lab.global2, "kzone1", 1).code == "WRONG_STATE"
    must(verbs.boot(lab.global2, "kzone1"))
    must(drills.panic(lab.global2, "kzone1"))
    assert inside.set_clock(lab.global2, "kzone1", 1).code == "PANICKED"
