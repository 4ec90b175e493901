"""The demonstration fleet holds the trouble it promises, survives a restart, and leaves no process behind."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from kernelzone.portable import demonstration, fsck, guests
from kernelzone.portable.demonstration import Demonstration

pytestmark = [pytest.mark.processes, pytest.mark.xdist_group("demonstration")]


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demonstration]:
    directory = tmp_path_factory.mktemp("fleet")
    built = demonstration.build(directory, say=lambda _line: None)
    yield built
    demonstration.stop(directory)


def alive(fleet: Demonstration) -> list[guests.GuestProcess]:
    hosts = [fleet.open(one.hostname) for one in fleet.hosts]
    found = [host.placement(zone).guest() for host in hosts for zone in host.zones()]
    return [guest for guest in found if guests.is_alive(guest)]


def test_it_has_eight_hosts_in_two_sites_with_an_agent_each_and_thirty_zones(fleet: Demonstration) -> None:
    assert len(fleet.hosts) == 8
    assert {host.site for host in fleet.hosts} == {"frankfurt", "munich"}
    assert {name: len(hosts) for name, hosts in fleet.agents().items()} == {"agent-frankfurt": 4, "agent-munich": 4}
    assert len({zone for one in fleet.hosts for zone in fleet.open(one.hostname).zones()}) == 30
    assert [host.owner_hostid for host in fleet.hosts[:2]] == ["83a0cc71", "848611d4"]


def test_kzone1_is_held_by_a_dead_host(fleet: Demonstration) -> None:
    wanted = fleet.open("global1")
    record = wanted.read("kzone1")[0].record
    assert (record.owner_hostid, record.owner_hostname, record.state) == ("848611d4", "global2", "installed")
    assert str(record.boot_environment_uuid) == "69ed2e6a-e25a-6d36-e022-ed7261ed8899"
    assert fleet.open("global2").flag == "dead"
    assert wanted.placement_facts("kzone1").state == "unavailable"


def test_the_cut_off_host_writes_on(fleet: Demonstration) -> None:
    assert fleet.open("global4").flag == "cut-off"
    assert sum(one.changed_blocks for one in fleet.open("global3").sample("kz-db02", 2.5)) > 0


def test_the_other_troubles_are_there(fleet: Demonstration) -> None:
    assert fleet.open("global7").read("kz-ci01")[0].warning == "KEY_UNKNOWN"
    assert fleet.open("global6").read("kz-report01")[0].status == "SINGLE_B"
    by_hand = fleet.open("global6").read("kz-vault01")[0].record
    assert (by_hand.flags, by_hand.warrant_sha256) == (("forced",), None)
    assert fleet.open("global5").placement_facts("kz-wiki01").state == "configured"
    old, new = (fleet.open(name).configuration("kz-wiki01") for name in ("global5", "global6"))
    assert old != new
    for hostname in ("global7", "global8"):
        assert fleet.open(hostname).placement_facts("kz-queue01").state == "running"


def test_the_double_run_leaves_a_forked_sequence(fleet: Demonstration) -> None:
    queue = fleet.open("global8")
    path = queue.path_of(queue.placement_facts("kz-queue01").boot_storage[0].uri)
    deadline = time.monotonic() + 10
    while not fsck.check(path).forks:  # each guest writes once a second
        assert time.monotonic() < deadline, "no fork in ten seconds"
        time.sleep(0.2)


def test_the_rest_is_healthy(fleet: Demonstration) -> None:
    troubled = {"kzone1", "kz-db02", "kz-ci01", "kz-report01", "kz-vault01", "kz-wiki01", "kz-queue01", "kz-test01"}
    for one in fleet.hosts:
        host = fleet.open(one.hostname)
        for zone in set(host.zones()) - troubled:
            reading = host.read(zone)[0]
            assert (zone, reading.status, reading.warning) == (zone, "CLEAN", None)
            assert reading.record.owner_hostid == host.owner_hostid


def test_stopped_and_started_again_the_same_guests_run_and_a_second_start_changes_nothing(fleet: Demonstration) -> None:
    before = len(alive(fleet))
    demonstration.stop(fleet.directory)
    assert alive(fleet) == []
    demonstration.start(fleet.directory)
    first = alive(fleet)
    demonstration.build(fleet.directory, say=lambda _line: None)
    assert (len(first), alive(fleet)) == (before, first)
    assert before > 15


def test_an_interrupted_build_begins_anew(tmp_path: Path) -> None:
    (tmp_path / "building.json").write_text("{}")
    (tmp_path / "hosts").mkdir()
    (tmp_path / "hosts" / "left over").write_text("")
    demonstration._clear_unfinished(tmp_path)
    assert not (tmp_path / "hosts").exists()


def test_a_guest_takes_little_memory_and_loads_no_cryptography(fleet: Demonstration) -> None:
    code = "import sys, json, kernelzone.portable.guest; print(json.dumps(sorted(sys.modules)))"
    loaded = json.loads(subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout)
    assert not [name for name in loaded if name.startswith(("cryptography", "celery", "django"))]
    resident_kib = [
        int(Path(f"/proc/{guest.pid}/status").read_text().split("VmRSS:")[1].split()[0]) for guest in alive(fleet)
    ]
    assert max(resident_kib) < 30_000
