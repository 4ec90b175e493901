"""Zones that run: real guests, what they write, and what two of them do to one storage."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from itertools import product
from pathlib import Path

import pytest
from portable_lab import Lab, must

from kernelzone.facts import Outcome
from kernelzone.portable import blocks, fsck, guests, verbs
from kernelzone.portable.errors import PortableError
from kernelzone.portable.turn import Turn
from kernelzone.states import NEXT, Verb, ZoneState

pytestmark = pytest.mark.processes
TRANSCRIPTS = Path(__file__).parents[2] / "data" / "transcripts"


def guest_of(lab: Lab, host: str = "global2", zone: str = "kzone1") -> guests.GuestProcess | None:
    return getattr(lab, host).placement(zone).stored_state().guest


def written(lab: Lab) -> list[blocks.Block]:
    fd = os.open(lab.storage_path(), os.O_RDONLY)
    try:
        found = [one.block for one in blocks.walk(fd) if one.block]
    finally:
        os.close(fd)
    return sorted(found, key=lambda block: block.sequence)


def wait_for(true: Callable[[], object], seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def wait_for_blocks(lab: Lab, number: int) -> None:
    wait_for(lambda: len(written(lab)) >= number)


def test_a_guest_that_could_not_be_noted_never_writes(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the next boot would start a second guest beside one that nobody knows of."""
    lab.installed()
    save, noted = Turn.save, []

    def full_disk(turn: Turn, state: ZoneState, **changed: object) -> None:
        if state is ZoneState.RUNNING:
            noted.append(changed["guest"])
            raise OSError(errno.ENOSPC, "No space left on device")
        save(turn, state, **changed)

    monkeypatch.setattr(Turn, "save", full_disk)
    outcome = verbs.boot(lab.global2, "kzone1")

    assert (outcome.is_done, outcome.code) == (False, "IO")
    assert len(noted) == 1
    assert not guests.is_alive(noted[0])
    assert written(lab) == []
    assert lab.global2.read("kzone1")[0].record.state == "installed"


def test_a_guest_whose_starter_died_before_it_was_noted_ends_without_writing(lab: Lab) -> None:
    lab.installed()
    words = ["--zone=kzone1", f"--storage={lab.storage_path()}", "--key-file=", "--suspend=", "--owner-hostid=848611d4"]
    words += [f"--zone-uuid={lab.global2.placement_facts('kzone1').zone_uuid}", f"--incarnation={'00' * 16}"]
    command = [sys.executable, "-m", "kernelzone.portable.guest", *words]
    # the end of the starter closes the pipe: all that the guest sees of it
    ended = subprocess.run(command, input=b"", capture_output=True, check=False, timeout=20)
    assert (ended.returncode, ended.stdout) == (1, b"")
    assert b"has died" in ended.stderr
    assert written(lab) == []


def test_a_booted_zone_is_a_process_of_its_own_that_writes_one_sequence(lab: Lab) -> None:
    lab.running()
    wait_for_blocks(lab, 5)

    guest = guest_of(lab)
    assert os.getsid(guest.pid) == guest.pid != os.getsid(0)
    assert lab.global2.read("kzone1")[0].record.state == "running"
    assert lab.global2.placement_facts("kzone1").state == "running"
    found = fsck.check(lab.storage_path())
    assert found.is_clean
    assert found.guests == 1


def test_halt_ends_the_guest_and_leaves_no_zombie(lab: Lab) -> None:
    lab.running()
    guest = guest_of(lab)

    must(verbs.halt(lab.global2, "kzone1"))

    assert not guests.is_alive(guest)
    assert not Path(f"/proc/{guest.pid}").exists()
    assert lab.global2.read("kzone1")[0].record.state == "installed"


def test_booting_a_running_zone_prints_the_published_message(lab: Lab) -> None:
    lab.running()
    outcome = verbs.boot(lab.global2, "kzone1")
    lines = (TRANSCRIPTS / "boot-already-booted.txt").read_text().splitlines()
    assert list(outcome.lines) == [line.replace("test1", "kzone1") for line in lines if not line.startswith("#")]


def test_the_sequence_goes_on_after_a_halt_and_a_boot(lab: Lab) -> None:
    lab.running()
    wait_for_blocks(lab, 3)
    must(verbs.reboot(lab.global2, "kzone1"))
    wait_for(lambda: len({block.guest for block in written(lab)}) == 2)

    must(verbs.halt(lab.global2, "kzone1"))

    found = fsck.check(lab.storage_path())
    assert found.is_clean
    assert found.guests == 2


def test_a_suspended_zone_resumes_with_its_counter_on_another_host(lab: Lab) -> None:
    lab.running()
    wait_for_blocks(lab, 5)
    must(verbs.suspend(lab.global2, "kzone1"))
    before = written(lab)[-1]
    assert lab.global2.placement_facts("kzone1").auxiliary == ("suspended",)
    assert lab.global2.read("kzone1")[0].record.is_suspended
    assert before.digest.hex().encode() not in (lab.directory / "suspend" / "kzone1").read_bytes()

    must(verbs.detach(lab.global2, "kzone1"))
    must(verbs.attach(lab.global1, "kzone1"))
    assert lab.global1.placement_facts("kzone1").auxiliary == ("suspended",)
    must(verbs.boot(lab.global1, "kzone1"))

    wait_for(lambda: written(lab)[-1].sequence > before.sequence)
    assert next(one for one in written(lab) if one.sequence == before.sequence + 1).previous == before.digest
    assert not lab.global1.read("kzone1")[0].record.is_suspended
    assert not (lab.directory / "suspend" / "kzone1").exists()


def test_a_resumed_guest_goes_on_from_its_memory_and_not_from_the_storage(lab: Lab) -> None:
    lab.running()
    wait_for_blocks(lab, 5)
    must(verbs.suspend(lab.global2, "kzone1"))
    last = written(lab)[-1].sequence
    with lab.storage_path().open("r+b") as image:  # as if the storage were rolled back behind the zone's back
        image.seek(blocks.FIRST_BYTE)
        image.write(bytes(lab.storage_path().stat().st_size - blocks.FIRST_BYTE))

    must(verbs.boot(lab.global2, "kzone1"))

    assert written(lab)[0].sequence == last + 1


def test_a_wrong_suspend_image_is_refused_until_a_person_gives_it_up(lab: Lab) -> None:
    lab.running()
    must(verbs.suspend(lab.global2, "kzone1"))
    image = lab.directory / "suspend" / "kzone1"
    image.write_bytes(image.read_bytes()[:-1] + b"\x00")

    refused = verbs.boot(lab.global2, "kzone1")
    still = lab.global2.placement_facts("kzone1").auxiliary
    must(verbs.boot(lab.global2, "kzone1", fresh=True))

    assert (refused.code, still) == ("SUSPEND_IMAGE", ("suspended",))


def test_a_zone_whose_suspend_image_has_no_room_runs_on(lab: Lab) -> None:
    lab.running()
    (lab.directory / "suspend").write_text("not a directory")
    guest = guest_of(lab)
    verbs.running.SUSPEND_S = 0.5  # type: ignore[misc]
    try:
        outcome = verbs.suspend(lab.global2, "kzone1")
    finally:
        verbs.running.SUSPEND_S = 15.0  # type: ignore[misc]
    assert not outcome.is_done
    assert guests.is_alive(guest)
    assert lab.global2.placement_facts("kzone1").state == "running"


def test_two_guests_on_one_storage_fork_the_sequence_and_fsck_finds_it(lab: Lab) -> None:
    lab.running()
    wait_for_blocks(lab, 3)
    must(verbs.attach(lab.global1, "kzone1", "force-takeover"))
    must(verbs.boot(lab.global1, "kzone1"))

    wait_for(lambda: fsck.check(lab.storage_path()).forks)

    found = fsck.check(lab.storage_path())
    assert not found.is_clean
    first = found.forks[0]
    assert {block.owner_hostid.hex() for block in first.blocks} == {"83a0cc71", "848611d4"}
    assert len({block.previous for block in first.blocks}) == 1
    assert "FORK: block" in "\n".join(fsck.words("kzone1", found))


def test_a_halt_on_the_host_that_lost_the_zone_stops_its_guest_and_leaves_host_data(lab: Lab) -> None:
    lab.running()
    must(verbs.attach(lab.global1, "kzone1", "force-takeover"))
    before = lab.slots()

    outcome = verbs.halt(lab.global2, "kzone1")

    assert outcome.is_done
    assert "in use by host" in outcome.lines[0]
    assert not guests.is_alive(guest_of(lab))
    assert lab.global2.placement_facts("kzone1").state == "unavailable"
    assert lab.slots() == before


def test_samples_see_a_running_guest_and_no_halted_one(lab: Lab) -> None:
    lab.running()
    during = sum(one.changed_blocks for one in lab.global1.sample("kzone1", 0.5, 0.1))
    must(verbs.halt(lab.global2, "kzone1"))
    after = sum(one.changed_blocks for one in lab.global1.sample("kzone1", 0.3, 0.1))
    assert during > 0
    assert after == 0


def test_a_cut_off_host_writes_on_and_a_dead_one_does_not(lab: Lab) -> None:
    lab.running()
    lab.global2.set_flag("cut-off")
    number = len(written(lab))
    wait_for_blocks(lab, number + 3)

    lab.global2.set_flag("dead")

    assert not guests.is_alive(guest_of(lab))
    assert lab.global2.read("kzone1")[0].record.state == "running"


def test_a_guest_that_was_killed_leaves_an_installed_zone_that_boots_again(lab: Lab) -> None:
    lab.running()
    os.kill(guest_of(lab).pid, signal.SIGKILL)
    wait_for(lambda: lab.global2.placement_facts("kzone1").state == "installed")
    must(verbs.boot(lab.global2, "kzone1"))


def test_a_pid_that_is_another_process_is_never_killed(lab: Lab) -> None:
    lab.running()
    guest = guest_of(lab)
    placement = lab.global2.placement("kzone1")
    fields = json.loads((placement.directory / "state.json").read_text())
    fields["guest"] = [os.getpid(), 1]
    (placement.directory / "state.json").write_text(json.dumps(fields))

    lab.global2.set_flag("dead")  # this test would end here

    guests.kill(guest)


def test_a_guest_ends_by_itself_when_its_storage_is_gone(lab: Lab) -> None:
    lab.running()
    lab.storage_path().unlink()
    wait_for(lambda: not guests.is_alive(guest_of(lab)))


def test_a_torn_block_and_a_lost_block_are_found(lab: Lab) -> None:
    lab.running()
    wait_for_blocks(lab, 6)
    must(verbs.halt(lab.global2, "kzone1"))
    fd = os.open(lab.storage_path(), os.O_RDWR)
    places = [one.position for one in blocks.walk(fd)]
    os.pwrite(fd, b"\xff", blocks.FIRST_BYTE + places[1] * blocks.BLOCK_BYTES + 300)
    os.pwrite(fd, bytes(blocks.BLOCK_BYTES), blocks.FIRST_BYTE + places[3] * blocks.BLOCK_BYTES)
    os.close(fd)

    found = fsck.check(lab.storage_path())

    assert found.torn == (places[1],)
    assert len(found.gaps) == 2


def test_a_zone_that_does_not_start_is_installed_again(lab: Lab) -> None:
    lab.installed()
    with lab.storage_path().open("r+b") as image:
        image.truncate(blocks.FIRST_BYTE)  # no room behind the host data

    outcome = verbs.boot(lab.global2, "kzone1")

    assert (outcome.is_done, outcome.code) == (False, "GUEST")
    assert lab.global2.placement_facts("kzone1").state == "installed"
    assert lab.global2.read("kzone1")[0].record.state == "installed"


def test_a_halt_of_a_suspended_zone_that_was_made_ready_keeps_its_memory(lab: Lab) -> None:
    lab.running()
    must(verbs.suspend(lab.global2, "kzone1"))
    last = written(lab)[-1]
    must(verbs.ready(lab.global2, "kzone1"))

    must(verbs.halt(lab.global2, "kzone1"))

    record = lab.global2.read("kzone1")[0].record
    assert (record.state, record.is_suspended) == ("suspended", True)
    assert lab.global2.placement_facts("kzone1").auxiliary == ("suspended",)
    must(verbs.boot(lab.global2, "kzone1"))
    assert next(one for one in written(lab) if one.sequence == last.sequence + 1).previous == last.digest


def test_a_suspended_zone_that_was_ready_when_its_host_died_is_suspended_still(lab: Lab) -> None:
    lab.running()
    must(verbs.suspend(lab.global2, "kzone1"))
    must(verbs.ready(lab.global2, "kzone1"))
    lab.global2.set_flag("dead")
    lab.global2.set_flag("up")
    facts = lab.global2.placement_facts("kzone1")
    assert (facts.state, facts.auxiliary) == ("installed", ("suspended",))


@pytest.mark.parametrize("when", ["before it wrote", "after it wrote"])
def test_a_resume_that_fails_keeps_the_memory_unless_a_guest_wrote_since(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    lab.running()
    must(verbs.suspend(lab.global2, "kzone1"))
    go = guests.go

    def slow(waiting: guests.Waiting, memory: bytes) -> None:
        if when == "after it wrote":
            go(waiting, memory)
            guests.kill(waiting.process)
        else:
            guests.give_up(waiting)
        raise PortableError("GUEST", "the zone did not start in time")

    monkeypatch.setattr(guests, "go", slow)
    assert verbs.boot(lab.global2, "kzone1").code == "GUEST"
    monkeypatch.undo()

    assert lab.global2.read("kzone1")[0].record.is_suspended is (when == "before it wrote")
    must(verbs.boot(lab.global2, "kzone1"))
    assert fsck.check(lab.storage_path()).is_clean


def test_a_reboot_says_why_host_data_was_left_alone(lab: Lab) -> None:
    lab.running()
    with lab.storage_path().open("r+b") as image:
        image.write(bytes(4096))

    outcome = verbs.reboot(lab.global2, "kzone1")

    assert outcome.code == "HD_NOT_CLEAN"
    assert lab.global2.placement_facts("kzone1").state == "unavailable"


VERBS: dict[Verb, Callable[[Lab], Outcome]] = {
    Verb.INSTALL: lambda lab: verbs.install(lab.global2, "kzone1"),
    Verb.ATTACH: lambda lab: verbs.attach(lab.global2, "kzone1"),
    Verb.DETACH: lambda lab: verbs.detach(lab.global2, "kzone1"),
    Verb.READY: lambda lab: verbs.ready(lab.global2, "kzone1"),
    Verb.BOOT: lambda lab: verbs.boot(lab.global2, "kzone1"),
    Verb.REBOOT: lambda lab: verbs.reboot(lab.global2, "kzone1"),
    Verb.HALT: lambda lab: verbs.halt(lab.global2, "kzone1"),
    Verb.SHUTDOWN: lambda lab: verbs.shutdown(lab.global2, "kzone1"),
    Verb.SUSPEND: lambda lab: verbs.suspend(lab.global2, "kzone1"),
    Verb.UNINSTALL: lambda lab: verbs.uninstall(lab.global2, "kzone1"),
    Verb.MARK_UNAVAILABLE: lambda lab: verbs.mark_unavailable(lab.global2, "kzone1"),
    Verb.MARK_INCOMPLETE: lambda lab: verbs.mark_incomplete(lab.global2, "kzone1"),
}


def brought_to(lab: Lab, state: ZoneState) -> None:
    lab.configured()
    if state is not ZoneState.CONFIGURED:
        must(verbs.install(lab.global2, "kzone1"))
    if state is ZoneState.READY:
        must(verbs.ready(lab.global2, "kzone1"))
    if state is ZoneState.RUNNING:
        must(verbs.boot(lab.global2, "kzone1"))
    if state is ZoneState.UNAVAILABLE:
        must(verbs.mark_unavailable(lab.global2, "kzone1"))
    if state is ZoneState.INCOMPLETE:
        must(verbs.mark_incomplete(lab.global2, "kzone1"))


STATES = (
    ZoneState.CONFIGURED,
    ZoneState.INCOMPLETE,
    ZoneState.INSTALLED,
    ZoneState.READY,
    ZoneState.RUNNING,
    ZoneState.UNAVAILABLE,
)
# A zone that was never installed has nothing to attach to: allowed by the table, refused by host data.
NOTHING_THERE = (ZoneState.CONFIGURED, Verb.ATTACH)


@pytest.mark.parametrize(("state", "verb"), sorted(set(product(STATES, VERBS)) - {NOTHING_THERE}))
def test_every_verb_leads_where_the_table_says_or_changes_nothing(lab: Lab, state: ZoneState, verb: Verb) -> None:
    brought_to(lab, state)
    before = lab.slots()

    outcome = VERBS[verb](lab)

    expected = NEXT.get((state, verb))
    assert outcome.is_done == (expected is not None), outcome
    assert lab.global2.placement_facts("kzone1").state == (expected or state)
    if expected is None:
        assert lab.slots() == before
        assert outcome.code in ("WRONG_STATE", "ALREADY_BOOTED")
