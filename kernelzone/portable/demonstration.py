"""The demonstration fleet: eight hosts in two sites, thirty zones, and the trouble real fleets have.

Everything is made by the verbs a user types, in the order in which it would have happened; nothing is written by hand
but one damaged slot. Guests are real processes: `start` starts those that should run, `stop` ends them.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final, NamedTuple

from kernelzone.facts import Outcome
from kernelzone.hostdata import SLOT_A, SLOT_BYTES, Device
from kernelzone.portable import configuring, files, fleet_plan, guests, storage, verbs
from kernelzone.portable.errors import PortableError
from kernelzone.portable.fleet_plan import HOSTS, ZONES, PlannedHost, PlannedZone
from kernelzone.portable.host import Flag, Host

_FLEET: Final = "fleet.json"
_BUILDING: Final = "building.json"
_AT_ONCE: Final = 4


class FleetHost(NamedTuple):
    """One host of a built fleet. `agent`: the name of the agent that serves its site; `directory`: absolute."""

    hostname: str
    owner_hostid: str
    site: str
    rack: str
    agent: str
    directory: Path


class Demonstration(NamedTuple):
    """A built fleet."""

    directory: Path
    hosts: tuple[FleetHost, ...]

    def agents(self) -> dict[str, tuple[FleetHost, ...]]:
        """Return the hosts of each agent, by the agent's name."""
        names = sorted({host.agent for host in self.hosts})
        return {name: tuple(host for host in self.hosts if host.agent == name) for name in names}

    def open(self, hostname: str) -> Host:
        """Return one host of the fleet. Raises: PortableError NO_HOST."""
        for host in self.hosts:
            if host.hostname == hostname:
                return Host.open(host.directory)
        raise PortableError("NO_HOST", f"the fleet has no host {hostname}")


def tell(line: str) -> None:
    """Print a line of progress."""
    sys.stdout.write(f"{line}\n")


def build(directory: str | Path, *, say: Callable[[str], None] = tell) -> Demonstration:
    """Return the fleet in `directory`, made if it is not there yet; its guests run.

    A build that was interrupted begins anew. Raises: PortableError DEMONSTRATION when a step does not end as it must.
    """
    root = Path(directory).absolute()
    if (root / _FLEET).exists():
        return start(root)
    _clear_unfinished(root)
    root.mkdir(parents=True, exist_ok=True)
    files.write_json(root / _BUILDING, {"what": "an unfinished demonstration fleet: the next build removes it"})
    _Builder(root, say).run()
    files.write_json(root / _FLEET, {"hosts": [_fields(planned) for planned in HOSTS]})
    (root / _BUILDING).unlink()
    return load(root)


def load(directory: str | Path) -> Demonstration:
    """Return the fleet that was built in `directory`. Raises: PortableError NO_FLEET, FILE."""
    root = Path(directory).absolute()
    try:
        fields = files.read_json(root / _FLEET)["hosts"]
    except FileNotFoundError:
        raise PortableError("NO_FLEET", f"there is no demonstration fleet in {root}") from None
    return Demonstration(root, tuple(FleetHost(**{**one, "directory": root / one["directory"]}) for one in fields))


def start(directory: str | Path) -> Demonstration:
    """Return the fleet with the guests running that ran before; done twice, nothing more happens."""
    fleet = load(directory)
    hosts = [Host.open(one.directory) for one in fleet.hosts]
    for host in hosts:
        verbs.recover(host)
    with ThreadPoolExecutor(_AT_ONCE) as pool:  # starting a guest is mostly waiting for it
        list(pool.map(verbs.restart_guests, hosts))
    return fleet


def stop(directory: str | Path) -> None:
    """End every guest of the fleet. For its hosts nothing happens: `start` lets them go on."""
    _stop_guests([host.directory for host in load(directory).hosts])


class _Builder:
    """Makes the fleet step by step; each step is what an administrator would have typed."""

    def __init__(self, root: Path, say: Callable[[str], None]) -> None:
        self._root = root
        self._say = say
        self._hosts: dict[str, Host] = {}

    def run(self) -> None:
        self._make_hosts()
        self._say("installing zones")
        for zone in ZONES:
            self._make_zone(zone)
        self._say("making trouble")
        self._held_by_a_dead_host()
        self._cut_off_and_still_writing()
        self._wrong_key()
        self._double_run()
        self._takeover_by_hand()
        self._stale_configuration()
        self._torn_block()

    def _make_hosts(self) -> None:
        self._say(f"making {len(HOSTS)} hosts")
        for planned in HOSTS:
            self._hosts[planned.hostname] = Host.create(
                self._root / _place(planned),
                owner_hostid=planned.owner_hostid,
                hostname=planned.hostname,
                boot_environment=planned.boot_environment,
                boot_environment_uuid=planned.boot_environment_uuid,
                storage="../../../storage",
                peers="../../*/*",
            )

    def _make_zone(self, zone: PlannedZone) -> None:
        host = self._hosts[zone.host]
        for device in range(1 + zone.data_devices):
            storage.create(host.path_of(fleet_plan.storage_uri(zone.name, device)))
        text = fleet_plan.commands(zone, str(self._root / "storage" / "suspend"))
        _must(configuring.configure(host, zone.name, text))
        if zone.state != "configured":
            _must(verbs.install(host, zone.name))
        if zone.state in ("running", "suspended"):
            _must(verbs.boot(host, zone.name))
        if zone.state == "suspended":
            _must(verbs.suspend(host, zone.name))

    def _held_by_a_dead_host(self) -> None:
        """kzone1 is installed on global2, which has died; global1 wants it."""
        self._import("kzone1", "global2", "global1")
        self._hosts["global2"].set_flag(Flag.DEAD)
        _must(verbs.attach(self._hosts["global1"], "kzone1"), "IN_USE")

    def _cut_off_and_still_writing(self) -> None:
        """kz-db02 runs on global4, which lost its network; global3 wants it."""
        self._import("kz-db02", "global4", "global3")
        self._hosts["global4"].set_flag(Flag.CUT_OFF)
        _must(verbs.attach(self._hosts["global3"], "kz-db02"), "IN_USE")

    def _wrong_key(self) -> None:
        """kz-ci01 was given new host data on global8, so the key on global7 is the old one."""
        self._import("kz-ci01", "global7", "global8")
        _must(verbs.detach(self._hosts["global7"], "kz-ci01"))
        _must(verbs.attach(self._hosts["global8"], "kz-ci01", "initialize-hostdata"))
        _must(verbs.boot(self._hosts["global8"], "kz-ci01"))
        _must(verbs.attach(self._hosts["global7"], "kz-ci01"), "WRONG_KEY")

    def _double_run(self) -> None:
        """kz-queue01 was taken over on global8 while it ran on global7: both write now."""
        self._import("kz-queue01", "global7", "global8")
        _must(verbs.attach(self._hosts["global8"], "kz-queue01", "force-takeover"))
        _must(verbs.boot(self._hosts["global8"], "kz-queue01"))

    def _takeover_by_hand(self) -> None:
        """kz-vault01 is halted on global5 and was taken over on global6 without asking anybody."""
        self._import("kz-vault01", "global5", "global6")
        _must(verbs.attach(self._hosts["global6"], "kz-vault01", "force-takeover"))

    def _stale_configuration(self) -> None:
        """kz-wiki01 moved to global6 and got more memory there; its old configuration stayed on global5."""
        self._import("kz-wiki01", "global5", "global6")
        _must(verbs.detach(self._hosts["global5"], "kz-wiki01"))
        _must(verbs.attach(self._hosts["global6"], "kz-wiki01"))
        larger = "select capped-memory; set physical=16G; end; set autoboot=true"
        _must(configuring.configure(self._hosts["global6"], "kz-wiki01", larger))
        _must(verbs.boot(self._hosts["global6"], "kz-wiki01"))

    def _torn_block(self) -> None:
        """Half of slot A of kz-report01 was lost when its write was cut short."""
        path = self._hosts["global6"].path_of(fleet_plan.storage_uri("kz-report01", 0))
        slot_a = Device(path).read_slots()[SLOT_A]
        Device(path).write_slot(SLOT_A, slot_a[: SLOT_BYTES // 2] + bytes(SLOT_BYTES // 2))

    def _import(self, zone: str, source: str, target: str) -> None:
        """Take an export, with the zone key in it, to another host."""
        _must(configuring.configure(self._hosts[target], zone, self._hosts[source].export(zone)))


def _must(outcome: Outcome, code: str = "DONE") -> None:
    if outcome.code != code:
        said = "; ".join(outcome.lines)
        raise PortableError("DEMONSTRATION", f"{outcome.verb} ended as {outcome.code} instead of {code}: {said}")


def _place(planned: PlannedHost) -> str:
    return f"hosts/{planned.site}/{planned.hostname}"


def _fields(planned: PlannedHost) -> dict[str, str]:
    return {
        "hostname": planned.hostname,
        "owner_hostid": planned.owner_hostid,
        "site": planned.site,
        "rack": planned.rack,
        "agent": planned.agent,
        "directory": _place(planned),
    }


def _clear_unfinished(root: Path) -> None:
    if not (root / _BUILDING).exists():
        return
    _stop_guests([root / _place(planned) for planned in HOSTS if (root / _place(planned) / "host.json").exists()])
    for name in ("hosts", "storage"):
        shutil.rmtree(root / name, ignore_errors=True)


def _stop_guests(directories: list[Path]) -> None:
    opened = [Host.open(directory) for directory in directories]
    guests.end_all([host.placement(zone).guest() for host in opened for zone in host.zones()])
