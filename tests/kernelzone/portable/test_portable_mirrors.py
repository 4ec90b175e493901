"""Zones with several boot devices: host data is on each of them, and one that is in doubt is enough to refuse."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from portable_lab import Lab, must

from kernelzone.crashpoints import VARIABLE
from kernelzone.facts import Outcome
from kernelzone.portable import configuring, storage, verbs

pytestmark = pytest.mark.processes
URIS = [f"lu:luname.naa.600144f00000000000000000000000a{number}" for number in (1, 2, 3)]


@pytest.fixture
def mirrored(lab: Lab) -> Lab:
    """kz-mirror boots from two devices on global2, and its export was taken to global1; a third one is there."""
    devices = "".join(f"add device; set storage={uri}; set bootpri={n}; end;" for n, uri in enumerate(URIS[:2]))
    for uri in URIS:
        storage.create(lab.global2.path_of(uri))
    suspend = f"add suspend; set path={lab.directory}/suspend; end"
    must(configuring.configure(lab.global2, "kz-mirror", f"create -b; set brand=solaris-kz; {devices} {suspend}"))
    must(verbs.install(lab.global2, "kz-mirror"))
    must(configuring.configure(lab.global1, "kz-mirror", lab.global2.export("kz-mirror")))
    return lab


def killed_after_the_first_device(lab: Lab, *words: str) -> None:
    command = [
        sys.executable,
        "-m",
        "kernelzone.portable.cli",
        str(lab.global2.directory),
        "zoneadm",
        "-z",
        "kz-mirror",
    ]
    environment = {**os.environ, VARIABLE: "claim.after-committed"}
    ended = subprocess.run([*command, *words], env=environment, capture_output=True, check=False)
    assert ended.returncode == -9, ended.stderr.decode()


def path(lab: Lab, number: int) -> Path:
    return lab.global2.path_of(URIS[number])


def said(outcome: Outcome) -> str:
    return "\n".join(outcome.lines)


def states(lab: Lab) -> list[str]:
    return [one.record.state for one in lab.global2.read("kz-mirror")]


def test_both_boot_devices_of_a_mirrored_zone_are_claimed(mirrored: Lab) -> None:
    must(verbs.attach(mirrored.global1, "kz-mirror", "force-takeover"))

    readings = mirrored.global1.read("kz-mirror")
    assert [(one.device, one.record.owner_hostid) for one in readings] == [(uri, "83a0cc71") for uri in URIS[:2]]
    assert len({one.record.incarnation for one in readings}) == 1


def test_a_mirror_that_says_something_older_lets_nobody_boot_and_says_which(mirrored: Lab) -> None:
    old = path(mirrored, 1).read_bytes()
    must(verbs.detach(mirrored.global2, "kz-mirror"))
    must(verbs.attach(mirrored.global2, "kz-mirror"))
    path(mirrored, 1).write_bytes(old)

    outcome = verbs.boot(mirrored.global2, "kz-mirror")

    assert outcome.code == "HD_CONTRADICTORY"
    assert f"{URIS[0]}: generation 3, installed, used by host 848611d4 (global2)" in said(outcome)
    assert f"{URIS[1]}: generation 1, installed, used by host 848611d4 (global2)" in said(outcome)
    assert mirrored.global2.placement_facts("kz-mirror").state == "unavailable"
    assert verbs.attach(mirrored.global2, "kz-mirror").code == "ROLLBACK"


def test_mirrors_that_name_two_owners_are_nobodys(mirrored: Lab) -> None:
    mine = path(mirrored, 1).read_bytes()
    must(verbs.attach(mirrored.global1, "kz-mirror", "force-takeover"))
    path(mirrored, 1).write_bytes(mine)

    for host in (mirrored.global1, mirrored.global2):
        outcome = verbs.boot(host, "kz-mirror")
        assert outcome.code == "HD_CONTRADICTORY"
        assert "used by host 83a0cc71 (global1)" in outcome.lines[1]
        assert "used by host 848611d4 (global2)" in outcome.lines[2]
        assert verbs.attach(host, "kz-mirror").code in ("HD_CONTRADICTORY", "ROLLBACK")


@pytest.mark.parametrize("damage", ["gone", "torn", "empty"])
def test_one_good_copy_is_not_enough_and_the_bad_one_is_named(mirrored: Lab, damage: str) -> None:
    """The bad one might have named another host."""
    if damage == "gone":
        path(mirrored, 1).unlink()
    else:
        with path(mirrored, 1).open("r+b") as image:
            image.write(bytes(512 if damage == "torn" else 1024 * 1024))
    outcome = verbs.boot(mirrored.global2, "kz-mirror")
    assert outcome.code == "HD_NOT_CLEAN"
    assert URIS[1] in said(outcome)
    assert URIS[0] not in said(outcome)
    assert mirrored.global2.read("kz-mirror")[0].record.state == "installed"


def test_when_none_can_be_read_the_published_message_says_so(mirrored: Lab) -> None:
    for number in (0, 1):
        with path(mirrored, number).open("r+b") as image:
            image.write(bytes(1024 * 1024))
    assert "could not read host data from any boot device" in said(verbs.boot(mirrored.global2, "kz-mirror"))


def test_the_owner_goes_on_after_a_boot_that_was_killed_between_two_devices(mirrored: Lab) -> None:
    killed_after_the_first_device(mirrored, "boot")
    assert states(mirrored) == ["running", "installed"]
    assert verbs.attach(mirrored.global1, "kz-mirror").code == "IN_USE"
    must(verbs.boot(mirrored.global2, "kz-mirror"))
    assert states(mirrored) == ["running", "running"]


def test_an_attach_that_was_killed_between_two_devices_is_typed_again(mirrored: Lab) -> None:
    must(verbs.detach(mirrored.global2, "kz-mirror"))
    killed_after_the_first_device(mirrored, "attach")
    assert states(mirrored) == ["installed", "free"]
    assert verbs.attach(mirrored.global1, "kz-mirror").code == "HD_CONTRADICTORY"
    must(verbs.attach(mirrored.global2, "kz-mirror"))
    assert states(mirrored) == ["installed", "installed"]
    assert len({one.record.incarnation for one in mirrored.global2.read("kz-mirror")}) == 1


def test_a_detach_that_was_killed_between_two_devices_is_typed_again(mirrored: Lab) -> None:
    killed_after_the_first_device(mirrored, "detach")
    assert states(mirrored) == ["free", "installed"]
    assert verbs.boot(mirrored.global2, "kz-mirror").code == "HD_CONTRADICTORY"
    must(verbs.attach(mirrored.global2, "kz-mirror"))
    must(verbs.detach(mirrored.global2, "kz-mirror"))
    assert states(mirrored) == ["free", "free"]
    must(verbs.attach(mirrored.global1, "kz-mirror"))


def test_a_boot_device_that_is_added_gets_its_host_data_from_apply(mirrored: Lab) -> None:
    host = mirrored.global2
    must(verbs.boot(host, "kz-mirror"))
    must(configuring.configure(host, "kz-mirror", f"add device; set storage={URIS[2]}; set bootpri=5; end"))

    refused = verbs.suspend(host, "kz-mirror")
    assert refused.code == "HD_NOT_CLEAN"
    assert "apply" in said(refused)
    assert host.placement_facts("kz-mirror").state == "running"  # its memory is not lost for it
    assert verbs.apply(host, "kz-mirror", dry_run=True).lines == ("zone 'kz-mirror': Checking: Adding device id=2",)
    assert host.read("kz-mirror")[2].status == "BLANK"
    must(verbs.apply(host, "kz-mirror"))

    readings = host.read("kz-mirror")
    assert [(one.status, one.warning, one.record.state) for one in readings] == [("CLEAN", None, "running")] * 3
    assert len({one.record.incarnation for one in readings}) == 1
    must(verbs.suspend(host, "kz-mirror"))
    must(verbs.boot(host, "kz-mirror"))


def test_apply_takes_no_storage_that_is_in_use(mirrored: Lab) -> None:
    commands = f"create -b; set brand=solaris-kz; add device; set storage={URIS[2]}; set bootpri=0; end"
    must(configuring.configure(mirrored.global2, "kz-other", commands))
    added = f"add device; set storage={URIS[2]}; set bootpri=5; end"
    must(configuring.configure(mirrored.global2, "kz-mirror", added))
    assert verbs.apply(mirrored.global2, "kz-mirror").code == "STORAGE_IN_USE"
    must(configuring.configure(mirrored.global2, "kz-other", "delete -F"))
    must(verbs.apply(mirrored.global2, "kz-mirror"))


@pytest.mark.parametrize(
    "change",
    [
        f"select device id=0; set bootpri=1; end; add device; set storage={URIS[2]}; set bootpri=0; end",
        "remove device id=1",
        "select device id=0; set bootpri=9; end",
    ],
    ids=["before the others", "one less", "another order"],
)
def test_the_boot_devices_of_an_installed_zone_are_only_added_to(mirrored: Lab, change: str) -> None:
    assert not configuring.configure(mirrored.global2, "kz-mirror", change).is_done
    assert len(mirrored.global2.placement("kz-mirror").boot_devices()) == 2


def test_a_takeover_of_a_copy_makes_the_copy_the_zones_own(mirrored: Lab) -> None:
    """A copy of boot storage is refused, whoever it names, until a person takes it over."""
    host = mirrored.global2
    path(mirrored, 2).write_bytes(path(mirrored, 0).read_bytes())
    must(verbs.mark_unavailable(host, "kz-mirror"))
    swapped = f"remove device id=1; select device id=0; set storage={URIS[2]}; end"
    must(configuring.configure(host, "kz-mirror", swapped))
    before = path(mirrored, 2).read_bytes()

    outcome = verbs.attach(host, "kz-mirror")
    assert outcome.code == "CLONE_SUSPECTED"
    assert f"was written for device {URIS[0].removeprefix('lu:luname.')}" in said(outcome)
    assert path(mirrored, 2).read_bytes() == before

    must(verbs.attach(host, "kz-mirror", "force-takeover"))
    reading = host.read("kz-mirror")[0]
    assert (reading.warning, reading.record.flags) == (None, ("forced",))
    must(verbs.boot(host, "kz-mirror"))


def test_a_zone_does_not_boot_from_a_copy(mirrored: Lab) -> None:
    must(verbs.mark_unavailable(mirrored.global2, "kz-mirror"))
    must(configuring.configure(mirrored.global2, "kz-mirror", "remove device id=1"))
    must(verbs.attach(mirrored.global2, "kz-mirror"))
    placement = mirrored.global2.placement("kz-mirror")
    path(mirrored, 2).write_bytes(path(mirrored, 0).read_bytes())
    placement.save_text(placement.text().replace(URIS[0], URIS[2]))
    assert verbs.boot(mirrored.global2, "kz-mirror").code == "CLONE_SUSPECTED"
    assert mirrored.global2.placement_facts("kz-mirror").state == "unavailable"
