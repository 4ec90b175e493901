"""A host that comes back after its zone was taken never starts it: with its agent, and without it."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest
from agent_lab import GLOBAL1, GLOBAL2, Deployment, Fleet, done

from kernelzone import orders
from kernelzone.facts import HeldBack
from kernelzone.hostdata import REGION_BYTES, SLOT_BYTES
from kernelzone.obligations import Obligation
from kernelzone.orders import Kind, ZoneRef
from kernelzone.portable import configuring, files, guests, verbs
from kernelzone.portable.host import Flag
from kernelzone.words import HostId, ZoneName
from kzagent.__main__ import main
from kzagent.errors import JournalError
from kzagent.guard import guard_hosts
from kzagent.watching import Watch
from kzagent.zones_at_work import ZonesAtWork

ZONE = ZoneName("kzone1")


@pytest.fixture
def taken(fleet: Fleet) -> Fleet:
    """global2 has died with kzone1's autoboot on, and global1 has taken the zone."""
    done(configuring.configure(fleet.global2, ZONE, "set autoboot=true"))
    fleet.global2.set_flag(Flag.DEAD)
    done(verbs.attach(fleet.global1, ZONE, "force-takeover"))
    return fleet


def kz(fleet: Fleet, *words: str) -> subprocess.CompletedProcess[str]:
    """Run `kz` for global2 as a user does."""
    command = [sys.executable, "-m", "kernelzone.portable.cli", str(fleet.global2.directory), *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def at_global2(fleet: Fleet) -> tuple[str, bool]:
    """Return the state of the zone on global2, and its autoboot."""
    facts = fleet.global2.placement_facts(ZONE)
    return facts.state, facts.autoboot


def obligation(fleet: Fleet, generation: int = 2, **changes: object) -> Obligation:
    uuid = fleet.global1.placement_facts(ZONE).zone_uuid
    now = int(time.time())
    whole = Obligation(uuid4(), HostId(GLOBAL2), ZoneRef(ZONE, uuid), HostId(GLOBAL1), generation, uuid4(), now)
    return replace(whole, **changes)  # type: ignore[arg-type]


def held(deployment: Deployment, host: str = GLOBAL2) -> list[HeldBack]:
    return list(orders.read_result(Kind.INSPECT, deployment.inspected(host).result).held_back)


# --- without its agent ------------------------------------------------------------------------------------------------


def test_a_host_that_starts_does_not_boot_what_another_has_taken_though_no_agent_runs(taken: Fleet) -> None:
    before = taken.image(ZONE).read_bytes()

    ended = kz(taken, "flag", "up")

    assert f"kzone1 is in use by host with  hostid {GLOBAL1}" in ended.stderr
    assert at_global2(taken)[0] == "unavailable"
    assert not guests.is_alive(taken.global2.placement(ZONE).guest())
    assert taken.image(ZONE).read_bytes() == before


def test_a_host_that_starts_boots_its_own_zone(fleet: Fleet) -> None:
    done(configuring.configure(fleet.global2, ZONE, "set autoboot=true"))
    fleet.global2.set_flag(Flag.DEAD)

    kz(fleet, "flag", "up")

    assert at_global2(fleet)[0] == "running"
    done(verbs.halt(fleet.global2, ZONE))


@pytest.mark.parametrize("slots", [(0,), (0, 524_288)])
def test_a_host_that_starts_does_not_boot_what_it_cannot_read(fleet: Fleet, slots: tuple[int, ...]) -> None:
    done(configuring.configure(fleet.global2, ZONE, "set autoboot=true"))
    fleet.global2.set_flag(Flag.DEAD)
    with fleet.image(ZONE).open("r+b") as image:
        for slot in slots:
            image.seek(slot)
            image.write(b"\xff" * SLOT_BYTES)

    kz(fleet, "flag", "up")

    assert at_global2(fleet) == ("unavailable", True)


def test_a_damaged_zone_does_not_keep_the_others_from_booting(fleet: Fleet) -> None:
    done(configuring.configure(fleet.global1, "kzone2", "set autoboot=true"))
    done(configuring.configure(fleet.global1, ZONE, "set autoboot=true"))
    fleet.global1.placement(ZONE).directory.joinpath("state.json").write_text("{")

    outcomes = verbs.autoboot(fleet.global1)

    assert [(outcome.verb, outcome.code) for outcome in outcomes] == [("boot", "DONE")]
    done(verbs.halt(fleet.global1, "kzone2"))


# --- the guard --------------------------------------------------------------------------------------------------------


def test_the_guard_before_the_boot_switches_autoboot_off_and_marks_the_zone(
    taken: Fleet, deployment: Deployment, capsys: pytest.CaptureFixture[str]
) -> None:
    taken.global2.come_back()

    assert main(["guard", str(deployment.directory)]) == 0

    assert at_global2(taken) == ("unavailable", False)
    assert f"kzone1 is host {GLOBAL1}'s (by host-data): unavailable here, autoboot off" in capsys.readouterr().out
    assert verbs.autoboot(taken.global2) == []


def test_the_guard_leaves_alone_what_is_the_hosts_own_or_not_readable(fleet: Fleet, deployment: Deployment) -> None:
    done(configuring.configure(fleet.global2, ZONE, "set autoboot=true"))
    done(configuring.configure(fleet.global1, "kzone2", "set autoboot=true"))
    fleet.image("kzone2").write_bytes(b"\xff" * REGION_BYTES)

    found = guard_hosts(deployment.agent.guard, deployment.agent.drivers.values())

    assert [one for _, one in found] == [(), ()]
    assert at_global2(fleet) == ("installed", True)
    placement = fleet.global1.placement_facts("kzone2")
    assert (placement.state, placement.autoboot) == ("installed", True)


def test_the_guard_keeps_silent_about_a_host_that_is_away(
    taken: Fleet, deployment: Deployment, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["guard", str(deployment.directory)]) == 0

    assert f"host {GLOBAL2}: out of reach" in capsys.readouterr().out
    assert at_global2(taken) == ("installed", True)


def test_an_inspection_holds_back_what_was_taken_and_tells_of_it_and_of_how_it_is_now(
    taken: Fleet, deployment: Deployment
) -> None:
    taken.global2.come_back()

    result = orders.read_result(Kind.INSPECT, deployment.inspected(GLOBAL2).result)

    assert result.held_back == (HeldBack(ZONE, "host-data", HostId(GLOBAL1), None, "unavailable", False),)
    told = {one.zone: (one.state, one.autoboot) for one in result.placements}
    assert told[ZONE] == ("unavailable", False)
    assert "set autoboot=false" in next(one.text for one in result.configurations if one.zone == ZONE)


def test_a_claimant_that_never_had_the_zone_is_not_held_back(fleet: Fleet, deployment: Deployment) -> None:
    assert verbs.attach(fleet.global1, ZONE).code == "IN_USE"

    assert held(deployment, GLOBAL1) == []


def test_a_guest_that_writes_on_is_told_of_and_not_ended(fleet: Fleet, deployment: Deployment) -> None:
    done(configuring.configure(fleet.global2, ZONE, "set autoboot=true"))
    done(verbs.boot(fleet.global2, ZONE))
    fleet.global2.set_flag(Flag.CUT_OFF)
    done(verbs.attach(fleet.global1, ZONE, "force-takeover"))
    fleet.global2.set_flag(Flag.UP)

    assert held(deployment) == [HeldBack(ZONE, "host-data", HostId(GLOBAL1), None, "running", False)]
    assert guests.is_alive(fleet.global2.placement(ZONE).guest())
    guests.kill(fleet.global2.placement(ZONE).guest())


def test_that_a_lost_zone_runs_is_said_once_and_again_when_it_changes(
    fleet: Fleet, deployment: Deployment, caplog: pytest.LogCaptureFixture
) -> None:
    done(verbs.boot(fleet.global2, ZONE))
    fleet.global2.set_flag(Flag.CUT_OFF)
    done(verbs.attach(fleet.global1, ZONE, "force-takeover"))
    fleet.global2.set_flag(Flag.UP)

    for _ in range(3):
        held(deployment)

    said = f"zone kzone1 of host {GLOBAL2} was taken by {GLOBAL1} and is running here"
    assert [one.getMessage() for one in caplog.records if one.levelname == "ERROR"] == [said]
    guests.kill(fleet.global2.placement(ZONE).guest())
    held(deployment)
    assert deployment.agent.guard._last_said.is_new((HostId(GLOBAL2), ZONE), said.partition(f"{GLOBAL2} ")[2])


def test_slow_hosts_are_guarded_at_once(deployment: Deployment) -> None:
    meeting = threading.Barrier(8, timeout=10)

    class Slow:
        is_slow = True

        def __init__(self, number: int) -> None:
            self.owner_hostid = HostId(f"{number:08x}")

        def is_reachable(self) -> bool:
            meeting.wait()
            return False

    hosts = [Slow(number) for number in range(1, 9)]
    found = guard_hosts(deployment.agent.guard, hosts)  # type: ignore[arg-type]

    assert [(driver, held) for driver, held in found] == [(host, None) for host in hosts]


@pytest.mark.parametrize("zone", [ZONE, None])
def test_an_order_at_work_on_the_zone_or_the_host_is_left_alone_until_the_next_inspection(
    taken: Fleet, deployment: Deployment, zone: ZoneName | None
) -> None:
    taken.global2.come_back()

    with deployment.agent.at_work.order(HostId(GLOBAL2), zone):
        assert [one.state for one in held(deployment)] == ["installed"]
        assert at_global2(taken) == ("installed", True)
    assert [one.state for one in held(deployment)] == ["unavailable"]


def test_a_host_that_comes_back_is_looked_at_at_once(taken: Fleet, deployment: Deployment) -> None:
    watch = Watch(deployment.agent)
    watch.beat()
    watch.glance()
    taken.global2.come_back()

    watch.glance()

    assert at_global2(taken) == ("unavailable", False)


# --- obligations ------------------------------------------------------------------------------------------------------


def keep(deployment: Deployment, *obligations: Obligation, at: int | None = None) -> None:
    """The site answers with these obligations, and the agent hears it."""
    deployment.site.obligations = deployment.authority.obligations(deployment.uuid, *obligations, at=at)
    deployment.agent.link.ask()


def test_an_obligation_holds_where_boot_storage_was_set_back_to_before_the_takeover(
    fleet: Fleet, deployment: Deployment
) -> None:
    done(configuring.configure(fleet.global2, ZONE, "set autoboot=true"))
    before = fleet.image(ZONE).read_bytes()
    done(verbs.attach(fleet.global1, ZONE, "force-takeover"))
    keep(deployment, one := obligation(fleet))
    fleet.image(ZONE).write_bytes(before)

    assert held(deployment) == [HeldBack(ZONE, "obligation", HostId(GLOBAL1), one.obligation, "unavailable", False)]


def test_an_obligation_is_known_again_after_a_restart_that_never_reaches_the_site(
    taken: Fleet, deployment: Deployment
) -> None:
    keep(deployment, obligation(taken))
    taken.image(ZONE).write_bytes(bytes(REGION_BYTES))  # host data says nothing any more
    taken.global2.come_back()

    assert main(["guard", str(deployment.directory)]) == 0

    assert at_global2(taken) == ("unavailable", False)


def test_an_obligation_is_over_once_the_zone_is_the_hosts_own_again(taken: Fleet, deployment: Deployment) -> None:
    keep(deployment, obligation(taken, generation=2))
    taken.global2.come_back()
    done(verbs.detach(taken.global1, ZONE))
    done(verbs.mark_unavailable(taken.global2, ZONE))
    done(verbs.attach(taken.global2, ZONE))

    assert held(deployment) == []
    assert at_global2(taken) == ("installed", True)


def test_an_obligation_about_a_zone_that_is_configured_no_more_is_answered(
    taken: Fleet, deployment: Deployment
) -> None:
    keep(deployment, one := obligation(taken))
    taken.global2.come_back()
    done(verbs.mark_unavailable(taken.global2, ZONE))
    done(configuring.configure(taken.global2, ZONE, "delete -F"))

    expected = HeldBack(ZONE, "obligation", HostId(GLOBAL1), one.obligation, "not-configured", False)
    assert held(deployment) == [expected]


def test_a_zone_that_cannot_be_listed_is_unknown_and_never_off(taken: Fleet, deployment: Deployment) -> None:
    keep(deployment, obligation(taken))
    taken.global2.come_back()
    taken.global2.placement(ZONE).directory.joinpath("configuration").write_bytes(b"\xff\xfe")

    assert [one.state for one in held(deployment)] == ["unknown"]


@pytest.mark.parametrize("kind", [Kind.BOOT, Kind.READY])
def test_no_order_starts_what_an_obligation_says_is_another_hosts(
    fleet: Fleet, deployment: Deployment, kind: Kind
) -> None:
    keep(deployment, obligation(fleet, generation=9))

    order = deployment.order(kind, ZONE, GLOBAL2)
    deployment.run(order)

    assert deployment.result(order) == ("refused", "OBLIGATION")
    assert at_global2(fleet)[0] == "installed"


def test_only_the_authoritys_newest_obligations_count(taken: Fleet, deployment: Deployment, tmp_path: Path) -> None:
    now = int(time.time())
    kept = deployment.agent.obligations
    uuid, authority = deployment.uuid, deployment.authority
    one = obligation(taken)
    newest = authority.obligations(uuid, one, at=now)

    assert kept.hear(newest)
    assert not kept.hear(newest)
    assert not kept.hear(authority.obligations(uuid, at=now - 1))
    assert not kept.hear(type(authority)().obligations(uuid, at=now + 1))
    assert not kept.hear(authority.obligations(uuid4(), at=now + 1))
    assert not kept.hear(newest.replace("obligation+json", "beacon+json"))
    assert not kept.hear("{")
    assert kept.of_host(HostId(GLOBAL2)) == (one,)
    assert (deployment.directory / "obligations.json").stat().st_mode & 0o077 == 0


def test_obligations_that_could_not_be_written_are_written_with_the_next_answer(
    taken: Fleet, deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    text = deployment.authority.obligations(deployment.uuid, obligation(taken))
    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", full)
        with pytest.raises(JournalError):
            deployment.agent.obligations.hear(text)

    assert not deployment.agent.obligations.hear(text)
    assert (deployment.directory / "obligations.json").read_text() == text


# --- beside orders ----------------------------------------------------------------------------------------------------


def test_an_order_on_a_zone_waits_for_the_guard_and_one_on_another_zone_does_not() -> None:
    at_work, began = ZonesAtWork(), threading.Event()

    def run(zone: ZoneName) -> None:
        with at_work.order(HostId(GLOBAL2), zone):
            began.set()

    same = threading.Thread(target=run, args=(ZONE,))
    with at_work.guard(HostId(GLOBAL2), ZONE) as is_idle:
        assert is_idle
        run(ZoneName("kzone2"))
        assert began.is_set()
        began.clear()
        same.start()
        assert not began.wait(0.2), "an order began while the guard acted"
        with at_work.guard(HostId(GLOBAL2), ZONE) as is_mine_too:
            assert not is_mine_too
    same.join(5)
    assert began.is_set()


def test_an_order_on_a_whole_host_waits_for_the_guard_on_any_of_its_zones() -> None:
    at_work, began = ZonesAtWork(), threading.Event()

    def run(host: str) -> None:
        with at_work.order(HostId(host), None):
            began.set()

    same = threading.Thread(target=run, args=(GLOBAL2,))
    with at_work.guard(HostId(GLOBAL2), ZONE) as is_idle:
        assert is_idle
        run(GLOBAL1)
        assert began.is_set()
        began.clear()
        same.start()
        assert not began.wait(0.2), "an evacuation began while the guard acted"
    same.join(5)
    assert began.is_set()


def test_a_zone_that_another_command_works_on_keeps_its_autoboot(taken: Fleet, deployment: Deployment) -> None:
    """A zone that comes back from an evacuation leaves this host by a command of another agent."""
    taken.global2.come_back()
    with files.held(taken.global2.placement(ZONE).verb_lock):
        assert [one.state for one in held(deployment)] == ["installed"]
        assert at_global2(taken) == ("installed", True)
    assert [one.state for one in held(deployment)] == ["unavailable"]
