"""Clone, and what keeps install and clone from writing over storage that somebody uses."""

from __future__ import annotations

import errno
from collections.abc import Callable
from pathlib import Path
from uuid import UUID

import pytest
from portable_lab import COMMANDS, URI, Lab, must
from test_portable_uninstalling import POINTS, killed_at

from kernelzone.facts import Outcome
from kernelzone.portable import asking, cli, cloning, configuring, fsck, storage, verbs
from kernelzone.portable.reading import Look

pytestmark = pytest.mark.processes
UNIT = "600144f0000000000000000000000001"
OTHER = "lu:luname.naa.600144f0000000000000000000000002"


@pytest.fixture
def halted(lab: Lab) -> Lab:
    """kzone1 has run and is halted on global2; kz-copy is configured there with storage of its own."""
    lab.running()
    must(verbs.halt(lab.global2, "kzone1"))
    lab.configured("kz-copy", OTHER)
    return lab


def test_a_clone_has_what_the_source_has_and_is_another_zone(halted: Lab) -> None:
    source = halted.global2
    must(verbs.clone(source, "kz-copy", "kzone1"))

    original, copy = source.placement_facts("kzone1"), source.placement_facts("kz-copy")
    assert copy.state == "installed"
    assert copy.zone_uuid not in (None, original.zone_uuid)
    assert copy.key_id not in (None, original.key_id)
    reading = source.read("kz-copy")[0]
    assert (reading.status, reading.generation, reading.warning, reading.record.owner_hostid) == (
        "CLEAN", 1, None, "848611d4",
    )  # fmt: skip
    found = fsck.check(source.path_of(OTHER), copy.zone_uuid.bytes)
    assert found.is_clean
    assert found.last == fsck.check(halted.storage_path()).last > 0

    must(verbs.boot(source, "kz-copy"))
    must(verbs.boot(source, "kzone1"))
    assert fsck.check(source.path_of(OTHER), copy.zone_uuid.bytes).is_clean
    assert fsck.check(halted.storage_path(), original.zone_uuid.bytes).is_clean


def test_a_clone_changes_nothing_of_its_source(halted: Lab) -> None:
    before = halted.storage_path().read_bytes()
    must(verbs.clone(halted.global2, "kz-copy", "kzone1"))
    assert halted.storage_path().read_bytes() == before


@pytest.mark.parametrize("state", ["running", "suspended", "held elsewhere", "not there", "itself"])
def test_only_a_halted_zone_of_this_host_is_cloned(halted: Lab, state: str) -> None:
    host, source = halted.global2, "kzone1"
    if state in ("running", "suspended"):
        must(verbs.boot(host, "kzone1"))
    if state == "suspended":
        must(verbs.suspend(host, "kzone1"))
    if state == "held elsewhere":
        must(verbs.attach(halted.global1, "kzone1", "force-takeover"))
    source = {"not there": "kz-none", "itself": "kz-copy"}.get(state, source)

    outcome = verbs.clone(host, "kz-copy", source)

    assert outcome.code in ("WRONG_STATE", "NOT_OWNER", "NOT_CONFIGURED", "CLONE_SELF")
    assert host.placement_facts("kz-copy").state == "configured"
    assert host.read("kz-copy")[0].status == "BLANK"


def test_a_clone_onto_smaller_storage_is_refused_before_anything_is_copied(halted: Lab) -> None:
    path = halted.global2.path_of(OTHER)
    path.unlink()
    storage.create(path, storage.SMALLEST_BYTES)
    with path.open("r+b") as image:
        image.truncate(1024 * 1024)
    outcome = verbs.clone(halted.global2, "kz-copy", "kzone1")
    assert outcome.code == "STORAGE_SIZE"
    assert halted.global2.placement_facts("kz-copy").state == "configured"


@pytest.mark.parametrize("point", POINTS)
def test_a_killed_clone_leaves_the_zone_incomplete_and_its_storage_can_be_had_again(halted: Lab, point: str) -> None:
    killed_at(point, halted, "-z", "kz-copy", "clone", "kzone1")
    assert halted.global2.placement_facts("kz-copy").state == "incomplete"
    must(verbs.uninstall(halted.global2, "kz-copy"))
    must(verbs.clone(halted.global2, "kz-copy", "kzone1"))


def install(lab: Lab, zone: str) -> Outcome:
    return verbs.install(lab.global2, zone)


def clone(lab: Lab, zone: str) -> Outcome:
    return verbs.clone(lab.global2, zone, "kz-source")


@pytest.fixture
def in_use(lab: Lab) -> Lab:
    """kzone1 is installed on URI; kz-new is configured on it by another URI; kz-source could be cloned."""
    lab.installed()
    lab.configured("kz-source", OTHER)
    must(verbs.install(lab.global2, "kz-source"))
    text = COMMANDS.format(uri=f"iscsi://filer/luname.naa.{UNIT}", suspend=lab.directory)
    must(configuring.configure(lab.global2, "kz-new", text))
    return lab


@pytest.mark.parametrize("verb", [install, clone])
def test_storage_of_another_zone_of_this_host_is_refused_whatever_its_uri(
    in_use: Lab, verb: Callable[[Lab, str], Outcome]
) -> None:
    before = in_use.slots()
    said = "\n".join((outcome := verb(in_use, "kz-new")).lines)
    assert outcome.code == "STORAGE_IN_USE"
    assert "host data of zone kzone1" in said
    assert "zone kzone1 of this host is configured on it" in said
    assert in_use.slots() == before


def test_even_empty_storage_that_another_zone_is_configured_on_is_refused(lab: Lab) -> None:
    lab.configured()
    text = COMMANDS.format(uri=f"dev:dsk/c0t{UNIT.upper()}d0", suspend=lab.directory)
    must(configuring.configure(lab.global2, "kz-new", text))
    outcome = verbs.install(lab.global2, "kz-new")
    assert outcome.code == "STORAGE_IN_USE"
    assert "zone kzone1 of this host is configured on it" in outcome.lines[1]
    assert lab.slots() == (bytes(4096), bytes(4096))


@pytest.mark.parametrize("uri", [f"iscsi://filer/luname.naa.{UNIT}", URI])
def test_one_storage_as_two_boot_devices_is_refused_before_anything_is_written(lab: Lab, uri: str) -> None:
    lab.configured()
    must(configuring.configure(lab.global2, "kzone1", f"add device; set storage={uri}; set bootpri=1; set id=1; end"))

    assert verbs.verify(lab.global2, "kzone1").code == "VERIFY"
    outcome = verbs.install(lab.global2, "kzone1")

    assert outcome.code == "STORAGE_TWICE"
    assert lab.global2.placement_facts("kzone1").state == "configured"
    assert lab.slots() == (bytes(4096), bytes(4096))


def test_host_data_that_cannot_be_opened_is_named_by_what_its_header_says(in_use: Lab) -> None:
    text = COMMANDS.format(uri=URI, suspend=in_use.directory)
    must(configuring.configure(in_use.global1, "kz-new", text))
    uuid = in_use.global2.placement_facts("kzone1").zone_uuid
    assert not in_use.global1.placement("kz-new").key()

    said = "\n".join(verbs.install(in_use.global1, "kz-new").lines)

    assert f"{uuid}, generation 1" in said
    assert in_use.global2.placement_facts("kzone1").key_id in said
    assert "erase-storage" in said


def test_what_guests_wrote_keeps_storage_from_being_taken_though_its_host_data_is_gone(lab: Lab) -> None:
    """The accident of the 11.2 release notes: a second install would lose what can still be saved."""
    lab.running()
    must(verbs.halt(lab.global2, "kzone1"))
    with lab.storage_path().open("r+b") as image:
        image.write(bytes(1024 * 1024))
    lab.global1.placement("kzone1")
    outcome = verbs.install(lab.global1, "kzone1")
    assert outcome.code == "STORAGE_IN_USE"
    assert "a guest of zone uuid" in outcome.lines[1]
    assert fsck.check(lab.storage_path()).blocks > 0


def kz(lab: Lab, *words: str) -> int:
    return cli.main([str(lab.global2.directory), *words])


def test_storage_is_erased_by_a_person_who_types_its_name(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lab.running()
    before = lab.slots()
    assert kz(lab, "erase-storage", URI, "-F") == 1
    assert "zone kzone1 runs on this storage" in capsys.readouterr().err
    must(verbs.halt(lab.global2, "kzone1"))
    halted = lab.slots()
    assert halted != before

    assert kz(lab, "erase-storage", URI) == 1
    assert "last known state installed, host 848611d4 (global2)" in capsys.readouterr().err
    monkeypatch.setattr(asking, "line", lambda question: "lu:luname.naa.other")
    assert kz(lab, "erase-storage", URI) == 1
    assert lab.slots() == halted
    monkeypatch.setattr(asking, "line", lambda question: URI)
    assert kz(lab, "erase-storage", URI) == 0
    assert lab.slots() == (bytes(4096), bytes(4096))
    assert fsck.check(lab.storage_path()).blocks == 0


def test_one_image_is_named_by_every_uri_of_its_logical_unit(lab: Lab) -> None:
    forms = [URI, f"iscsi://filer/luname.naa.{UNIT}", f"dev:/dev/dsk/c0t{UNIT.upper()}d0", f"dev:rdsk/c0t{UNIT}d0s0"]
    assert {lab.global1.path_of(uri) for uri in forms} == {lab.storage_path()}
    assert lab.global1.path_of("dev:/dev/dsk/c0t0d0") == Path("/dev/dsk/c0t0d0")


def test_suriadm_speaks_as_documented(lab: Lab, capsys: pytest.CaptureFixture[str]) -> None:
    lab.configured()
    assert kz(lab, "suriadm", "parse", f"iscsi://Target:3260/luname.naa.{UNIT}") == 0
    assert capsys.readouterr().out.splitlines() == [
        "PROPERTY    VALUE",
        "uri-type    iscsi",
        "hostname    target",
        "port        -",
        f"luname      naa.{UNIT}",
    ]
    kz(lab, "suriadm", "parse", "-H", "-o", "uri-type,luname", URI)
    assert capsys.readouterr().out == f"lu\tnaa.{UNIT}\n"
    kz(lab, "suriadm", "normalize", f"iscsi://Target:3260/luname.naa.{UNIT.upper()}")
    assert capsys.readouterr().out == f"iscsi://target/luname.naa.{UNIT}\n"
    for words in ([f"/dev/dsk/c0t{UNIT.upper()}d0"], ["-p", f"mapped-dev=/dev/rdsk/c0t{UNIT}d0s2"]):
        assert kz(lab, "suriadm", "lookup-uri", *words) == 0
        assert capsys.readouterr().out == f"{URI}\ndev:dsk/c0t{UNIT.upper()}d0\n"
    kz(lab, "suriadm", "lookup-uri", "-t", "lu", "-p", f"luname=naa.{UNIT}")
    assert capsys.readouterr().out == f"{URI}\n"


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["lookup-uri", f"/dev/dsk/c0t{'6' * 32}d0"], 1),
        (["lookup-uri", "/dev/dsk/c0t0d0"], 1),
        (["lookup-uri", "-t", "tape", "/dev/dsk/c0t0d0"], 2),
        (["parse", "lu:nothing"], 1),
        (["parse", "-o", "secret", URI], 2),
        (["parse"], 2),
        (["parse", "-o"], 2),
        (["normalize", "-H", URI], 2),
        (["map", URI], 2),
        ([], 2),
    ],
)
def test_suriadm_refuses_what_it_does_not_have(lab: Lab, words: list[str], code: int) -> None:
    assert kz(lab, "suriadm", *words) == code


def test_a_zone_of_the_system_template_gets_a_volume_of_its_own_host(lab: Lab) -> None:
    for host in (lab.global1, lab.global2):
        must(configuring.configure(host, "kz-local", "create -t SYSsolaris-kz"))
        must(verbs.verify(host, "kz-local"))
        must(verbs.install(host, "kz-local"))
    first, second = (host.read("kz-local")[0] for host in (lab.global1, lab.global2))
    assert first.device == second.device == "dev:zvol/dsk/rpool/VARSHARE/zones/kz-local/disk0"
    assert (first.record.owner_hostid, second.record.owner_hostid) == ("83a0cc71", "848611d4")
    must(verbs.boot(lab.global1, "kz-local"))
    must(verbs.halt(lab.global1, "kz-local"))
    must(configuring.configure(lab.global1, "kz-copy", "create -t SYSsolaris-kz-minimal"))
    must(verbs.clone(lab.global1, "kz-copy", "kz-local"))
    assert lab.global1.path_of("dev:zvol/rdsk/rpool/VARSHARE/zones/kz-copy/disk0").is_relative_to(lab.global1.directory)


def test_a_clone_takes_its_storage_before_it_writes_to_it(halted: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks written to storage that is still free would be written over what another host installs there meanwhile."""
    seen = []

    def copy(written: object, target: Look, zone_uuid: UUID) -> None:
        reading = halted.global2.read("kz-copy")[0]
        seen.append((reading.status, reading.record.owner_hostid, halted.global2.placement_facts("kz-copy").state))
        raise OSError(errno.ENOSPC, "no space left")

    monkeypatch.setattr(cloning, "_copy", copy)
    assert verbs.clone(halted.global2, "kz-copy", "kzone1").code == "IO"

    assert seen == [("CLEAN", "848611d4", "incomplete")]
    assert verbs.boot(halted.global2, "kz-copy").code == "WRONG_STATE"
    monkeypatch.undo()
    must(verbs.uninstall(halted.global2, "kz-copy"))
    must(verbs.clone(halted.global2, "kz-copy", "kzone1"))
