"""A site for agents in tests: an authority with its key, and a small HTTP server that takes reports."""

from __future__ import annotations

import gzip
import json
import threading
import time
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from uuid import UUID, uuid4

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from kernelzone import envelope, orders
from kernelzone.ids import uuid7
from kernelzone.obligations import OBLIGATION_TYPE, Obligation, Obligations, write_obligations
from kernelzone.orders import (
    Approver,
    Beacon,
    Expectation,
    ForcedArgs,
    Kind,
    NoArgs,
    Order,
    PolicyRef,
    ReadingRef,
    RegionDigest,
    Report,
    Warrant,
    ZoneRef,
)
from kernelzone.strict import write
from kernelzone.words import Digest, HostId, ZoneName


class Authority:
    """Signs orders and beacons, as the signer does."""

    def __init__(self) -> None:
        self.key = Ed25519PrivateKey.generate()
        self.deployment = uuid4()

    @property
    def public_hex(self) -> str:
        return envelope.raw_public_key(self.key).hex()

    def sign(self, order: Order) -> str:
        return self.sign_bytes(orders.write_order(order))

    def sign_bytes(self, payload: bytes, payload_type: str = orders.ORDER_TYPE) -> str:
        return envelope.sign(payload, payload_type=payload_type, key=self.key).decode()

    def beacon(self, at: int | None = None, withdrawn: tuple[UUID, ...] = ()) -> str:
        beacon = Beacon(1, self.deployment, int(time.time()) if at is None else at, withdrawn)
        return self.sign_bytes(orders.write_beacon(beacon), orders.BEACON_TYPE)

    def obligations(self, agent: UUID, *obligations: Obligation, at: int | None = None) -> str:
        whole = Obligations(1, self.deployment, agent, int(time.time()) if at is None else at, obligations)
        return self.sign_bytes(write_obligations(whole), OBLIGATION_TYPE)

    def order(self, agent: UUID, kind: Kind, owner_hostid: str, zone: str | None = None, **changes: object) -> Order:
        now = int(time.time())
        order = Order(
            v=1,
            deployment=self.deployment,
            order=uuid7(),
            kind=kind,
            agent=agent,
            owner_hostid=HostId(owner_hostid),
            zone=ZoneRef(ZoneName(zone), None) if zone else None,
            not_before=now,
            not_after=now + 300,
            args={"known_state": None} if kind is Kind.INSPECT else write(NoArgs()),
            warrant=None,
        )
        return replace(order, **changes)  # type: ignore[arg-type]


def warrant_for(report: Report, zone: str, **changes: object) -> Warrant:
    """Return the warrant two approvers gave on the readings of `zone` in an inspection's report."""
    readings = [r for r in orders.read_result(Kind.INSPECT, report.result).readings if r.zone == zone]
    first = readings[0]
    now = int(time.time())
    warrant = Warrant(
        id=uuid4(),
        attempt=0,
        requester=uuid4(),
        approvers=(Approver(uuid4(), now, 1), Approver(uuid4(), now, 2)),
        quorum=2,
        break_glass=False,
        policy=PolicyRef("strict", 1, 1800),
        evidence_sha256=Digest("a" * 64),
        reason_sha256=Digest("b" * 64),
        reading=ReadingRef(first.nonce, report.epoch, report.boot_id),
        expect=Expectation(
            first.status,
            first.generation,
            first.record_sha256,
            tuple(RegionDigest(r.device, r.raw_sha256) for r in readings),
            None,
        ),
        high_water=0,
        checkpoint=None,
        proofs=None,
        fence=None,
    )
    return replace(warrant, **changes)  # type: ignore[arg-type]


FORCED_ARGS = write(ForcedArgs(quiet_window_s=0))


class Site:
    """Takes reports over HTTP as the site does: verified, stored once, answered with what is held.

    `refuses`: an HTTP status answered instead, though not to a batch without reports if `answers_questions`.
    `beacon_shift_s`: how the beacon's time differs from now, None for no beacon.
    """

    def __init__(self, authority: Authority) -> None:
        self.authority = authority
        self.agent_key = b""
        self.reports: dict[tuple[str, int], Report] = {}
        self.epoch = ""
        self.posts = 0
        self.refuses: int | None = None
        self.answers_questions = False
        self.loses_answers = 0
        self.wanted: list[str] = []
        self.withdrawn: tuple[UUID, ...] = ()
        self.beacon_shift_s: int | None = 0
        self.obligations: str | None = None
        self.statements: list[str] = []
        self._changed = threading.Condition()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def about(self, order: UUID) -> list[Report]:
        return [report for _, report in sorted(self.reports.items()) if report.order == order]

    def final(self, order: UUID) -> Report | None:
        found = [one for one in self.about(order) if one.state in orders.FINAL_REPORT_STATES]
        return found[-1] if found else None

    def wait_for(self, found: object, timeout_s: float = 20.0) -> object:
        """Return what the function `found` returns once it is true. Raises AssertionError when it stays untrue."""
        end = time.monotonic() + timeout_s
        with self._changed:
            while not (value := found()):  # type: ignore[operator]
                assert self._changed.wait(max(0.0, end - time.monotonic())) or found(), "the site waited in vain"  # type: ignore[operator]
            return value

    def take(self, body: bytes) -> tuple[int, bytes]:
        batch = json.loads(gzip.decompress(body))
        self.posts += 1
        if self.refuses is not None and (batch["reports"] or not self.answers_questions):
            return self.refuses, b"{}"
        epoch = self.epoch
        for text in batch["reports"]:
            payload = envelope.verify(
                text.encode(), payload_type=orders.REPORT_TYPE, keys=[self.agent_key], max_payload_bytes=2**23
            ).payload
            report = orders.read_report(payload)
            epoch = report.epoch
            if not any(known == epoch for known, _ in self.reports):
                self.epoch = epoch
            known = self.reports.setdefault((report.epoch, report.seq), report)
            assert known == report, "one number was used for two reports"
        seqs = {seq for known, seq in self.reports if known == epoch}
        seq = next(number for number in range(len(seqs) + 1, -1, -1) if set(range(1, number + 1)) <= seqs)
        shift = self.beacon_shift_s
        beacon = None if shift is None else self.authority.beacon(int(time.time()) + shift, self.withdrawn)
        answer = {"epoch": epoch, "seq": seq, "missing": [], "wanted": self.wanted, "beacon": beacon}
        answer["obligations"] = self.obligations
        answer["authority"] = self.statements
        self.wanted = []
        return 202, json.dumps(answer).encode()

    def _handler(site) -> type[BaseHTTPRequestHandler]:  # noqa: N805 - the handler below has its own self
        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                assert self.path == "/api/agent/v1/reports"
                with site._changed:
                    status, answer = site.take(body)
                    if site.loses_answers:
                        site.loses_answers -= 1
                        status, answer = 503, b"{}"
                    site._changed.notify_all()
                self.send_response(status)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *arguments: object) -> None:
                pass

        return Handler
