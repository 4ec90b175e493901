"""An agent as the site sees one: a key, an epoch, numbers without gaps, and reports it signs."""

from __future__ import annotations

import gzip
import json
import time
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from kernelzone import envelope, strict
from kernelzone.facts import HostFacts, PlacementFacts
from kernelzone.orders import REPORT_TYPE, Heartbeat, InspectResult, Progress, Report, ReportState, write_report
from kernelzone.words import HostId, ZoneName

BOOT_ENVIRONMENT = UUID("5df1a1d1-6a4a-4c4f-8a79-000000000001")


@dataclass
class SigningAgent:
    """Signs reports as kzagent does; `deployment` and `epoch` may be changed to be wrong."""

    deployment: UUID
    uuid: UUID = field(default_factory=uuid4)
    key: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)
    epoch: str = "a" * 32
    seq: int = 0

    @property
    def key_hex(self) -> str:
        return envelope.raw_public_key(self.key).hex()

    def report(self, state: str = "done", **fields: Any) -> str:
        """Return the envelope of the next report."""
        self.seq = fields.pop("seq", self.seq + 1)
        values: dict[str, Any] = {
            "v": 1,
            "deployment": self.deployment,
            "agent": self.uuid,
            "owner_hostid": None,
            "epoch": self.epoch,
            "seq": self.seq,
            "order": None,
            "at": int(time.time()),
            "monotonic_ms": 1000 * self.seq,
            "boot_id": "boot-1",
            "state": ReportState(state),
            "progress": None,
            "code": state.upper(),
            "lines": (),
            "result": None,
            "high_water": {},
        }
        return self.sign(write_report(Report(**values | fields)))

    def sign(self, payload: bytes) -> str:
        """Return the envelope of these bytes."""
        return envelope.sign(payload, payload_type=REPORT_TYPE, key=self.key).decode()

    def answer(self, job: Any, state: str = "done", **fields: Any) -> str:
        """Return a report about the order of `job`."""
        return self.report(state, order=job.pk, owner_hostid=job.host.owner_hostid, **fields)

    def heartbeat(self, **digests: str) -> str:
        """Return a heartbeat; a digest is one character, repeated."""
        hosts = {owner_hostid.removeprefix("h"): digest * 64 for owner_hostid, digest in digests.items()}
        return self.report("done", result=strict.write(Heartbeat(hosts)))  # type: ignore[arg-type]

    def post(self, client: Any, *envelopes: str, **headers: str) -> Any:
        """Return the site's answer to one batch."""
        return post_batch(client, {"agent": str(self.uuid), "reports": list(envelopes)}, **headers)


def post_batch(client: Any, fields: Any, **headers: str) -> Any:
    """Return the site's answer to a batch of any content."""
    return client.post(
        "/api/agent/v1/reports",
        data=gzip.compress(json.dumps(fields).encode()),
        content_type="application/json",
        headers={"Content-Encoding": "gzip"} | headers,
    )


def inspection(owner_hostid: str = "848611d4", *names: str, hostname: str = "global2") -> dict[str, Any]:
    """Return the JSON of an inspection's result: a host with these zones, none with boot storage."""
    host = HostFacts(HostId(owner_hostid), hostname, "solaris", BOOT_ENVIRONMENT, "11.4", "boot-1", int(time.time()))
    placements = tuple(
        PlacementFacts(ZoneName(name), None, "installed", (), False, (), None, None) for name in names or ("kzone1",)
    )
    result: dict[str, Any] = strict.write(InspectResult(host, placements, (), ()))
    return result


def progress(done: int, of: int, what: str) -> Progress:
    """Return how far an order is."""
    return Progress(done, of, what)
