"""A fleet in memory, and the agent that speaks for it: reads orders as kzagent does, signs what it reports.

Boot storage is a dictionary of what host data says; an order is verified, read and answered at once. `Fleet.turn`
does what signer, control and agent do between two looks of a person.
"""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.utils import timezone

from apps.conflicts.models import Conflict
from apps.conflicts.tasks import complete_evidence_sheets
from apps.fleet.models import Agent, Host
from apps.fleet.selectors import deployment_uuid
from apps.fleet.services import HostName, trust_agent
from apps.forced_actions.signer import sign_jobs
from apps.forced_actions.tasks import advance_forced_actions, expire_forced_actions
from apps.jobs.models import Job
from apps.jobs.services.inbox import open_posted, store_reports
from apps.jobs.services.ingesting import ingest_reports
from kernelzone import envelope, strict
from kernelzone.facts import (
    BootDevice,
    HeldBack,
    HostFacts,
    Outcome,
    PlacementFacts,
    ReadingFacts,
    RecordFacts,
    RegionStatus,
    Sample,
)
from kernelzone.orders import (
    MAX_ORDER_BYTES,
    ORDER_TYPE,
    REPORT_TYPE,
    InspectResult,
    Kind,
    Order,
    ProbeResult,
    Report,
    ReportState,
    VerbResult,
    WithdrawResult,
    read_order,
    write_report,
)
from kernelzone.words import Digest, HostId, ZoneName

BOOT_ENVIRONMENT = UUID("69ed2e6a-e25a-6d36-e022-ed7261ed8899")
UPDATED_AT = 1397419693  # Sun Apr 13 20:08:13 2014, as in the message of the guide


def digest_of(*words: object) -> Digest:
    """Return a digest that differs when any of `words` does."""
    return Digest(hashlib.sha256(repr(words).encode()).hexdigest())


@dataclass
class FakeStorage:
    """One boot storage and what its host data says. `writer`: somebody changes blocks while it is watched."""

    zone: str
    owner: FakeHost
    uuid: UUID = field(default_factory=uuid4)
    generation: int = 7
    state: str = "installed"
    status: RegionStatus = RegionStatus.CLEAN
    flags: tuple[str, ...] = ()
    warrant_sha256: Digest | None = None
    previous: FakeHost | None = None
    writer: bool = False
    salt: str = "0"
    cannot_open: set[str] = field(default_factory=set)

    @property
    def device(self) -> str:
        return f"iscsi://storage/luname.naa.600144f0{hashlib.sha256(self.zone.encode()).hexdigest()[:16]}"

    @property
    def raw(self) -> Digest:
        return digest_of(self.zone, self.generation, self.owner.owner_hostid, self.state, self.salt)

    def change(self) -> None:
        """Somebody writes host data anew."""
        self.generation += 1
        self.salt = secrets.token_hex(4)

    def reading(self, host: FakeHost) -> ReadingFacts:
        opens = host.owner_hostid not in self.cannot_open
        return ReadingFacts(
            nonce=secrets.token_hex(16),
            zone=ZoneName(self.zone),
            at=int(time.time()),
            device=self.device,
            device_ids=(self.device.rpartition(".")[2],),
            status=self.status if opens else RegionStatus.UNREADABLE,
            generation=self.generation if opens else 0,
            zone_uuid=self.uuid if opens else None,
            raw_sha256=self.raw,
            record_sha256=digest_of(self.raw, "record") if opens else None,
            record=self._record() if opens else None,
            claim=None,
            key_ids=("a" * 32, "a" * 32),
            configured_key_id=("a" if opens else "b") * 32,
            slot_errors={} if opens else {"A": "HD_KEYID", "B": "HD_KEYID"},
            warning=None if opens else "KEY_UNKNOWN",
        )

    def _record(self) -> RecordFacts:
        return RecordFacts(
            state=self.state,
            owner_hostid=HostId(self.owner.owner_hostid),
            owner_hostname=self.owner.hostname,
            boot_environment="solaris-1",
            boot_environment_uuid=BOOT_ENVIRONMENT,
            updated_at=UPDATED_AT,
            flags=self.flags,
            incarnation=digest_of(self.generation, "incarnation")[:32],
            warrant_sha256=self.warrant_sha256,
            previous_owner_hostid=HostId(self.previous.owner_hostid) if self.previous else None,
            previous_owner_hostname=self.previous.hostname if self.previous else None,
            is_suspended=False,
        )


@dataclass
class FakeHost:
    """One host: what it configures, in which state. `is_up` False: its agent does not speak for it."""

    owner_hostid: str
    hostname: str
    is_up: bool = True
    zones: dict[str, tuple[FakeStorage, str, bool]] = field(default_factory=dict)
    held_back: tuple[HeldBack, ...] = ()
    boot_id: str = "boot-1"

    def put(self, storage: FakeStorage, state: str, *, autoboot: bool = False) -> None:
        """Configure a zone here."""
        self.zones[storage.zone] = (storage, state, autoboot)

    def placement(self, zone: str) -> PlacementFacts:
        storage, state, autoboot = self.zones[zone]
        device = BootDevice(storage.device, (storage.device.rpartition(".")[2],), 0, 0)
        return PlacementFacts(
            ZoneName(zone), storage.uuid, state, (), autoboot, (device,), "a" * 32, digest_of(zone, "configuration")
        )

    def facts(self) -> HostFacts:
        return HostFacts(
            HostId(self.owner_hostid),
            self.hostname,
            "solaris-1",
            BOOT_ENVIRONMENT,
            "11.4",
            self.boot_id,
            int(time.time()),
        )

    def inspection(self) -> InspectResult:
        placements = tuple(self.placement(zone) for zone in self.zones)
        readings = tuple(storage.reading(self) for storage, _, _ in self.zones.values())
        return InspectResult(self.facts(), placements, readings, (), self.held_back)


class FakeAgent:
    """Answers orders for its hosts with signed reports."""

    def __init__(self, deployment: UUID, authority: bytes) -> None:
        self.deployment, self.authority = deployment, authority
        self.uuid, self.key = uuid4(), Ed25519PrivateKey.generate()
        self.hosts: dict[str, FakeHost] = {}
        self.epoch, self.seq = secrets.token_hex(16), 0
        self.outbox: list[str] = []
        self.burned: set[UUID] = set()
        self.withdrawn: set[UUID] = set()
        # kind -> (state, code): answer so, and do nothing
        self.says: dict[str, tuple[str, str]] = {}
        # kinds whose orders are not answered at all
        self.silent_on: set[str] = set()
        self.too_late = False

    @property
    def key_hex(self) -> str:
        return envelope.raw_public_key(self.key).hex()

    def take(self, text: str) -> None:
        """Do what kzagent does with one envelope from its queue."""
        found = envelope.verify(
            text.encode(), payload_type=ORDER_TYPE, keys=[self.authority], max_payload_bytes=MAX_ORDER_BYTES
        )
        order = read_order(found.payload)
        host = self.hosts[order.owner_hostid]
        if not host.is_up or order.kind.value in self.silent_on or order.order in self.burned:
            return
        self.burned.add(order.order)
        if order.order in self.withdrawn:
            self.report(order, "refused", "VETO")
            return
        if order.kind.value in self.says:
            self.report(order, *self.says[order.kind.value])
            return
        self._run(order, host, hashlib.sha256(found.payload).hexdigest())

    def _run(self, order: Order, host: FakeHost, payload_sha256: str) -> None:
        if order.kind is Kind.INSPECT:
            self.report(order, result=host.inspection())
        elif order.kind is Kind.WITHDRAW:
            self.withdrawn.add(order.read_args().order)
            self.report(order, code="TOO_LATE" if self.too_late else "DONE", result=WithdrawResult(not self.too_late))
        elif order.kind is Kind.PROBE:
            self._probe(order, host)
        elif order.warrant is not None:
            self._force(order, host, Digest(payload_sha256))
        else:
            self._verb(order, host)

    def _probe(self, order: Order, host: FakeHost) -> None:
        assert order.zone is not None
        storage, window_s = host.zones[order.zone.name][0], order.read_args().window_s
        changed = 3 if storage.writer else 0
        samples = tuple(Sample(at * 500, storage.device, 4096, changed if at else 0) for at in range(2))
        self.report(order, result=ProbeResult(window_s, samples, changed, (storage.reading(host),)))

    def _force(self, order: Order, host: FakeHost, payload_sha256: Digest) -> None:
        assert order.zone is not None and order.warrant is not None  # noqa: PT018
        storage = host.zones[order.zone.name][0]
        expected = {region.device: region.raw_sha256 for region in order.warrant.expect.regions}
        if expected != {storage.device: storage.raw}:
            self.report(order, "refused", "CHANGED")
            return
        if storage.writer:
            self.report(order, "refused", "STORAGE_ACTIVE")
            return
        storage.previous, storage.owner = storage.owner, host
        storage.change()
        storage.status, storage.cannot_open = RegionStatus.CLEAN, storage.cannot_open - {host.owner_hostid}
        is_takeover = order.kind is Kind.FORCE_TAKEOVER
        storage.flags, storage.warrant_sha256 = ("forced",) if is_takeover else ("initialised",), payload_sha256
        host.put(storage, "installed")
        self._say_verb(order, host)

    def _verb(self, order: Order, host: FakeHost) -> None:
        assert order.zone is not None
        storage, _, autoboot = host.zones[order.zone.name]
        after = {"detach": "configured", "attach": "installed", "boot": "running"}.get(order.kind, "installed")
        if order.kind is Kind.DETACH:
            storage.state, storage.generation = "free", storage.generation + 1
        elif order.kind is Kind.ATTACH:
            storage.owner, storage.state, storage.generation = host, "installed", storage.generation + 1
        host.zones[order.zone.name] = (storage, after, autoboot)
        self._say_verb(order, host)

    def _say_verb(self, order: Order, host: FakeHost) -> None:
        assert order.zone is not None
        outcome = Outcome(order.kind.value, True, 0, "DONE", ())
        reading = host.zones[order.zone.name][0].reading(host)
        self.report(order, result=VerbResult(outcome, host.placement(order.zone.name), (reading,), None))

    def report(self, order: Order | None, state: str = "done", code: str = "DONE", result: Any = None) -> None:
        """Put the next report about `order` into the outbox."""
        self._say(order.order if order else None, order.owner_hostid if order else None, state, code, result)

    def say_state(self, host: FakeHost) -> None:
        """Report the whole state of a host unasked."""
        self._say(None, HostId(host.owner_hostid), "done", "DONE", host.inspection())

    def _say(self, order: UUID | None, owner_hostid: HostId | None, state: str, code: str, result: Any) -> None:
        self.seq += 1
        report = Report(
            v=1,
            deployment=self.deployment,
            agent=self.uuid,
            owner_hostid=owner_hostid,
            epoch=self.epoch,
            seq=self.seq,
            order=order,
            at=int(time.time()),
            monotonic_ms=1000 * self.seq,
            boot_id="boot-1",
            state=ReportState(state),
            progress=None,
            code=code,
            lines=(f"{code.lower()} it is",) if order else (),
            result=strict.write(result) if result is not None else None,
            high_water={},
        )
        payload = write_report(report)
        self.outbox.append(envelope.sign(payload, payload_type=REPORT_TYPE, key=self.key).decode())

    def post(self) -> None:
        """Send the outbox to the site: its signatures are checked as the view does."""
        agent = Agent.objects.get(pk=self.uuid)
        store_reports(agent, [open_posted(agent, text.encode()) for text in self.outbox])
        self.outbox.clear()


class Fleet:
    """Hosts, storage, one agent and one signer. Owner `global2` is dead and holds kzone1, which `global1` wants."""

    def __init__(self) -> None:
        self.authority = Ed25519PrivateKey.generate()
        self.agent = FakeAgent(deployment_uuid(), envelope.raw_public_key(self.authority))
        self.global1 = FakeHost("83a0cc71", "global1")
        self.global2 = FakeHost("848611d4", "global2")
        self.global3 = FakeHost("84a1b2c3", "global3")
        self.hosts = (self.global1, self.global2, self.global3)
        self.agent.hosts = {host.owner_hostid: host for host in self.hosts}
        named = [HostName(host.owner_hostid, host.hostname, "east") for host in self.hosts]
        trust_agent(uuid=self.agent.uuid, key_hex=self.agent.key_hex, name="east", hosts=named)
        self.kzone1 = FakeStorage("kzone1", self.global2)
        self.global2.put(self.kzone1, "installed")
        self.global1.put(self.kzone1, "unavailable")
        self.global3.put(FakeStorage("kz-web01", self.global3, state="running"), "running")

    def say_states(self) -> None:
        """Every host that is up reports all it has."""
        for host in self.hosts:
            if host.is_up:
                self.agent.say_state(host)
        self.take_in()

    def kill(self, host: FakeHost) -> None:
        """The host dies: it has not been heard from for 41 min."""
        host.is_up = False
        Host.objects.filter(owner_hostid=host.owner_hostid).update(last_heard_at=timezone.now() - timedelta(minutes=41))

    def begin(self) -> Any:
        """Return the conflict about kzone1, its owner dead."""
        self.say_states()
        self.kill(self.global2)
        return self.conflict()

    def conflict(self, zone: str = "kzone1", kind: str = "held-elsewhere") -> Any:
        return Conflict.objects.select_related("zone", "host").get(zone__name=zone, kind=kind)

    def sign(self) -> None:
        """What the signer does in one turn."""
        sign_jobs(self.authority)

    def deliver(self) -> None:
        """What dispatch and the broker do: every signed order reaches the agent."""
        for job in Job.objects.filter(state__in=["signed", "sent"]).order_by("created_at"):
            Job.objects.filter(pk=job.pk).update(sent_count=1, send_again_at=timezone.now())
            self.agent.take(bytes(job.envelope or b"").decode())

    def take_in(self) -> None:
        """What the agent's link and control do: reports are posted and ingested."""
        if self.agent.outbox:
            self.agent.post()
        ingest_reports()

    def reconcile(self) -> None:
        """What the beat wakes."""
        complete_evidence_sheets()
        advance_forced_actions()
        expire_forced_actions()

    def turn(self, times: int = 1, *, until: Callable[[], bool] = lambda: False) -> None:
        """Let signer, broker, agent and control work once each, `times` over."""
        for _ in range(times):
            self.sign()
            self.deliver()
            self.take_in()
            self.reconcile()
            if until():
                return


__all__ = ["FakeAgent", "FakeHost", "FakeStorage", "Fleet", "digest_of"]
