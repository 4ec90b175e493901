"""A verb that dies at every crash point of the claim: the next command settles what it left, in whoever's favour."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from portable_lab import Lab, must

from kernelzone.crashpoints import CRASHPOINTS, VARIABLE
from kernelzone.portable import changes, configuring, verbs

pytestmark = pytest.mark.processes

# Before slot B is begun the old record comes back; from then on the new one is finished (within ten minutes).
OLD = {
    "claim.before-intent",
    "claim.after-intent",
    "claim.inside-slot-a",
    "claim.after-slot-a",
    "claim.before-slot-b",
}
POINTS = [name for name in CRASHPOINTS if name.startswith("claim.")]


def killed_at(point: str, lab: Lab, *words: str) -> None:
    command = [sys.executable, "-m", "kernelzone.portable.cli", str(lab.global1.directory), "zoneadm", *words]
    ended = subprocess.run(command, env={**os.environ, VARIABLE: point}, capture_output=True, check=False)
    assert ended.returncode == -9, ended.stderr.decode()


@pytest.mark.parametrize("point", POINTS)
def test_a_killed_takeover_is_settled_by_the_next_command(lab: Lab, point: str) -> None:
    lab.installed()
    before = lab.slots()
    killed_at(point, lab, "-z", "kzone1", "attach", "-x", "force-takeover")

    verbs.recover(lab.global1)

    reading = lab.global1.read("kzone1")[0]
    assert reading.status == "CLEAN"
    if point in OLD:
        assert lab.slots() == before
        assert verbs.attach(lab.global1, "kzone1").code == "IN_USE"
    else:
        assert (reading.record.owner_hostid, reading.generation) == ("83a0cc71", 2)
        assert lab.global1.placement_facts("kzone1").state == "configured"  # it does not go on by itself
        must(verbs.attach(lab.global1, "kzone1"))


@pytest.mark.parametrize("point", POINTS)
def test_a_killed_initialisation_leaves_the_key_that_opens_host_data(lab: Lab, point: str) -> None:
    lab.installed()
    old_key = lab.global1.placement("kzone1").key()
    killed_at(point, lab, "-z", "kzone1", "attach", "-x", "initialize-hostdata")

    verbs.recover(lab.global1)

    placement, reading = lab.global1.placement("kzone1"), lab.global1.read("kzone1")[0]
    assert reading.status == "CLEAN"
    assert reading.warning is None
    assert (placement.key() == old_key) == (point in OLD)
    assert placement.staged_key() is None
    assert reading.record.owner_hostid == ("848611d4" if point in OLD else "83a0cc71")


def test_the_next_verb_itself_puts_the_new_key_in_place(lab: Lab) -> None:
    lab.installed()
    killed_at("claim.after-committed", lab, "-z", "kzone1", "attach", "-x", "initialize-hostdata")
    must(verbs.attach(lab.global1, "kzone1"))


def test_a_staged_key_is_kept_while_there_is_no_boot_storage_to_try_it_on(lab: Lab) -> None:
    """Host data may be sealed under it, and nobody else has it."""
    lab.installed()
    placement = lab.global1.placement("kzone1")
    placement.stage_key(bytes(range(16)))
    must(configuring.configure(lab.global1, "kzone1", "select device id=0; clear bootpri; end"))
    assert not placement.boot_devices()

    verbs.recover(lab.global1)

    assert placement.staged_key() == bytes(range(16))


def test_what_works_on_a_zone_does_not_show_its_key(lab: Lab) -> None:
    placement = lab.global1.placement("kzone1")
    shown = repr(changes.Writer(lab.global1, placement, b"sixteen bytes !!", lab.global1.agent))
    assert shown == "Writer(global1, kzone1)"


@pytest.mark.parametrize("written_at", [1, 2**33], ids=["long ago", "in the future, by a clock that was set back"])
def test_a_claim_torn_in_slot_b_at_another_time_is_left_to_a_person(lab: Lab, written_at: int) -> None:
    lab.installed()
    killed_at("claim.inside-slot-b", lab, "-z", "kzone1", "attach", "-x", "force-takeover")
    before = lab.slots()
    for journal in lab.global1.placement("kzone1").directory.glob("claim-*.json"):
        os.utime(journal, (written_at, written_at))

    verbs.recover(lab.global1)

    assert lab.slots() == before
    assert lab.global1.read("kzone1")[0].status == "SINGLE_A"
    assert verbs.attach(lab.global1, "kzone1").code == "HD_NOT_CLEAN"


def test_every_crash_point_of_the_claim_is_swept() -> None:
    assert set(POINTS) > OLD
    assert len(POINTS) >= 8
