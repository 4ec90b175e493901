"""Uninstall: what a host is proven to own is erased, everything else is left as it is and named."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from portable_lab import URI, Lab, must

from kernelzone.crashpoints import CRASHPOINTS, VARIABLE
from kernelzone.portable import asking, cli, configuring, fsck, verbs

pytestmark = pytest.mark.processes
POINTS = [name for name in CRASHPOINTS if name.startswith("claim.")]
BLANK = (bytes(4096), bytes(4096))


def killed_at(point: str, lab: Lab, *words: str) -> None:
    command = [sys.executable, "-m", "kernelzone.portable.cli", str(lab.global2.directory), "zoneadm", *words]
    ended = subprocess.run(command, env={**os.environ, VARIABLE: point}, capture_output=True, check=False)
    assert ended.returncode == -9, ended.stderr.decode()


def test_an_uninstalled_zone_is_configured_and_its_storage_is_empty_and_free_for_another(lab: Lab) -> None:
    lab.running()
    must(verbs.halt(lab.global2, "kzone1"))
    first = lab.global2.placement_facts("kzone1").zone_uuid

    outcome = verbs.uninstall(lab.global2, "kzone1")

    assert (outcome.code, outcome.lines) == ("DONE", ())
    assert lab.global2.placement_facts("kzone1").state == "configured"
    assert lab.slots() == BLANK
    assert fsck.check(lab.storage_path()).blocks == 0
    must(verbs.install(lab.global2, "kzone1"))
    assert lab.global2.placement_facts("kzone1").zone_uuid != first


def test_a_suspended_zone_leaves_no_suspend_image_behind(lab: Lab) -> None:
    lab.running()
    must(verbs.suspend(lab.global2, "kzone1"))
    image = lab.directory / "suspend" / "kzone1"
    assert image.exists()
    must(verbs.uninstall(lab.global2, "kzone1"))
    assert not image.exists()


def test_storage_that_another_host_uses_is_left_as_it_is_and_named(lab: Lab) -> None:
    lab.installed()
    assert verbs.attach(lab.global1, "kzone1").code == "IN_USE"
    before = lab.slots()

    outcome = verbs.uninstall(lab.global1, "kzone1")

    assert outcome.is_done
    assert "its host data names host 848611d4 (global2)" in outcome.lines[0]
    assert lab.global1.placement_facts("kzone1").state == "configured"
    assert lab.slots() == before
    must(verbs.boot(lab.global2, "kzone1"))


@pytest.mark.parametrize("damage", ["torn", "another key"])
def test_storage_whose_owner_is_not_proven_is_left_as_it_is(lab: Lab, damage: str) -> None:
    lab.installed()
    if damage == "torn":
        with lab.storage_path().open("r+b") as image:
            image.write(bytes(512))
    else:
        lab.global2.placement("kzone1").save_key(bytes(16))
    before = lab.slots()

    outcome = verbs.uninstall(lab.global2, "kzone1")

    assert outcome.is_done
    assert f"boot storage {URI} was left as it is" in outcome.lines[0]
    assert lab.slots() == before


@pytest.mark.parametrize("point", POINTS)
def test_a_killed_uninstall_leaves_the_zone_incomplete_and_another_goes_on(lab: Lab, point: str) -> None:
    lab.installed()
    killed_at(point, lab, "-z", "kzone1", "uninstall", "-F")

    assert lab.global2.placement_facts("kzone1").state == "incomplete"
    assert verbs.boot(lab.global2, "kzone1").code == "WRONG_STATE"
    must(verbs.uninstall(lab.global2, "kzone1"))
    assert lab.global2.placement_facts("kzone1").state == "configured"
    assert lab.slots() == BLANK


@pytest.mark.parametrize("point", POINTS)
def test_a_killed_install_leaves_the_zone_incomplete_until_it_is_uninstalled(lab: Lab, point: str) -> None:
    lab.configured()
    killed_at(point, lab, "-z", "kzone1", "install")

    assert lab.global2.placement_facts("kzone1").state == "incomplete"
    assert verbs.install(lab.global2, "kzone1").code == "WRONG_STATE"
    must(verbs.uninstall(lab.global2, "kzone1"))
    must(verbs.install(lab.global2, "kzone1"))


def test_an_install_that_is_refused_leaves_the_zone_configured(lab: Lab) -> None:
    lab.installed()
    assert not verbs.install(lab.global1, "kzone1").is_done
    assert lab.global1.placement_facts("kzone1").state == "configured"


def test_a_zone_marked_incomplete_is_only_uninstalled(lab: Lab) -> None:
    lab.installed()
    must(verbs.mark_incomplete(lab.global2, "kzone1"))
    for verb in (verbs.boot, verbs.attach, verbs.detach, verbs.install, verbs.ready):
        assert verb(lab.global2, "kzone1").code == "WRONG_STATE"
    must(verbs.uninstall(lab.global2, "kzone1"))


def test_an_uninstall_without_a_terminal_needs_its_option(
    lab: Lab, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    lab.installed()
    before = lab.slots()
    words = [str(lab.global2.directory), "zoneadm", "-z", "kzone1", "uninstall"]

    assert cli.main(words) == 1
    assert "Input not from terminal and -F not specified: uninstall not done." in capsys.readouterr().err
    monkeypatch.setattr(asking, "yes", lambda question: False)
    assert cli.main(words) == 0
    assert lab.slots() == before
    monkeypatch.setattr(asking, "yes", lambda question: True)
    assert cli.main(words) == 0
    assert lab.slots() == BLANK


def test_a_zone_whose_configuration_is_gone_is_incomplete_until_it_is_imported_again(lab: Lab) -> None:
    lab.installed()
    text = lab.global2.configuration("kzone1")
    (lab.global2.placement("kzone1").directory / "configuration").unlink()

    facts = lab.global2.placement_facts("kzone1")
    assert (facts.state, facts.auxiliary, facts.configuration_sha256) == ("incomplete", ("no-config",), None)
    assert [one.zone for one in lab.global2.placements()] == ["kzone1"]
    for verb in (verbs.boot, verbs.uninstall, verbs.mark_incomplete):
        assert verb(lab.global2, "kzone1").code == "NO_CONFIG"
    assert verbs.autoboot(lab.global2) == []

    must(configuring.configure(lab.global2, "kzone1", text))
    assert lab.global2.placement_facts("kzone1").auxiliary == ()
    must(verbs.boot(lab.global2, "kzone1"))


def test_a_zone_without_configuration_is_deleted_but_not_while_its_guest_runs(lab: Lab) -> None:
    lab.running()
    (lab.global2.placement("kzone1").directory / "configuration").unlink()

    assert configuring.configure(lab.global2, "kzone1", "delete -F").code == "WRONG_STATE"
    lab.global2.crash()
    must(configuring.configure(lab.global2, "kzone1", "delete -F"))
    assert lab.global2.zones() == []
