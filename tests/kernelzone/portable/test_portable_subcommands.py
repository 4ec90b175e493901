"""The subcommands that change little: rename, verify, apply, dry runs, boot options; and what is refused plainly."""

from __future__ import annotations

import pytest
from portable_lab import COMMANDS, URI, Lab, must

from kernelzone.portable import cli, configuring, verbs

pytestmark = pytest.mark.processes


def kz(lab: Lab, *words: str) -> int:
    return cli.main([str(lab.global2.directory), "zoneadm", "-z", "kzone1", *words])


def test_a_renamed_zone_is_the_same_zone(lab: Lab) -> None:
    lab.running()
    must(verbs.halt(lab.global2, "kzone1"))
    before, slots = lab.global2.placement_facts("kzone1"), lab.slots()

    must(verbs.rename(lab.global2, "kzone1", "kzone9"))

    after = lab.global2.placement_facts("kzone9")
    assert (after.zone_uuid, after.state, after.key_id) == (before.zone_uuid, "installed", before.key_id)
    assert lab.global2.zones() == ["kzone9"]
    assert lab.slots() == slots
    must(verbs.boot(lab.global2, "kzone9"))


def test_a_zone_is_not_renamed_while_it_runs_onto_another_or_away_from_its_storage(lab: Lab) -> None:
    lab.running()
    host = lab.global2
    assert verbs.rename(host, "kzone1", "kzone9").code == "WRONG_STATE"
    must(verbs.suspend(host, "kzone1"))
    assert verbs.rename(host, "kzone1", "kzone9").code == "RENAME_PATHS"  # its image is found by its name
    must(verbs.boot(host, "kzone1", fresh=True))
    must(verbs.halt(host, "kzone1"))
    must(configuring.configure(host, "kzone2", COMMANDS.format(uri=URI, suspend=lab.directory)))
    assert verbs.rename(host, "kzone1", "kzone2").code == "RENAME_EXISTS"
    assert verbs.rename(host, "kzone1", "-x").code == "ZONE_NAME"
    must(configuring.configure(host, "kz-named", COMMANDS.format(uri="file:///tmp/%{zonename}", suspend="/tmp")))
    assert verbs.rename(host, "kz-named", "kzone9").code == "RENAME_PATHS"
    assert host.zones() == ["kz-named", "kzone1", "kzone2"]


def test_verify_says_everything_that_is_in_the_way(lab: Lab, capsys: pytest.CaptureFixture[str]) -> None:
    lab.configured()
    assert kz(lab, "verify") == 0
    assert capsys.readouterr() == ("", "")
    lab.storage_path().unlink()
    (lab.directory / "file").touch()
    must(configuring.configure(lab.global2, "kzone1", f"select suspend; set path={lab.directory}/file/x/image; end"))
    assert kz(lab, "verify") == 1
    said = capsys.readouterr().err
    assert f"boot storage {URI} cannot be read" in said
    assert "the suspend image cannot be written to" in said


def test_boot_options_reach_the_console(lab: Lab) -> None:
    lab.installed()
    assert kz(lab, "boot", "--", "-m", "milestone=single-user", "-s") == 0
    assert "Boot options: -m milestone=single-user -s" in lab.global2.placement("kzone1").console.read_text()


def test_a_dry_run_of_a_detach_says_what_would_be_released(lab: Lab, capsys: pytest.CaptureFixture[str]) -> None:
    lab.installed()
    before = lab.slots()
    assert kz(lab, "detach", "-n") == 0
    assert capsys.readouterr().out == "zone 'kzone1': would be released on 1 boot device\n"
    must(verbs.attach(lab.global1, "kzone1", "force-takeover"))
    taken = lab.slots()
    assert taken != before
    assert kz(lab, "detach", "-n") == 0
    assert "does not name this host" in capsys.readouterr().out
    assert lab.slots() == taken
    assert lab.global2.placement_facts("kzone1").state == "installed"


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["attach", "-F"], 1),
        (["attach", "-u"], 1),
        (["attach", "-n", "/tmp/manifest"], 1),
        (["clone", "-s", "snapshot", "kzone2"], 1),
        (["boot", "-w"], 1),
        (["boot", "-R", "-W"], 1),
        (["boot", "--", "-Z", "be-2"], 1),
        (["savecore", "-f", "/tmp/core"], 1),
        (["boot", "--", "-m"], 2),
        (["boot", "--", "-m", "Verbose;"], 2),
        (["boot", "now"], 2),
        (["clone"], 2),
        (["clone", "a", "b"], 2),
        (["rename"], 2),
        (["apply", "-x"], 2),
        (["detach", "-x"], 2),
        (["attach", "-x", "force-zpool-import"], 2),
        (["mark", "ready"], 2),
        (["frobnicate"], 2),
    ],
)
def test_what_a_portable_zone_does_not_have_is_said_plainly(
    lab: Lab, capsys: pytest.CaptureFixture[str], words: list[str], code: int
) -> None:
    lab.installed()
    before = lab.slots()
    assert kz(lab, *words) == code
    assert capsys.readouterr().err.startswith("usage:" if code == 2 else "zoneadm: zone 'kzone1': ")
    assert lab.slots() == before
    assert lab.global2.placement_facts("kzone1").state == "installed"


def test_a_delete_without_a_terminal_needs_its_option(lab: Lab, capsys: pytest.CaptureFixture[str]) -> None:
    lab.configured()
    words = [str(lab.global2.directory), "zonecfg", "-z", "kzone1"]
    assert cli.main([*words, "delete"]) == 1
    assert "Input not from terminal and -F not specified" in capsys.readouterr().err
    assert lab.global2.zones() == ["kzone1"]
    assert cli.main([*words, "delete -F"]) == 0
    assert lab.global2.zones() == []
