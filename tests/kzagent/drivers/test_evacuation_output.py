"""What `sysadm` prints, in published forms and odd ones: an evacuation is done when everything says so."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from test_solaris_output import driver

from kernelzone.orders import EvacuateArgs
from kzagent.drivers.solaris.commands import _evacuates
from kzagent.drivers.solaris.evacuation import moved_of, result_of
from kzagent.drivers.solaris.port import Finished
from kzagent.errors import DriverError

WANTED = EvacuateArgs(dry_run=False, every_zone=False, is_return=False)
HEAD = "ZONENAME         STATE     DEST                                     ERROR\n"
GONE = "kzone1           EVACUATED ssh://ldom1-08\n"
KEPT = "kzone2           FAILED    ssh://ldom1-08                           destination is in maintenance\n"
DONE = "sysadm: evacuating 1 zone(s) ...\nsysadm: evacuation completed successfully.\n"


def test_the_list_of_an_evacuation_is_read_row_by_row() -> None:
    odd = "kzone3 DANCING ssh://x\n-x EVACUATED ssh://x\nkzone4           SKIPPED   -   no target: why\n\n"

    found = moved_of(Finished(0, HEAD + GONE + KEPT + odd, ""))

    assert [(one.zone, one.fate, one.target, one.error) for one in found] == [
        ("kzone1", "evacuated", "ssh://ldom1-08", ""),
        ("kzone2", "failed", "ssh://ldom1-08", "destination is in maintenance"),
        ("kzone4", "skipped", "", "no target: why"),
    ]
    assert moved_of(Finished(0, "sysadm:   no active evacuation\n", "")) == []
    assert moved_of(Finished(1, GONE, "")) == []


@pytest.mark.parametrize(
    ("finished", "rows", "code"),
    [
        (Finished(0, DONE, ""), GONE, "DONE"),
        (Finished(0, DONE, ""), GONE + KEPT, "PARTIAL"),
        (Finished(0, DONE, ""), KEPT, "FAILED"),
        (Finished(0, DONE + "sysadm: something else\n", ""), GONE, "UNPARSED"),
        (Finished(1, DONE, ""), GONE, "PARTIAL"),
        (Finished(1, "", "sysadm: not permitted\n"), "", "FAILED"),
        (Finished(None, "", ""), "", "STILL_RUNNING"),
    ],
)
def test_an_evacuation_is_done_only_when_everything_says_so(finished: Finished, rows: str, code: str) -> None:
    result = result_of(finished, moved_of(Finished(0, HEAD + rows, "")))

    assert (result.outcome.code, result.outcome.is_done) == (code, code == "DONE")


def test_what_an_earlier_evacuation_took_away_is_not_counted_again(tmp_path: Path) -> None:
    line = "-:{}:{}:/z::solaris-kz:excl\n"
    listed = line.format("kzone1", "configured") + line.format("kzone2", "running") + line.format("kzone3", "running")
    found = driver(tmp_path, sysadm=HEAD + GONE + KEPT, verb=DONE, **{"list-cp": listed})

    result = found.evacuate(WANTED, lambda line: None)

    assert [(one.zone, one.fate) for one in result.zones] == [("kzone2", "failed"), ("kzone3", "failed")]
    assert result.outcome.code == "FAILED"


def test_what_did_not_come_back_is_named(tmp_path: Path) -> None:
    back = "kzone2           RETURNED\n"
    found = driver(tmp_path, sysadm=HEAD + GONE + back, verb=Finished(1, "", "sysadm: return failed\n"))

    result = found.evacuate(replace(WANTED, is_return=True), lambda line: None)

    assert [(one.zone, one.fate) for one in result.zones] == [("kzone1", "failed"), ("kzone2", "returned")]
    assert result.outcome.code == "PARTIAL"


def test_nothing_is_evacuated_while_somebody_does(tmp_path: Path) -> None:
    ps = "  1 00:01 init\n 77 02:01 /usr/sbin/sysadm evacuate -v\n"

    with pytest.raises(DriverError) as refused:
        driver(tmp_path, ps=ps).evacuate(WANTED, lambda line: None)

    assert refused.value.code == "BUSY"
    assert _evacuates(("/usr/bin/pfexec", "/usr/sbin/sysadm", "evacuate", "-n"))
    assert not _evacuates(("sysadm", "evacuate", "-l"))
    assert not _evacuates(("sysadm", "maintain", "-l"))


def test_an_evacuation_whose_end_was_not_seen_is_kept_and_a_second_one_waits(tmp_path: Path) -> None:
    found = driver(tmp_path, verb=Finished(None, "", ""))

    assert found.evacuate(WANTED, lambda line: None).outcome.code == "STILL_RUNNING"

    assert found.begun(None) == "evacuate"
    assert found.evacuate(WANTED, lambda line: None).outcome.code == "STILL_RUNNING", "ps says that it has ended"


@pytest.mark.parametrize(
    ("said", "maintenance"),
    [
        ("", None),
        ("Updating to new release\n", "Updating to new release"),
        ("new disks\\: shelf 3\n", "new disks: shelf 3"),
        ("one\ntwo\n", "one; two"),
        (Finished(2, "usage: sysadm\n", ""), None),
        (Finished(1, "", "not permitted\n"), None),
    ],
)
def test_maintenance_is_what_sysadm_says_and_nothing_where_it_says_nothing(
    tmp_path: Path, said: Any, maintenance: str | None
) -> None:
    assert driver(tmp_path, sysadm=said).host().maintenance == maintenance
