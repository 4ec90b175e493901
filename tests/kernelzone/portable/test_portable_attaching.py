"""Install, attach and detach: who may use the zone, and what is said to the others. No guest runs here."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from portable_lab import URI, Lab, must

from kernelzone import zoneadm
from kernelzone.hostdata import SLOT_A, Device
from kernelzone.portable import configuring, guests, verbs
from kernelzone.portable.host import Host

# No process is started, but every step is flushed to the disk: too slow for `make fast`.
pytestmark = pytest.mark.processes
TRANSCRIPTS = Path(__file__).parents[2] / "data" / "transcripts"


def text_of(lines: tuple[str, ...]) -> str:
    return "".join(f"{line}\n" for line in lines)


def transcript(name: str) -> str:
    lines = (TRANSCRIPTS / name).read_text().splitlines()
    return "".join(f"{line}\n" for line in lines if not line.startswith("#"))


def test_an_attach_elsewhere_prints_the_published_message_and_changes_nothing(lab: Lab) -> None:
    lab.installed()
    before = lab.slots()

    outcome = verbs.attach(lab.global1, "kzone1")

    now = zoneadm.ctime(lab.global2.read("kzone1")[0].record.updated_at)
    assert text_of(outcome.lines) == transcript("attach-in-use.txt").replace("Sun Apr 13 20:08:13 2014", now)
    assert (outcome.is_done, outcome.exit_code, outcome.code) == (False, 1, "IN_USE")
    assert lab.global1.placement_facts("kzone1").state == "unavailable"
    assert lab.slots() == before


def test_the_wrong_key_prints_the_published_message(lab: Lab) -> None:
    lab.installed()
    lab.global1.placement("kzone1").save_key(bytes(15) + b"\x01")

    outcome = verbs.attach(lab.global1, "kzone1")

    assert text_of(outcome.lines) == transcript("attach-wrong-key.txt")
    assert outcome.code == "WRONG_KEY"
    assert lab.global1.placement_facts("kzone1").state == "unavailable"


def test_without_a_key_an_attach_is_refused_as_with_a_wrong_one(lab: Lab) -> None:
    lab.configured()
    must(verbs.install(lab.global2, "kzone1"))
    must(configuring.configure(lab.global1, "kzone1", lab.global2.configuration("kzone1")))

    assert verbs.attach(lab.global1, "kzone1").code == "WRONG_KEY"


def test_a_boot_of_overwritten_storage_prints_the_published_message(lab: Lab) -> None:
    lab.installed()
    with lab.storage_path().open("r+b") as image:
        image.write(bytes(1024 * 1024))

    outcome = verbs.boot(lab.global2, "kzone1")

    assert text_of(outcome.lines) == transcript("boot-no-host-data.txt")
    assert lab.global2.placement_facts("kzone1").state == "unavailable"


def test_a_detached_zone_attaches_on_the_other_host_and_not_on_the_first_any_more(lab: Lab) -> None:
    lab.installed()

    must(verbs.detach(lab.global2, "kzone1"))
    must(verbs.attach(lab.global1, "kzone1"))

    reading = lab.global1.read("kzone1")[0]
    assert (reading.record.owner_hostid, reading.record.state, reading.record.flags) == ("83a0cc71", "installed", ())
    assert reading.record.previous_owner_hostid == "848611d4"
    assert verbs.attach(lab.global2, "kzone1").code == "IN_USE"


def test_each_attach_is_a_new_incarnation(lab: Lab) -> None:
    lab.installed()
    first = lab.global2.read("kzone1")[0].record.incarnation
    must(verbs.detach(lab.global2, "kzone1"))
    must(verbs.attach(lab.global2, "kzone1"))
    assert lab.global2.read("kzone1")[0].record.incarnation != first


def test_install_refuses_storage_that_carries_host_data(lab: Lab) -> None:
    lab.installed()
    before = lab.slots()

    with_key = verbs.install(lab.global1, "kzone1")
    text = lab.global2.configuration("kzone1")
    must(configuring.configure(lab.global1, "kz-other", text))
    without_key = verbs.install(lab.global1, "kz-other")

    assert (with_key.code, without_key.code) == ("IN_USE", "STORAGE_IN_USE")
    assert lab.global1.placement_facts("kz-other").state == "configured"
    assert lab.slots() == before


def test_an_install_speaks_as_the_installer_does(lab: Lab) -> None:
    lab.configured()
    outcome = verbs.install(lab.global2, "kzone1")
    assert zoneadm.classify(text_of(outcome.lines), outcome.exit_code).kind == "done"
    assert re.fullmatch(r"Progress being logged to /var/log/zones/zoneadm\.\d{8}T\d{6}Z\.kzone1\.install",
                        outcome.lines[0])  # fmt: skip


def test_a_takeover_by_hand_is_marked_forced_without_a_warrant(lab: Lab) -> None:
    lab.installed()
    assert not verbs.attach(lab.global1, "kzone1").is_done

    must(verbs.attach(lab.global1, "kzone1", "force-takeover"))

    record = lab.global1.read("kzone1")[0].record
    assert (record.owner_hostid, record.flags, record.warrant_sha256) == ("83a0cc71", ("forced",), None)
    assert record.previous_owner_hostid == "848611d4"
    assert lab.global1.placement_facts("kzone1").state == "installed"


def test_a_takeover_of_a_free_zone_is_not_called_forced(lab: Lab) -> None:
    lab.installed()
    must(verbs.detach(lab.global2, "kzone1"))
    must(verbs.attach(lab.global1, "kzone1", "force-takeover"))
    assert lab.global1.read("kzone1")[0].record.flags == ()


def test_a_takeover_carries_the_digest_of_its_warrant(lab: Lab) -> None:
    lab.installed()
    must(verbs.attach(lab.global1, "kzone1", "force-takeover", warrant_digest=bytes(range(32))))
    assert lab.global1.read("kzone1")[0].record.warrant_sha256 == bytes(range(32)).hex()


def test_a_takeover_needs_the_key(lab: Lab) -> None:
    lab.installed()
    lab.global1.placement("kzone1").save_key(bytes(15) + b"\x01")
    before = lab.slots()
    assert verbs.attach(lab.global1, "kzone1", "force-takeover").code == "WRONG_KEY"
    assert lab.slots() == before


def test_initialisation_gives_a_new_key_and_leaves_the_old_one_wrong(lab: Lab) -> None:
    lab.installed()
    old_key = lab.global1.placement("kzone1").key()
    zone_uuid = lab.global2.placement_facts("kzone1").zone_uuid

    must(verbs.attach(lab.global1, "kzone1", "initialize-hostdata"))

    reading = lab.global1.read("kzone1")[0]
    assert (reading.record.owner_hostid, reading.record.flags) == ("83a0cc71", ("initialised",))
    assert reading.zone_uuid == zone_uuid
    assert lab.global1.placement("kzone1").key() != old_key
    assert (lab.global1.placement("kzone1").directory / "key.previous").read_text().strip() == old_key.hex()
    assert verbs.boot(lab.global2, "kzone1").code == "WRONG_KEY"
    assert lab.global2.read("kzone1")[0].warning == "KEY_UNKNOWN"


@pytest.mark.parametrize("extended", [None, "force-takeover", "initialize-hostdata"])
def test_nothing_attaches_to_storage_that_is_not_there(lab: Lab, extended: str | None) -> None:
    lab.installed()
    lab.storage_path().unlink()
    outcome = verbs.attach(lab.global1, "kzone1", extended)
    assert (outcome.is_done, outcome.code) == (
        False,
        "NO_STORAGE" if extended == "initialize-hostdata" else "NO_HOST_DATA",
    )


def test_a_torn_slot_stops_every_verb_but_a_forced_one(lab: Lab) -> None:
    lab.installed()
    slot_a = lab.slots()[SLOT_A]
    Device(lab.storage_path()).write_slot(SLOT_A, slot_a[:2048] + bytes(2048))
    assert lab.global2.read("kzone1")[0].status == "SINGLE_B"

    codes = [verbs.boot(lab.global2, "kzone1").code, verbs.attach(lab.global1, "kzone1").code]
    must(verbs.attach(lab.global1, "kzone1", "force-takeover"))

    assert codes == ["HD_NOT_CLEAN", "HD_NOT_CLEAN"]
    assert lab.global1.read("kzone1")[0].status == "CLEAN"
    assert lab.global1.read("kzone1")[0].generation == 2


def test_an_imported_zone_learns_its_uuid_from_a_proven_slot_and_keeps_it(lab: Lab) -> None:
    lab.installed()
    assert lab.global1.placement_facts("kzone1").zone_uuid is None
    lab.global1.read("kzone1")
    assert lab.global1.placement_facts("kzone1").zone_uuid == lab.global2.placement_facts("kzone1").zone_uuid


def test_a_copy_on_another_device_is_suspected(lab: Lab) -> None:
    lab.installed()
    other = "lu:luname.naa.600144f0000000000000000000000002"
    lab.global1.path_of(other).write_bytes(lab.storage_path().read_bytes())
    must(configuring.configure(lab.global1, "kzone1", f"select device id=0; set storage={other}; end"))
    assert lab.global1.read("kzone1")[0].warning == "CLONE_SUSPECTED"


def test_a_reading_below_the_high_water_mark_warns(lab: Lab) -> None:
    lab.installed()
    assert lab.global2.read("kzone1", high_water=1)[0].warning is None
    assert lab.global2.read("kzone1", high_water=2)[0].warning == "ROLLBACK"


def test_a_dead_host_takes_no_verb_and_its_host_data_stays(lab: Lab) -> None:
    lab.installed()
    before = lab.slots()
    lab.global2.set_flag("dead")
    assert verbs.boot(lab.global2, "kzone1").code == "HOST_DEAD"
    assert not lab.global2.is_reachable
    assert lab.slots() == before


def test_a_host_that_comes_back_has_a_new_boot_id_and_does_not_boot_what_it_lost(lab: Lab) -> None:
    lab.installed()
    boot_id = lab.global2.boot_id
    lab.global2.set_flag("dead")
    must(verbs.attach(lab.global1, "kzone1", "force-takeover"))

    lab.global2.set_flag("up")
    outcomes = verbs.autoboot(lab.global2)

    assert [outcome.code for outcome in outcomes] == ["IN_USE"]
    assert lab.global2.placement_facts("kzone1").state == "unavailable"
    assert lab.global2.boot_id != boot_id


def test_opening_what_is_no_host_says_so(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="is no host"):
        Host.open(tmp_path)


def test_storage_uris_of_one_unit_lead_to_one_file(lab: Lab) -> None:
    name = URI.removeprefix("lu:")
    assert lab.global1.path_of(f"iscsi://array1/{name}") == lab.global1.path_of(URI) == lab.global2.path_of(URI)
    assert lab.global1.path_of("file:///x/y") == Path("/x/y")


def set_back(lab: Lab) -> tuple[bytes, bytes]:
    """global2 has detached the zone; then the array puts back a copy from before; return the slots of it."""
    lab.installed()
    older = lab.storage_path().read_bytes()
    must(verbs.detach(lab.global2, "kzone1"))
    lab.storage_path().write_bytes(older)
    return lab.slots()


@pytest.mark.parametrize("extended", [None, "force-takeover"])
def test_storage_that_was_set_back_is_not_attached_by_the_host_that_has_seen_more(
    lab: Lab, extended: str | None
) -> None:
    """F15. The copy names global2 as the owner, which it was, and may be no longer."""
    older = set_back(lab)
    refused = verbs.attach(lab.global2, "kzone1", extended)
    assert (refused.is_done, refused.code) == (False, "ROLLBACK")
    assert lab.slots() == older
    assert lab.global2.placement_facts("kzone1").state != "installed"


@pytest.mark.parametrize("uri", ["iscsi://array1/{}", "dev:dsk/c0t{}d0"])
def test_storage_that_was_set_back_is_known_by_any_of_its_uris(lab: Lab, uri: str) -> None:
    name = URI.removeprefix("lu:")
    other = uri.format(name if uri.startswith("iscsi") else name.removeprefix("luname.naa.").upper())
    older = set_back(lab)
    must(configuring.configure(lab.global2, "kzone1", f"select device id=0; set storage={other}; end"))

    assert verbs.attach(lab.global2, "kzone1").code == "ROLLBACK"
    assert lab.slots() == older


def test_storage_that_was_set_back_is_not_booted(lab: Lab) -> None:
    set_back(lab)
    must(verbs.attach(lab.global1, "kzone1", "force-takeover"))  # global1 has seen nothing newer
    older = lab.storage_path().read_bytes()
    must(verbs.detach(lab.global1, "kzone1"))
    must(verbs.attach(lab.global1, "kzone1"))
    lab.storage_path().write_bytes(older)

    refused = verbs.boot(lab.global1, "kzone1")

    assert refused.code == "ROLLBACK"
    assert "generation 2, but 4 was seen before" in text_of(refused.lines)
    assert lab.global1.placement_facts("kzone1").state == "unavailable"
    assert lab.storage_path().read_bytes() == older


def test_an_initialisation_rises_above_what_was_seen(lab: Lab) -> None:
    set_back(lab)
    must(verbs.attach(lab.global2, "kzone1", "initialize-hostdata"))
    assert lab.global2.read("kzone1")[0].generation == 3


def test_a_zone_that_is_installed_anew_begins_anew(lab: Lab) -> None:
    lab.installed()
    must(verbs.detach(lab.global2, "kzone1"))
    lab.storage_path().write_bytes(bytes(lab.storage_path().stat().st_size))
    must(verbs.install(lab.global2, "kzone1"))
    must(verbs.detach(lab.global2, "kzone1"))
    assert lab.global2.read("kzone1")[0].generation == 2


def test_a_damaged_high_water_mark_is_named_and_nothing_is_attached(lab: Lab) -> None:
    set_back(lab)
    (lab.global2.placement("kzone1").directory / "high-water.json").write_text('{"generations": {"a": "2"}}')
    before = lab.slots()
    assert verbs.attach(lab.global2, "kzone1").code == "FILE"
    assert lab.slots() == before


def test_a_zone_that_cannot_be_settled_is_not_in_the_way_of_the_others(lab: Lab) -> None:
    lab.installed()
    must(configuring.configure(lab.global2, "another", "create -b; set brand=solaris-kz"))
    placement = lab.global2.placement("kzone1")
    (placement.directory / "claim-0.json").write_text("{")

    verbs.recover(lab.global2)

    assert verbs.boot(lab.global2, "kzone1").code == "HD_JOURNAL"


def test_a_zone_whose_state_is_damaged_is_not_in_the_way_of_the_guests_that_start_again(lab: Lab) -> None:
    lab.running()
    must(configuring.configure(lab.global2, "another", "create -b; set brand=solaris-kz"))
    (lab.global2.placement("another").directory / "state.json").write_text("{")
    guests.kill(lab.global2.placement("kzone1").guest())

    assert verbs.restart_guests(lab.global2) == 1
