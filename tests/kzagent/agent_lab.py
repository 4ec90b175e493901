"""Two portable hosts that share boot storage, an agent for one of them or both, and a site."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from uuid import UUID

from agent_site import FORCED_ARGS, Authority, Site, warrant_for

from kernelzone.envelope import raw_public_key
from kernelzone.hostdata import REGION_BYTES
from kernelzone.orders import Kind, Order, Report
from kernelzone.portable import configuring, storage, verbs
from kernelzone.portable.host import Host
from kzagent import identity
from kzagent.agent import Agent
from kzagent.assembly import assemble
from kzagent.clock import Clock
from kzagent.execution import execute
from kzagent.host_settings import HostSettings

GLOBAL1, GLOBAL2 = "83a0cc71", "848611d4"


class MovedClock(Clock):
    """The machine's clock, moved by hand."""

    def __init__(self) -> None:
        super().__init__()
        self.wall_s = 0
        self.slept_ms = 0

    def now(self) -> int:
        return super().now() + self.wall_s

    def monotonic_ms(self) -> int:
        return super().monotonic_ms() + self.slept_ms


class Fleet:
    """global2 owns kzone1, merely installed; global1 wants it. kzone2 is global1's own."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.global1 = self._host("global1", GLOBAL1)
        self.global2 = self._host("global2", GLOBAL2)
        self.install(self.global2, "kzone1")
        self.install(self.global1, "kzone2")
        done(configuring.configure(self.global1, "kzone1", self.global2.export("kzone1")))

    def install(self, host: Host, zone: str) -> None:
        path = self.root / "storage" / f"{zone}.img"
        storage.create(path, storage.SMALLEST_BYTES)
        done(
            configuring.configure(
                host,
                zone,
                f"create -b; set brand=solaris-kz; add device; set storage=file://{path}; set bootpri=0; set id=0; end",
            )
        )
        done(verbs.install(host, zone))

    def image(self, zone: str) -> Path:
        return self.root / "storage" / f"{zone}.img"

    def _host(self, name: str, owner_hostid: str) -> Host:
        return Host.create(
            self.root / name, owner_hostid=owner_hostid, hostname=name, storage=str(self.root / "storage")
        )


def done(outcome: object) -> None:
    assert outcome.code == "DONE", outcome  # type: ignore[attr-defined]


class Deployment:
    """An agent that has met its site, and the short ways of a test to use both."""

    def __init__(
        self, directory: Path, fleet: Fleet, authority: Authority, site: Site, hosts: Sequence[str | HostSettings] = ()
    ) -> None:
        self.directory = directory
        self.fleet = fleet
        self.authority = authority
        self.site = site
        self.clock = MovedClock()
        settings = identity.new_settings(
            deployment=authority.deployment,
            url=site.url,
            broker="redis://127.0.0.1:1/0",
            authority_keys=[authority.public_hex],
            hosts=hosts or [str(fleet.root / "global1"), str(fleet.root / "global2")],
            name="test",
        )
        settings = dataclasses.replace(settings, quiet_window_min_s=0)
        site.agent_key = raw_public_key(identity.create(directory, settings))
        self.agent = self.start()

    def start(self) -> Agent:
        """Return the agent as after a start, its journal opened again."""
        self.agent = assemble(self.directory, self.clock)
        return self.agent

    @property
    def uuid(self) -> UUID:
        return self.agent.settings.agent

    def order(self, kind: Kind, zone: str | None = None, host: str = GLOBAL1, **changes: object) -> Order:
        return self.authority.order(self.uuid, kind, host, zone, **changes)

    def run(self, order: Order | object) -> None:
        """Hand an order, or the text of an envelope, to the agent and let it say what it has to."""
        execute(self.agent, self.authority.sign(order) if isinstance(order, Order) else order)
        self.send()

    def send(self) -> None:
        while not self.agent.link.exchange():
            pass

    def result(self, order: Order) -> tuple[str, str]:
        """Return state and code of the order's last report; fails when there is none."""
        report = self.site.about(order.order)[-1]
        return report.state.value, report.code

    def inspected(self, host: str = GLOBAL1) -> Report:
        order = self.order(Kind.INSPECT, host=host)
        self.run(order)
        report = self.site.final(order.order)
        assert report is not None
        assert report.code == "DONE", report
        return report

    def takeover(self, zone: str = "kzone1", kind: Kind = Kind.FORCE_TAKEOVER, **changes: object) -> Order:
        """Return the order of a takeover on global1 that everybody needed has approved, on a fresh reading."""
        warrant = warrant_for(self.inspected(), zone, **changes)
        return self.order(kind, zone, args=FORCED_ARGS, warrant=warrant)


def host_data(deployment: Deployment, zone: str = "kzone1") -> bytes:
    """Return the raw region of host data of a zone's boot storage."""
    with deployment.fleet.image(zone).open("rb") as image:
        return image.read(REGION_BYTES)
