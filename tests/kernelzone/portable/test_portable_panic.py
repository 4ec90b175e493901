"""A guest that panics: it stays, writes no more, and is only got out of it by halt or reboot."""

from __future__ import annotations

import time

import pytest
from portable_lab import Lab, must

from kernelzone.portable import drills, fsck, guests, verbs

pytestmark = pytest.mark.processes


@pytest.fixture
def panicked(lab: Lab) -> Lab:
    lab.running()
    must(drills.panic(lab.global2, "kzone1"))
    return lab


def test_a_panicked_zone_runs_and_writes_nothing(panicked: Lab) -> None:
    facts = panicked.global2.placement_facts("kzone1")
    assert (facts.state, facts.auxiliary) == ("running", ("panicked",))
    placement = panicked.global2.placement("kzone1")
    assert guests.is_alive(placement.guest())
    assert "panic[cpu0]" in placement.console.read_text()
    before = fsck.check(panicked.storage_path()).last
    time.sleep(0.2)  # ten blocks of a guest that writes
    assert fsck.check(panicked.storage_path()).last == before
    assert panicked.global2.read("kzone1")[0].record.state == "running"


def test_nothing_that_the_guest_would_have_to_do_is_asked_of_it(panicked: Lab) -> None:
    before = panicked.slots()
    assert verbs.suspend(panicked.global2, "kzone1").code == "PANICKED"
    assert verbs.shutdown(panicked.global2, "kzone1").code == "PANICKED"
    assert verbs.shutdown(panicked.global2, "kzone1", restart=True).code == "PANICKED"
    assert drills.panic(panicked.global2, "kzone1").code == "PANICKED"
    assert verbs.boot(panicked.global2, "kzone1").code == "ALREADY_BOOTED"
    assert panicked.slots() == before


def test_a_reboot_brings_it_back(panicked: Lab) -> None:
    must(verbs.reboot(panicked.global2, "kzone1"))
    facts = panicked.global2.placement_facts("kzone1")
    assert (facts.state, facts.auxiliary) == ("running", ())
    assert fsck.check(panicked.storage_path()).is_clean


def test_a_halt_ends_it(panicked: Lab) -> None:
    guest = panicked.global2.placement("kzone1").guest()
    must(verbs.halt(panicked.global2, "kzone1"))
    assert not guests.is_alive(guest)
    assert panicked.global2.placement_facts("kzone1").auxiliary == ()


def test_only_a_running_zone_panics(lab: Lab) -> None:
    lab.installed()
    assert drills.panic(lab.global2, "kzone1").code == "WRONG_STATE"
