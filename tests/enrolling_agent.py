"""A new agent as the site meets one: two keys, and the statements it signs."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID, uuid4

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from kernelzone import strict
from kernelzone.enrolment import DELIVERY, Delivery, Enrolment, Question, SealingKey, state, token_sha256
from kernelzone.envelope import raw_public_key
from kernelzone.fingerprint import fingerprint
from kernelzone.sealing import unseal


@dataclass
class NewAgent:
    """Signs what `kzagent enrol` signs; any field of a statement may be changed to be wrong."""

    hosts: tuple[str, ...] = ("848611d4",)
    uuid: UUID = field(default_factory=uuid4)
    key: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)
    sealing_key: X25519PrivateKey = field(default_factory=X25519PrivateKey.generate)

    @property
    def key_hex(self) -> str:
        return raw_public_key(self.key).hex()

    @property
    def words(self) -> str:
        return " ".join(fingerprint(raw_public_key(self.key), self.sealing_key.public_key().public_bytes_raw()))

    def said(self, token: str, **changes: Any) -> dict[str, str]:
        """Return what is posted to /enrol."""
        enrolment = Enrolment(1, self.uuid, "east", self.key_hex, self.hosts, token_sha256(token))  # type: ignore[arg-type]
        sealing = SealingKey(1, self.uuid, self.sealing_key.public_key().public_bytes_raw().hex())
        signed = state(replace(enrolment, **changes), self.key)
        return {"token": token, "enrolment": signed, "sealing": state(sealing, self.key)}

    def enrol(self, client: Any, token: str, **changes: Any) -> Any:
        """Return the site's answer."""
        return client.post("/api/agent/v1/enrol", self.said(token, **changes), content_type="application/json")

    def ask(self, client: Any) -> Any:
        """Return what the site says became of it."""
        question = state(Question(1, self.uuid, int(time.time())), self.key)
        said = {"agent": str(self.uuid), "question": question}
        return client.post("/api/agent/v1/enrolment", said, content_type="application/json")

    def opened(self, sealed: str) -> Delivery:
        """Return what was delivered."""
        content = unseal(sealed, key=self.sealing_key, purpose=DELIVERY)
        return strict.read(Delivery, strict.load(content, max_bytes=len(content)))
