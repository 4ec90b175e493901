"""Every crash point kills, and what it leaves is settled as agent.md's table says."""

import os
import re
import signal
from dataclasses import replace
from pathlib import Path

import pytest
from known_answers import AGENT, OF_ZONE, images

import kernelzone
from kernelzone import crashpoints
from kernelzone.crashpoints import CRASHPOINTS, VARIABLE, crashpoint, is_armed
from kernelzone.hostdata import Device, FileJournal, change_host_data, read_region, recover_host_data

OLD = images("committed 41")
# crash point: status and generation left behind, outcome of the recovery, generation then
TABLE = {
    "claim.before-intent": ("CLEAN", 41, None, 41),
    "claim.after-intent": ("CLEAN", 41, "NOT_APPLIED", 41),
    "claim.inside-slot-a": ("SINGLE_B", 41, "NOT_APPLIED", 41),
    "claim.after-slot-a": ("CLAIM", 41, "NOT_APPLIED", 41),
    "claim.before-slot-b": ("CLAIM", 41, "NOT_APPLIED", 41),
    "claim.inside-slot-b": ("SINGLE_A", 42, "CLAIMED", 42),
    "claim.after-slot-b": ("CLEAN", 42, "CLAIMED", 42),
    "claim.before-committed": ("CLEAN", 42, "CLAIMED", 42),
    "claim.after-committed": ("CLEAN", 42, None, 42),
}


@pytest.fixture
def zone(tmp_path):
    (tmp_path / "disk").touch()
    device = Device(tmp_path / "disk")
    device.initialise_region()
    for slot in (0, 1):
        device.write_slot(slot, OLD[slot])
    return device, FileJournal(tmp_path / "journal"), tmp_path / "lock"


def killed_at(name, device, journal, lock_path):
    """Change host data in a child process that dies at `name`; return the signal that ended it."""
    child = os.fork()
    if child == 0:
        os.environ[VARIABLE] = name
        try:
            change_host_data(
                device,
                change=lambda truth: replace(truth, owner_hostname="global1"),
                agent=AGENT,
                journal=journal,
                lock_path=lock_path,
                **OF_ZONE,
            )
        finally:
            os._exit(0)
    return os.WTERMSIG(os.waitpid(child, 0)[1])


@pytest.mark.parametrize("name", CRASHPOINTS)
def test_a_crash_leaves_what_the_table_says_and_is_recovered_from(name, zone):
    if not name.startswith("claim."):
        pytest.skip("not a point of the claim")
    device, journal, lock_path = zone
    status, generation, outcome, settled_at = TABLE[name]

    assert killed_at(name, device, journal, lock_path) == signal.SIGKILL

    left = read_region(*device.read_slots(), **OF_ZONE)
    assert left[:2] == (status, generation)
    intent = journal.open_intent()
    assert (intent is None) == (outcome is None)
    if intent:
        how = {"journal": journal, "lock_path": lock_path, "order_still_valid": True}
        assert recover_host_data(device, intent, **how) == outcome
        assert journal.open_intent() is None
    settled = read_region(*device.read_slots(), **OF_ZONE)
    assert settled[:2] == ("CLEAN", settled_at)
    assert settled.record.owner_hostname == ("global1" if settled_at == 42 else "global2")


def test_every_point_of_the_claim_has_its_row():
    assert set(TABLE) == {name for name in CRASHPOINTS if name.startswith("claim.")}


def test_every_crash_point_in_the_code_is_registered_and_the_other_way_round():
    root = Path(kernelzone.__file__).parents[1]
    sources = [path.read_text() for path in (root / "kernelzone").rglob("*.py")]
    found = {name for text in sources for name in re.findall(r'crashpoint\(f?"([^"]+)"\)', text)}
    named = {name.format(letter=letter) for name in found for letter in "ab"}
    assert named == set(CRASHPOINTS)


def test_without_the_variable_a_crash_point_does_nothing(monkeypatch):
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setattr(crashpoints.os, "kill", lambda *args: pytest.fail("killed"))
    for name in CRASHPOINTS:
        crashpoint(name)
    monkeypatch.setenv(VARIABLE, "claim.after-intent")
    assert [name for name in CRASHPOINTS if is_armed(name)] == ["claim.after-intent"]


def test_a_crash_point_that_is_not_registered_is_a_mistake():
    with pytest.raises(ValueError, match="not registered"):
        crashpoint("claim.somewhere")
