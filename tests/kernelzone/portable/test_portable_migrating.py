"""A zone goes to another host: what is printed, who owns it then, and that no two guests ever wrote."""

from __future__ import annotations

from pathlib import Path

import pytest
from portable_lab import URI, Lab, must
from transcripts import transcript

from kernelzone import zoneadm
from kernelzone.facts import Outcome
from kernelzone.portable import cli, configuring, files, fsck, maintenance, storage, suspension, verbs
from kernelzone.portable.guest import memory_of
from kernelzone.portable.host import Host
from kernelzone.portable.migrating import Options

pytestmark = pytest.mark.processes
ZONE = "kzone1"
COPY = "nfs://filer/share/copy"
KEY_IS_WRONG = "zone 'kzone1': error: Encryption key is incorrect.  See solaris-kz(7) for configuration migration"


def said(outcome: Outcome) -> list[str]:
    return [line.removeprefix(f"zoneadm: zone '{ZONE}': ") for line in outcome.lines]


def migrate(lab: Lab, target: str = "ssh://root@global1", **options: object) -> Outcome:
    return verbs.migrate(lab.global2, ZONE, target, Options(**options))  # type: ignore[arg-type]


def state(host: Host) -> tuple[str, tuple[str, ...]]:
    facts = host.placement_facts(ZONE)
    return facts.state, facts.auxiliary


def owner(host: Host) -> tuple[str, str]:
    (reading,) = host.read(ZONE)
    assert reading.status == "CLEAN"
    assert reading.record is not None
    return reading.record.owner_hostid, reading.record.state


def is_clean(lab: Lab, at_least: int = 1) -> bool:
    found = fsck.check(lab.storage_path(), None)
    return found.is_clean and found.blocks >= at_least


def reconfigured(host: Host, commands: str) -> None:
    must(configuring.configure(host, ZONE, commands))


# --- live ------------------------------------------------------------------------------------------------------------


def test_a_live_migration_says_what_solaris_says_and_leaves_the_zone_running_on_the_target(lab: Lab) -> None:
    lab.running()

    outcome = migrate(lab)

    assert "".join(f"{line}\n" for line in outcome.lines) == transcript("migrate-live.txt")
    assert zoneadm.classify("\n".join(outcome.lines), 0).kind == "done"
    assert state(lab.global1) == ("running", ())
    assert state(lab.global2) == ("configured", ())
    assert owner(lab.global1) == ("83a0cc71", "running")
    assert is_clean(lab, 2)


def test_the_zone_goes_on_with_the_memory_it_had(lab: Lab) -> None:
    """Not told, it would ask the storage for the last block: so what is handed over is looked at."""
    lab.running()
    before = fsck.check(lab.storage_path(), None).blocks
    handed: list[bytes] = []
    keep = suspension.store

    def watched(path: Path, image: bytes) -> None:
        handed.append(image)
        keep(path, image)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(suspension, "store", watched)
        must(migrate(lab))

    (image,) = handed
    placement = lab.global1.placement(ZONE)
    key, uuid = placement.key(), placement.stored_state().zone_uuid
    assert key is not None
    assert uuid is not None
    memory = memory_of(suspension.unseal(image, zone_key=key, zone_uuid=uuid.bytes))
    assert memory.sequence >= before
    assert memory.blocks_written >= before
    assert not placement.handover.exists()
    assert not lab.global2.placement(ZONE).handover.exists()


def test_a_zone_goes_there_and_back_and_its_storage_stays_one_sequence(lab: Lab) -> None:
    lab.running()
    for _ in range(3):
        must(migrate(lab))
        must(verbs.migrate(lab.global1, ZONE, "ssh://global2"))
    assert owner(lab.global2) == ("848611d4", "running")
    assert is_clean(lab, 7)


def test_a_dry_run_of_a_live_migration_changes_nothing(lab: Lab) -> None:
    lab.running()
    reconfigured(lab.global1, "delete -F")
    slots = lab.slots()

    outcome = migrate(lab, dry_run=True)

    assert said(outcome) == [
        "Importing zone configuration.",
        "Attaching zone.",
        "Booting zone in 'migrating-in' mode.",
        "Checking migration compatibility.",
        "Cleaning up.",
        "Dry-run migration successful.",
    ]
    assert lab.slots() == slots
    assert lab.global1.zones() == []
    assert not (lab.global1.directory / "zones" / ZONE).exists()
    assert state(lab.global2) == ("running", ())
    assert is_clean(lab)


def test_a_dry_run_leaves_a_zone_that_must_not_boot_on_the_target_unavailable(lab: Lab) -> None:
    lab.running()
    assert verbs.attach(lab.global1, ZONE).code == "IN_USE"

    must(migrate(lab, dry_run=True))

    assert state(lab.global1) == ("unavailable", ())


def test_during_a_live_migration_both_sides_say_so_and_only_the_source_owns_it(lab: Lab) -> None:
    lab.running()
    seen: dict[str, object] = {}

    def look(line: str) -> None:
        if line.endswith("Starting migration."):
            seen["in"] = state(lab.global1)
        if line.endswith("Suspending zone on source host."):
            seen["out"] = state(lab.global2)
            seen["owner"] = owner(lab.global2)

    must(verbs.migrate(lab.global2, ZONE, "ssh://global1", say=look))
    assert seen == {
        "in": ("running", ("migrating-in",)),
        "out": ("running", ("migrating-out",)),
        "owner": ("848611d4", "migrating-out"),
    }


# --- at rest ---------------------------------------------------------------------------------------------------------


def test_a_cold_migration_moves_an_installed_zone(lab: Lab) -> None:
    lab.installed()
    reconfigured(lab.global1, "delete -F")
    outcome = migrate(lab)
    assert said(outcome) == [
        "Importing zone configuration on destination.",
        "Attaching zone.",
        "Migration successful.",
        "Detaching zone on source host.",
    ]
    assert zoneadm.classify("\n".join(outcome.lines), 0).kind == "done"
    assert (state(lab.global1), state(lab.global2)) == (("installed", ()), ("configured", ()))
    assert lab.global1.placement(ZONE).key() == lab.global2.placement(ZONE).key()
    assert owner(lab.global1) == ("83a0cc71", "installed")
    must(verbs.boot(lab.global1, ZONE))


def test_a_warm_migration_takes_the_suspended_memory_along(lab: Lab) -> None:
    lab.running()
    must(verbs.suspend(lab.global2, ZONE))
    dry = migrate(lab, dry_run=True)
    assert said(dry) == [
        "Using existing zone configuration.",
        "Attaching zone.",
        "Dry-run migration successful.",
        "Cleaning up.",
    ]
    must(migrate(lab))
    assert state(lab.global1) == ("installed", ("suspended",))
    assert owner(lab.global1) == ("83a0cc71", "suspended")
    must(verbs.boot(lab.global1, ZONE))
    assert is_clean(lab, 2)


def test_a_suspend_image_on_the_source_alone_is_not_migrated(lab: Lab) -> None:
    lab.installed()
    inside = lab.global2.directory / "suspend"
    for host in (lab.global1, lab.global2):
        reconfigured(host, f"select suspend; set path={inside}; end")
    must(verbs.boot(lab.global2, ZONE))
    must(verbs.suspend(lab.global2, ZONE))
    assert migrate(lab).code == "NOT_SHARED"
    assert state(lab.global2) == ("installed", ("suspended",))


# --- refusals: the zone stays where it is, as it was ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("commands", "words"),
    [
        ("select capped-memory; set physical=8G; end", "capped-memory physical: 4G on source host, 8G on destination"),
        ("add virtual-cpu; set ncpus=2; end", "virtual-cpu: nothing on source host, present on destination"),
        (f"select device id=0; set storage={COPY}; end", f"device 0 storage: {URI} on source host, {COPY} on"),
        ("set hostid=0x2e7d2173", "global hostid: nothing on source host, 0x2e7d2173 on destination"),
    ],
)
@pytest.mark.parametrize("is_live", [False, True])
def test_a_configuration_that_does_not_fit_stops_a_migration(
    lab: Lab, commands: str, words: str, is_live: bool
) -> None:
    (lab.running if is_live else lab.installed)()
    if COPY in commands:  # the same zone on a copy that has no id: its host data is the same, the device another
        copy = lab.global1.path_of(COPY)
        copy.parent.mkdir(parents=True)
        copy.write_bytes(lab.storage_path().read_bytes())
    before = state(lab.global2), lab.slots()
    reconfigured(lab.global1, commands)

    outcome = migrate(lab)

    assert outcome.code == "INCOMPATIBLE"
    assert words in "\n".join(outcome.lines)
    assert (state(lab.global2), lab.slots()) == before
    assert state(lab.global1) == ("configured", ())
    assert lab.global1.zones() == [ZONE]


def test_a_key_that_is_there_already_and_wrong_is_not_replaced(lab: Lab) -> None:
    lab.running()
    wrong = bytes(range(16))
    lab.global1.placement(ZONE).save_key(wrong)
    outcome = migrate(lab)
    assert (outcome.code, outcome.lines[-2]) == ("WRONG_KEY", KEY_IS_WRONG)
    assert lab.global1.placement(ZONE).key() == wrong
    assert state(lab.global2) == ("running", ())

    must(migrate(lab, overwrite=True))
    assert state(lab.global1) == ("running", ())


def test_an_overwritten_configuration_comes_back_when_the_migration_fails(lab: Lab) -> None:
    lab.installed()
    reconfigured(lab.global1, "set autoboot=false")
    text, key = lab.global1.placement(ZONE).text(), lab.global1.placement(ZONE).key()
    lab.global1.placement(ZONE).save_key(bytes(16))

    def cut(line: str) -> None:
        if line.endswith("Attaching zone."):
            assert lab.global1.placement(ZONE).key() == key
            lab.storage_path().rename(lab.storage_path().with_suffix(".gone"))

    outcome = verbs.migrate(lab.global2, ZONE, "ssh://global1", Options(overwrite=True), say=cut)
    assert not outcome.is_done
    assert lab.global1.placement(ZONE).text() == text
    assert lab.global1.placement(ZONE).key() == bytes(16)


def test_a_target_of_an_older_release_refuses_what_it_does_not_know_and_the_key_is_not_shown(lab: Lab) -> None:
    lab.installed()
    reconfigured(lab.global1, "delete -F")
    reconfigured(lab.global2, "set host-compatible=memlzr")
    path = lab.global1.directory / "host.json"
    files.write_json(path, {**files.read_json(path), "release": "11.3"})

    outcome = migrate(lab)

    text = "".join(f"{line}\n" for line in outcome.lines)
    head, _, rest = transcript("migrate-config-failed.txt").replace("mykz", ZONE).partition("create -b\n")
    tail = rest.partition("-----END CONFIGURATION-----\n")[2]
    assert text.startswith(head + "create -b\nset brand=solaris-kz\n")
    number = text.splitlines().index("set host-compatible=memlzr") - text.splitlines().index("create -b") + 1
    assert text.endswith(f"-----END CONFIGURATION-----\n{tail}".replace("On line 3:", f"On line {number}:"))
    key = lab.global2.placement(ZONE).key()
    assert key is not None
    assert key.hex() not in text
    assert outcome.code == "CONFIG_FAILED"
    assert zoneadm.classify(text, 1).kind == "config-failed"
    assert lab.global1.zones() == []
    assert state(lab.global2) == ("installed", ())


@pytest.mark.parametrize(("target", "code"), [("global9", "TARGET_UNKNOWN"), ("global2", "TARGET_IS_SOURCE")])
def test_a_target_that_is_no_other_host_is_refused(lab: Lab, target: str, code: str) -> None:
    lab.installed()
    assert migrate(lab, f"ssh://{target}").code == code


@pytest.mark.parametrize("target", ["ssh://", "-n", "ssh://global1/x", "http://global1", "ssh://a b"])
def test_a_target_that_is_none_is_refused(lab: Lab, target: str) -> None:
    lab.installed()
    assert migrate(lab, target).code == "MIGRATE_TARGET"


def test_two_hosts_of_one_hostname_are_no_target(lab: Lab) -> None:
    lab.installed()
    Host.create(lab.directory / "other", owner_hostid="11111111", hostname="global1")
    assert migrate(lab).code == "TARGET_AMBIGUOUS"


@pytest.mark.parametrize("flag", ["dead", "cut-off"])
@pytest.mark.parametrize("which", ["source", "target"])
def test_a_host_that_nobody_reaches_takes_part_in_no_migration(lab: Lab, flag: str, which: str) -> None:
    lab.installed()
    (lab.global2 if which == "source" else lab.global1).set_flag(flag)
    assert migrate(lab).code == ("HOST_DEAD" if (flag, which) == ("dead", "source") else "TARGET_UNREACHABLE")
    assert owner(lab.global2) == ("848611d4", "installed")


def test_a_target_that_goes_away_meanwhile_leaves_the_zone_running_on_the_source(lab: Lab) -> None:
    lab.running()

    def cut(line: str) -> None:
        if line.endswith("Suspending zone on source host."):
            lab.global1.set_flag("cut-off")

    outcome = verbs.migrate(lab.global2, ZONE, "ssh://global1", say=cut)

    assert outcome.code == "TARGET_UNREACHABLE"
    assert state(lab.global2) == ("running", ())
    assert owner(lab.global2) == ("848611d4", "running")
    assert state(lab.global1) == ("configured", ())
    lab.global1.set_flag("up")
    verbs.recover(lab.global1)
    assert not (lab.global1.placement(ZONE).directory / "migrating.json").exists()
    assert is_clean(lab, 2)


def test_a_host_in_maintenance_takes_no_zone_in(lab: Lab) -> None:
    lab.installed()
    maintenance.start(lab.global1.directory, "new firmware")
    outcome = migrate(lab)
    assert (outcome.code, said(outcome)) == ("MAINTENANCE", ["global1 is in maintenance: new firmware"])


def test_storage_of_one_host_alone_is_not_migrated(lab: Lab) -> None:
    uri = f"dev://{lab.directory}/disk0"
    lab.configured(uri=uri)
    must(verbs.install(lab.global2, ZONE))
    outcome = migrate(lab)
    assert outcome.code == "NOT_SHARED"
    assert lab.global1.zones() == []


def test_a_second_device_that_is_local_stops_it_too(lab: Lab) -> None:
    lab.installed()
    local = f"file://{lab.directory}/data"
    storage.create(lab.directory / "data")
    reconfigured(lab.global2, f"add device; set storage={local}; set id=1; end")
    assert migrate(lab).code == "NOT_SHARED"


@pytest.mark.parametrize("verb", ["boot", "attached"])
def test_a_zone_that_is_in_use_on_the_target_is_not_sent_there(lab: Lab, verb: str) -> None:
    lab.running()
    must(verbs.attach(lab.global1, ZONE, "force-takeover"))
    if verb == "boot":
        must(verbs.boot(lab.global1, ZONE))
    outcome = migrate(lab)
    assert outcome.code == "IN_USE"
    assert state(lab.global2)[0] == "running"


def test_another_command_at_work_on_the_target_is_not_disturbed(lab: Lab) -> None:
    lab.installed()
    with files.held(lab.global1.placement(ZONE).verb_lock):
        assert migrate(lab).code == "BUSY"


def test_only_a_running_zone_is_migrated_live_where_that_is_asked(lab: Lab) -> None:
    lab.installed()
    outcome = migrate(lab, live_only=True)
    assert (outcome.code, said(outcome)) == ("WRONG_STATE", ["must be running before migrate -t live."])


def test_a_cipher_nobody_knows_is_refused_in_solaris_words(lab: Lab) -> None:
    lab.running()
    outcome = migrate(lab, cipher="aes-128-cbc")
    assert said(outcome) == [
        "cipher aes-128-cbc not supported by destination",
        "destination supports: aes-128-ccm aes-128-gcm",
    ]
    must(migrate(lab, cipher="none"))


def test_a_zone_that_is_only_configured_is_not_migrated(lab: Lab) -> None:
    lab.configured()
    outcome = migrate(lab)
    assert (outcome.code, said(outcome)) == ("WRONG_STATE", ["must be installed before migrate."])


# --- the command -----------------------------------------------------------------------------------------------------


def run(lab: Lab, *words: str) -> int:
    return cli.main([str(lab.global2.directory), "zoneadm", "-z", ZONE, "migrate", *words])


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("-n",),
        ("-n", "-w", "global1"),
        ("-t", "warm", "global1"),
        ("-x", "global1"),
        ("global1", "global1"),
        ("-c",),
    ],
)
def test_options_that_migrate_does_not_have_end_with_the_usage(
    lab: Lab, capsys: pytest.CaptureFixture[str], words: tuple[str, ...]
) -> None:
    lab.installed()
    assert run(lab, *words) == 2
    assert capsys.readouterr().err.startswith("usage: zoneadm")


def test_the_command_prints_progress_and_refusals_apart_and_nothing_when_quiet(
    lab: Lab, capsys: pytest.CaptureFixture[str]
) -> None:
    lab.installed()
    assert run(lab, "-n", "ssh://global1") == 0
    shown = capsys.readouterr()
    assert (shown.out.splitlines()[-1], shown.err) == (f"zoneadm: zone '{ZONE}': Cleaning up.", "")
    assert run(lab, "ssh://global9") == 1
    assert capsys.readouterr().out == ""
    assert run(lab, "-q", "-c", "aes-128-gcm", "global1") == 0
    assert capsys.readouterr() == ("", "")
    assert run(lab, "-c", "list") == 0
    assert capsys.readouterr().out == "aes-128-ccm\naes-128-gcm\n"
