"""`kz`, `zoneadm` and `zonecfg` as they are typed: exit codes, messages, bad input."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from portable_lab import COMMANDS, URI, Lab

from kernelzone import zoneadm, zonecfg
from kernelzone.portable import cli, configuring
from kernelzone.portable.host import Host

# No process is started, but every step is flushed to the disk: too slow for `make fast`.
pytestmark = pytest.mark.processes
KEY = "00112233445566778899aabbccddeeff"


class Typed:
    """Runs `kz` on global2 and keeps what was printed."""

    def __init__(self, lab: Lab, capsys: pytest.CaptureFixture[str]) -> None:
        self._directory = str(lab.global2.directory)
        self._capsys = capsys
        self.out = self.err = ""

    def __call__(self, *words: str) -> int:
        code = cli.main([self._directory, *words])
        self.out, self.err = self._capsys.readouterr()
        return code


@pytest.fixture
def kz(lab: Lab, capsys: pytest.CaptureFixture[str]) -> Typed:
    return Typed(lab, capsys)


def test_a_zone_made_by_hand_is_listed_in_every_form_that_is_read_elsewhere(lab: Lab, kz: Typed) -> None:
    assert kz("create-storage", URI, "--size", "4M") == 0
    commands = f"create -t SYSsolaris-kz-minimal; select device id=0; set storage={URI}; end; verify; commit; exit"
    assert kz("zonecfg", "-z", "kzone1", commands) == 0
    assert kz("zoneadm", "-z", "kzone1", "install") == 0
    assert (kz.out.splitlines()[-2], kz.err) == ("Installation: Succeeded", "")

    assert kz("zoneadm", "list", "-cv") == 0
    assert kz.out.splitlines()[0].split() == ["ID", "NAME", "STATUS", "PATH", "BRAND", "IP"]
    assert kz.out.splitlines()[2] == "   - kzone1           installed   -                            solaris-kz excl  "
    kz("zoneadm", "list", "-cp")
    listed = zoneadm.parse_list_cp(kz.out)[1]
    assert (listed.zone_id, listed.name, listed.state) == (None, "kzone1", "installed")
    assert listed.uuid == str(lab.global2.placement_facts("kzone1").zone_uuid)
    kz("zoneadm", "list", "-cs")
    assert zoneadm.parse_list_s(kz.out)[1] == zoneadm.AuxiliaryLine("kzone1", listed.state, ())
    kz("zoneadm", "list")
    assert kz.out == "global\n"


def test_the_lists_are_printed_as_published(lab: Lab, kz: Typed) -> None:
    path = Path(__file__).parents[2] / "data" / "transcripts" / "list-cv-11.3.txt"
    published = path.read_text().splitlines()
    lab.configured()
    kz("zoneadm", "list", "-cv")
    head, global_zone, kzone1 = kz.out.splitlines()
    assert head.rstrip() == published[2]
    assert global_zone == published[3]
    assert kzone1 == published[5]


def test_export_carries_the_key_and_info_does_not(lab: Lab, kz: Typed, tmp_path: Path) -> None:
    lab.configured()
    kz("zonecfg", "-z", "kzone1", f"add keysource; set raw={KEY}; end")
    assert kz("zonecfg", "-z", "kzone1", "export") == 0
    assert zonecfg.key_source(zonecfg.parse(kz.out)) == bytes.fromhex(KEY)
    assert KEY not in lab.global2.configuration("kzone1")
    kz("zonecfg", "-z", "kzone1", "info")
    assert KEY not in kz.out
    assert "zonename: kzone1" in kz.out

    target = tmp_path / "kzone1.cfg"
    assert kz("zonecfg", "-z", "kzone1", "export", "-f", str(target)) == 0
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert cli.main([str(lab.global1.directory), "zonecfg", "-z", "kzone1", "-f", str(target)]) == 0
    assert lab.global1.export("kzone1") == lab.global2.export("kzone1")
    key_file = lab.global1.placement("kzone1").directory / "key"
    assert stat.S_IMODE(key_file.stat().st_mode) == 0o600


def test_the_puppet_export_comes_out_as_it_went_in(lab: Lab) -> None:
    path = Path(__file__).parents[2] / "data" / "transcripts" / "export-puppet.txt"
    text = "".join(line for line in path.read_text().splitlines(keepends=True) if not line.startswith("#"))
    assert configuring.configure(lab.global1, "kz-puppet", text).is_done
    assert lab.global1.export("kz-puppet") == text
    assert lab.global1.placement_facts("kz-puppet").boot_storage[0].uri.endswith("/zones/kz-puppet/disk0")


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("set autoboot=true", "ZONECFG_NO_CREATE"),
        ("create -b; set brand=solaris", "ZONECFG_BRAND"),
        ("create -t SYSnone", "ZONECFG_TEMPLATE"),
        (f"create -b; set brand=solaris-kz; add keysource; set raw={KEY}0; end", "ZONECFG_KEY_HEX"),
        ("create -b; set brand=solaris-kz; add device; set storage=dev:dsk/x; set bootpri=0", "ZONECFG_UNFINISHED"),
        ("create -b; set brand=solaris-kz; add device; set storage=zvol:x; set bootpri=0; end", "SURI_TYPE"),
        ("create -b; set brand=solaris-kz; add device; set storage=%{x}; set bootpri=0; end", "ZONECFG_TOKEN"),
        ("x" * (257 * 1024), "ZONECFG_SIZE"),
    ],
)
def test_a_bad_command_file_leaves_no_zone_behind(lab: Lab, text: str, code: str) -> None:
    outcome = configuring.configure(lab.global1, "kz-bad", text)
    assert (outcome.is_done, outcome.exit_code, outcome.code) == (False, 1, code)
    assert lab.global1.zones() == []
    assert KEY not in "".join(outcome.lines)


def test_a_refused_change_leaves_the_configuration_and_the_key(lab: Lab) -> None:
    lab.installed()
    before = lab.global2.export("kzone1")
    outcomes = [
        configuring.configure(
            lab.global2, "kzone1", "select device id=0; set storage=lu:luname.naa.5000000000000001; end"
        ),
        configuring.configure(lab.global2, "kzone1", "delete -F"),
        configuring.configure(lab.global2, "kzone1", COMMANDS.format(uri=URI, suspend="/x")),
    ]
    assert [outcome.code for outcome in outcomes] == ["WRONG_STATE", "WRONG_STATE", "ZONECFG_EXISTS"]
    assert lab.global2.export("kzone1") == before


def test_delete_takes_the_zone_and_its_key_away(lab: Lab, kz: Typed) -> None:
    lab.configured()
    assert kz("zonecfg", "-z", "kzone1", "delete") == 1
    assert kz("zonecfg", "-z", "kzone1", "delete", "-F") == 0
    assert kz("zonecfg", "-z", "kzone1", "info") == 1
    assert kz.err.startswith("kzone1: No such zone configured\n")
    assert not lab.global2.placement("kzone1").directory.exists()


@pytest.mark.parametrize(
    "name", ["-z", "a b", "../x", "kz;reboot", "x" * 65, "", "GLOBAL", "global", "kz\u043ene1", "kz\n1", "."]
)
def test_a_bad_zone_name_is_refused_by_every_command(lab: Lab, kz: Typed, name: str) -> None:
    assert kz("zoneadm", "-z", name, "boot") == 1
    assert kz("zonecfg", "-z", name, "create -b; set brand=solaris-kz") == 1
    assert kz("read", name) == 1
    assert kz("fsck", name) == 1
    assert list((lab.global2.directory / "zones").iterdir()) == []


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["zoneadm"],
        ["zoneadm", "-z", "kzone1"],
        ["zoneadm", "-z", "kzone1", "explode"],
        ["zoneadm", "-z", "kzone1", "attach", "-x", "please"],
        ["zoneadm", "attach"],
        ["zoneadm", "list", "-pv"],
        ["zoneadm", "list", "kzone1"],
        ["zonecfg", "-z", "kzone1"],
        ["zonecfg", "-z", "kzone1", "-f"],
        ["flag", "asleep"],
        ["read"],
        ["create-host", "--hostname", "x"],
        ["create-host", "--hostname", "x", "--owner-hostid"],
        ["unknown"],
    ],
)
def test_words_no_command_has_are_answered_with_the_usage(kz: Typed, words: list[str]) -> None:
    assert kz(*words) == 2
    assert kz.err.startswith("usage: ")


def test_a_zone_that_is_not_configured_is_said_to_be_so(kz: Typed) -> None:
    assert kz("zoneadm", "-z", "kz9", "boot") == 1
    assert kz.err == "zoneadm: kz9: No such zone configured\n"
    assert kz("zoneadm", "-z", "kz9", "list", "-p") == 1


@pytest.mark.parametrize("owner_hostid", ["0x848611D4", "848611d", "848611d45", "00000000", "848611dg"])
def test_a_bad_hostid_makes_no_host(tmp_path: Path, owner_hostid: str) -> None:
    directory = tmp_path / "new"
    assert cli.main([str(directory), "create-host", "--owner-hostid", owner_hostid, "--hostname", "x"]) == 1
    assert not directory.exists()


def test_a_host_is_made_once(lab: Lab, kz: Typed) -> None:
    before = lab.global2.facts().boot_environment_uuid
    assert kz("create-host", "--owner-hostid", "11111111", "--hostname", "x") == 1
    assert Host.open(lab.global2.directory).facts().boot_environment_uuid == before


@pytest.mark.parametrize("size", ["1M", "x", "-1", "0"])
def test_storage_too_small_for_host_data_is_not_made(lab: Lab, kz: Typed, size: str) -> None:
    assert kz("create-storage", URI, "--size", size) == 1
    assert not lab.storage_path().exists()


def test_storage_that_is_there_is_not_made_again(lab: Lab, kz: Typed) -> None:
    lab.installed()
    before = lab.slots()
    assert kz("create-storage", URI) == 1
    assert lab.slots() == before


def test_a_damaged_state_file_is_unknown_and_hides_no_other_zone(lab: Lab, kz: Typed) -> None:
    lab.installed()
    other = "lu:luname.naa.600144f0000000000000000000000002"
    lab.configured("kz-other", other)
    (lab.global2.placement("kzone1").directory / "state.json").write_text("{")
    assert [(one.zone, one.state) for one in lab.global2.placements()] == [
        ("kz-other", "configured"),
        ("kzone1", "unknown"),
    ]
    assert lab.global2.read("kzone1")[0].status == "CLEAN"
    assert kz("zoneadm", "-z", "kzone1", "boot") == 1
    assert "state.json" in kz.err


def test_read_says_what_host_data_says(lab: Lab, kz: Typed) -> None:
    lab.installed()
    assert kz("read", "kzone1") == 0
    assert f"{URI}: CLEAN, generation 1" in kz.out
    assert "installed, used by host 848611d4 (global2, solaris-1)" in kz.out
