"""`sysadm maintain`, `sysadm evacuate` and the evacuation targets, as commands."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from portable_lab import Lab, must

from kernelzone import zoneadm
from kernelzone.facts import Outcome
from kernelzone.portable import cli, evacuating, fsck, maintenance, verbs
from kernelzone.portable.evacuating import Wishes
from kernelzone.portable.evacuation_targets import EVERY_ZONE
from kernelzone.portable.host import Host
from kernelzone.portable.migrating import Options

pytestmark = pytest.mark.processes
OTHER = "lu:luname.naa.600144f0000000000000000000000002"
Run = Callable[..., tuple[int, list[str], list[str]]]


@pytest.fixture
def run(lab: Lab, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command on global2 and return its exit code and what it printed on each stream."""

    def run(*words: str) -> tuple[int, list[str], list[str]]:
        capsys.readouterr()
        code = cli.main([str(lab.global2.directory), *words])
        shown = capsys.readouterr()
        return code, shown.out.splitlines(), shown.err.splitlines()

    return run


def set_target(run: Run, zone: str, target: str = "ssh://global1") -> None:
    service = f"{EVERY_ZONE}:{zone}" if zone else EVERY_ZONE
    assert run("svccfg", "-s", service, "setprop", f"evacuation/target={target}")[0] == 0
    assert run("svcadm", "refresh", service)[0] == 0


def two_zones(lab: Lab) -> None:
    """kzone1 runs on global2, kzone2 is installed there."""
    lab.running("kzone1")
    lab.installed("kzone2", OTHER)


def states(host: Host) -> dict[str, str]:
    return {one.zone: one.state for one in host.placements()}


# --- maintenance -----------------------------------------------------------------------------------------------------


def test_a_host_in_maintenance_attaches_and_boots_nothing_and_lets_zones_go(lab: Lab, run: Run) -> None:
    two_zones(lab)
    assert run("sysadm", "maintain", "-s", "-m", "new firmware") == (0, [], [])
    refused = "zoneadm: zone 'kzone2': global2 is in maintenance: new firmware"
    assert run("zoneadm", "-z", "kzone2", "boot") == (1, [], [refused])
    must(verbs.detach(lab.global2, "kzone2"))
    assert verbs.attach(lab.global2, "kzone2").code == "MAINTENANCE"
    assert verbs.migrate(lab.global1, "kzone2", "global2").code != "DONE"
    must(verbs.migrate(lab.global2, "kzone1", "global1"))
    assert verbs.migrate(lab.global1, "kzone1", "global2").code == "MAINTENANCE"
    assert run("sysadm", "maintain", "-e") == (0, [], [])
    must(verbs.attach(lab.global2, "kzone2"))
    must(verbs.migrate(lab.global1, "kzone1", "global2"))


def test_a_host_that_starts_in_maintenance_boots_no_zone_by_itself(lab: Lab, run: Run) -> None:
    lab.running()
    maintenance.start(lab.global2.directory, "new firmware")
    lab.global2.set_flag("dead")
    assert run("flag", "up")[0] == 0
    assert states(lab.global2) == {"kzone1": "installed"}


def test_maintenance_is_listed_as_sysadm_lists_it(lab: Lab, run: Run) -> None:
    head = "TYPE   USER     DATE               MESSAGE"
    assert run("sysadm", "maintain", "-l") == (0, [head], [])
    run("sysadm", "maintain", "-s", "-m", "Updating: to new release")
    code, (shown, row), _ = run("sysadm", "maintain", "-l")
    assert (code, shown) == (0, head)
    assert re.fullmatch(r"admin  root     \d{4}-\d\d-\d\d \d\d:\d\d   Updating: to new release", row)
    assert run("sysadm", "maintain", "-l", "-p", "-o", "TYPE,MESSAGE")[1] == ["admin:Updating\\: to new release"]


@pytest.mark.parametrize(
    "words",
    [
        ("maintain",),
        ("maintain", "-s"),
        ("maintain", "-m", "x"),
        ("maintain", "-s", "-e", "-m", "x"),
        ("maintain", "-l", "-p"),
        ("maintain", "-l", "-p", "-o", "TYPE,SECRET"),
        ("evacuate", "-n", "-w"),
        ("evacuate", "-l", "-n"),
        ("evacuate", "-q", "-v"),
        ("evacuate", "global1"),
        ("evacuate", "-x"),
        ("reboot",),
        (),
    ],
)
def test_other_options_end_with_the_usage(run: Run, words: tuple[str, ...]) -> None:
    code, _, errors = run("sysadm", *words)
    assert (code, errors[0]) == (2, "usage: sysadm maintain -s -m message | -e | -l [-p -o TYPE,USER,DATE,MESSAGE]")


def test_a_maintenance_without_a_message_or_without_a_beginning_is_refused(run: Run) -> None:
    assert run("sysadm", "maintain", "-s", "-m", " ")[0] == 1
    assert run("sysadm", "maintain", "-e") == (1, [], ["sysadm:   no active maintenance"])


# --- evacuation targets ----------------------------------------------------------------------------------------------


def test_targets_are_shown_changed_and_taken_away(lab: Lab, run: Run) -> None:
    lab.configured()
    service = f"svc:/{EVERY_ZONE}:kzone1"
    assert run("svccfg", "-s", service, "listprop") == (0, [], [])
    assert run("svccfg", "-s", service, "setprop", "evacuation/target", "=", "astring:", '"ssh://root@global1"')[0] == 0
    assert run("svccfg", "-s", service, "listprop", "evacuation/target")[1] == [
        "evacuation/target astring     ssh://root@global1"
    ]
    assert run("svccfg", "-s", service, "refresh")[0] == 0
    assert lab.global2.placement_facts("kzone1").evacuation_target == "ssh://root@global1"
    assert run("svccfg", "-s", service, "delprop", "evacuation/target")[0] == 0
    assert run("svcadm", "refresh", service)[0] == 0
    assert lab.global2.placement_facts("kzone1").evacuation_target is None


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("svccfg", "-s", f"{EVERY_ZONE}:kzone9", "listprop"), 1),
        (("svcadm", "refresh", "system/ssh"), 1),
        (("svccfg", "-s", EVERY_ZONE, "setprop", "evacuation/target=global1"), 1),
        (("svccfg", "-s", EVERY_ZONE, "setprop", "evacuation/target=ssh://-oProxyCommand=x"), 1),
        (("svccfg", "-s", EVERY_ZONE, "setprop", "general/enabled=true"), 2),
        (("svccfg", "listprop"), 2),
        (("svcadm", "disable", EVERY_ZONE), 2),
    ],
)
def test_what_is_no_target_and_no_service_is_refused(lab: Lab, run: Run, words: tuple[str, ...], code: int) -> None:
    assert run(*words)[0] == code
    assert lab.global2.facts()  # and nothing of it has broken the host
    assert not (lab.global2.directory / "evacuation-targets.json").exists()


# --- evacuation ------------------------------------------------------------------------------------------------------


def test_an_evacuation_says_what_sysadm_says_and_lists_it_afterwards(lab: Lab, run: Run) -> None:
    two_zones(lab)
    assert run("sysadm", "evacuate", "-l") == (0, ["sysadm:   no active evacuation"], [])
    set_target(run, "kzone1")
    set_target(run, "", "ssh://root@global1")

    code, lines, errors = run("sysadm", "evacuate", "-a", "-v")

    assert (code, errors) == (0, [])
    assert lines == [
        "sysadm: preparing 2 zone(s) for evacuation ...",
        "sysadm: initializing migration of kzone1 to global1 ...",
        "sysadm: initializing migration of kzone2 to global1 ...",
        "sysadm: evacuating 2 zone(s) ...",
        "sysadm: migrating kzone1 to global1 ...",
        "sysadm: migrating kzone2 to global1 ...",
        "sysadm: evacuation completed successfully.",
        "sysadm: kzone1: evacuated to ssh://global1",
        "sysadm: kzone2: evacuated to ssh://root@global1",
    ]
    assert zoneadm.classify("\n".join(lines), 0).kind == "done"
    assert states(lab.global1) == {"kzone1": "running", "kzone2": "installed"}
    assert run("sysadm", "evacuate", "-l")[1] == [
        "ZONENAME         STATE     DEST                                     ERROR",
        "kzone1           EVACUATED ssh://global1",
        "kzone2           EVACUATED ssh://root@global1",
    ]


def test_a_dry_run_counts_and_changes_nothing(lab: Lab, run: Run) -> None:
    two_zones(lab)
    set_target(run, "kzone1")
    slots = lab.slots()
    lines = ["sysadm: preparing zones for evacuation ... 1/1", "sysadm: dry-run succeeded"]
    assert run("sysadm", "evacuate", "-n") == (0, lines, [])
    assert lab.slots() == slots
    assert states(lab.global2) == {"kzone1": "running", "kzone2": "installed"}
    assert run("sysadm", "evacuate", "-l")[1] == ["sysadm:   no active evacuation"]


def test_what_cannot_go_is_skipped_and_named_and_the_others_go(lab: Lab, run: Run) -> None:
    two_zones(lab)
    set_target(run, "kzone1")
    set_target(run, "kzone2", "ssh://global9")

    code, lines, errors = run("sysadm", "evacuate", "-a")

    assert (code, lines[-1]) == (1, "sysadm: evacuation failed for 1 of 2 zone(s).")
    assert errors == ["sysadm: kzone2: could not connect to global9: no host of that name is known"]
    assert (states(lab.global1)["kzone1"], states(lab.global2)["kzone2"]) == ("running", "installed")
    assert "kzone2           SKIPPED   ssh://global9" in "\n".join(run("sysadm", "evacuate", "-l")[1])


@pytest.mark.parametrize(
    ("what", "why"),
    [
        ("state damaged", "state.json is not JSON"),
        ("without configuration", "the configuration of the zone is missing"),
        ("ready", "must be installed before migrate."),
    ],
)
def test_a_zone_of_which_nobody_knows_that_it_is_off_is_not_left_out_silently(
    lab: Lab, run: Run, what: str, why: str
) -> None:
    two_zones(lab)
    set_target(run, "")
    placement = lab.global2.placement("kzone2")
    if what == "state damaged":
        placement.directory.joinpath("state.json").write_text("{")
    if what == "without configuration":
        must(verbs.boot(lab.global2, "kzone2"))
        placement.directory.joinpath("configuration").unlink()
    if what == "ready":
        must(verbs.ready(lab.global2, "kzone2"))

    code, _, errors = run("sysadm", "evacuate")

    assert code == 1
    assert errors[0].startswith("sysadm: kzone2: ")
    assert why in errors[0]
    assert states(lab.global1)["kzone1"] == "running"


def test_a_zone_whose_migration_was_cut_off_is_listed(lab: Lab, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    two_zones(lab)
    set_target(run, "kzone1")
    migrate = verbs.migrate

    def killed(*args: object, **options: object) -> Outcome:
        ended = migrate(*args, **options)  # type: ignore[arg-type]
        if args[3] == Options():
            raise KeyboardInterrupt
        return ended

    monkeypatch.setattr(verbs, "migrate", killed)
    with pytest.raises(KeyboardInterrupt):
        run("sysadm", "evacuate")

    (row,) = run("sysadm", "evacuate", "-l")[1][1:]
    assert row.startswith("kzone1           FAILED    ssh://global1 ")
    assert "its migration was begun" in row


def test_a_migration_that_fails_after_it_was_prepared_is_told_as_failed(
    lab: Lab, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    two_zones(lab)
    set_target(run, "")
    migrate = verbs.migrate

    def breaking(host: Host, zone: str, target: str, options: object, **others: object) -> object:
        if not options.dry_run and zone == "kzone1":  # type: ignore[attr-defined]
            lab.global1.set_flag("cut-off")
        return migrate(host, zone, target, options, **others)  # type: ignore[arg-type]

    monkeypatch.setattr(verbs, "migrate", breaking)
    ended = evacuating.evacuate(lab.global2, Wishes(every_zone=True))
    assert ended.outcome.code == "FAILED"
    assert [(one.zone, one.fate) for one in ended.zones] == [("kzone1", "FAILED"), ("kzone2", "FAILED")]
    assert states(lab.global2) == {"kzone1": "running", "kzone2": "installed"}


def test_zones_come_back_with_r_those_of_two_evacuations_too(lab: Lab, run: Run) -> None:
    two_zones(lab)
    set_target(run, "")
    assert run("sysadm", "evacuate", "-q") == (0, [], [])
    assert run("sysadm", "evacuate", "-a", "-q") == (0, [], [])
    assert states(lab.global1) == {"kzone1": "running", "kzone2": "installed"}
    assert run("sysadm", "evacuate", "-r", "-n")[1][-1] == "sysadm: dry-run succeeded"

    code, lines, errors = run("sysadm", "evacuate", "-r", "-v")

    assert (code, errors) == (0, [])
    assert lines == [
        "sysadm: preparing 2 zone(s) for return...",
        "sysadm: initializing return of kzone1",
        "sysadm: initializing return of kzone2",
        "sysadm: returning 2 zone(s) ...",
        "sysadm: migrating kzone1",
        "sysadm: migrating kzone2",
        "sysadm: return completed successfully.",
        "sysadm: kzone1: returned",
        "sysadm: kzone2: returned",
    ]
    assert zoneadm.classify("\n".join(lines), 0).kind == "done"
    assert states(lab.global2) == {"kzone1": "running", "kzone2": "installed"}
    assert fsck.check(lab.storage_path(), None).is_clean
    assert run("sysadm", "evacuate", "-r")[1][0] == "sysadm: preparing 0 zone(s) for return..."


def test_what_did_not_come_back_may_be_asked_for_again(lab: Lab, run: Run) -> None:
    two_zones(lab)
    set_target(run, "")
    run("sysadm", "evacuate", "-a")
    lab.global1.set_flag("cut-off")
    code, _, errors = run("sysadm", "evacuate", "-r")
    assert (code, errors[0]) == (1, "sysadm: kzone1: could not connect to global1: global1 is cut-off")
    lab.global1.set_flag("up")
    assert run("sysadm", "evacuate", "-r")[0] == 0
    assert states(lab.global2) == {"kzone1": "running", "kzone2": "installed"}


def test_a_maintenance_that_begins_forgets_the_evacuation(lab: Lab, run: Run) -> None:
    two_zones(lab)
    set_target(run, "")
    run("sysadm", "evacuate")
    run("sysadm", "maintain", "-s", "-m", "new firmware")
    assert run("sysadm", "evacuate", "-l")[1] == ["sysadm:   no active evacuation"]


def test_two_evacuations_of_one_host_do_not_run_beside_each_other(lab: Lab, run: Run) -> None:
    two_zones(lab)
    set_target(run, "")
    inside: list[str] = []

    def again(line: str) -> None:
        if line.endswith("for evacuation ...") and not inside:
            inside.append(evacuating.evacuate(lab.global2, Wishes()).outcome.code)

    assert evacuating.evacuate(lab.global2, Wishes(), say=again).outcome.code == "DONE"
    assert inside == ["BUSY"]


def test_a_dead_host_evacuates_nothing(lab: Lab) -> None:
    lab.installed()
    lab.global2.set_flag("dead")
    assert evacuating.evacuate(lab.global2, Wishes(every_zone=True)).outcome.code == "HOST_DEAD"
