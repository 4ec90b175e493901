"""What agents and site say to each other before, and besides, orders and reports: enrolment and new keys.

Every statement is an envelope (kernelzone.envelope) over canonical JSON of one of these dataclasses; the type of the
envelope says which. Keys are raw public keys as 64 hex digits, lower case; times are posix seconds.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final, TypeVar
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from kernelzone import envelope, strict
from kernelzone.words import Digest, HostId

MAX_STATEMENT_BYTES: Final = 64 * 1024
MAX_HOSTS: Final = 1000
TOKEN_PREFIX: Final = "kzj_"  # noqa: S105 - what a join token begins with, not one
DELIVERY: Final = "kzfleet delivery 1"


@dataclass(frozen=True, slots=True)
class Enrolment:
    """A new agent asks to speak for `hosts`; signed by the key it names. `token_sha256`: of the join token's text."""

    v: int
    agent: UUID
    name: str
    public_key: str
    hosts: tuple[HostId, ...]
    token_sha256: Digest


@dataclass(frozen=True, slots=True)
class SealingKey:
    """The X25519 key to which secrets of this agent are sealed; signed by the agent's identity key."""

    v: int
    agent: UUID
    sealing_key: str


@dataclass(frozen=True, slots=True)
class Question:
    """The agent asks what became of its enrolment; signed by its identity key."""

    v: int
    agent: UUID
    at: int


@dataclass(frozen=True, slots=True)
class Delivery:
    """What a confirmed agent needs to run; sealed to its sealing key. `broker`: a URL with the agent's own password."""

    v: int
    deployment: UUID
    agent: UUID
    authority_keys: tuple[str, ...]
    broker: str
    broker_prefix: str


@dataclass(frozen=True, slots=True)
class NewAgentKey:
    """An agent takes a new identity key; signed by the old key and by the new one."""

    v: int
    deployment: UUID
    agent: UUID
    old_key: str
    new_key: str


@dataclass(frozen=True, slots=True)
class NewAuthorityKey:
    """The authority takes a new key; signed by the old one."""

    v: int
    deployment: UUID
    old_key: str
    new_key: str
    at: int


Statement = TypeVar("Statement", Enrolment, SealingKey, Question, NewAgentKey, NewAuthorityKey)

_TYPES: Final[dict[type, str]] = {
    Enrolment: "application/vnd.kzfleet.enrolment+json",
    SealingKey: "application/vnd.kzfleet.sealing-key+json",
    Question: "application/vnd.kzfleet.question+json",
    NewAgentKey: "application/vnd.kzfleet.new-agent-key+json",
    NewAuthorityKey: "application/vnd.kzfleet.new-authority-key+json",
}


class StatementError(ValueError):
    """A statement that is not of its form, or not signed by whom it must be."""


def state(statement: Any, *keys: Ed25519PrivateKey) -> str:
    """Return the envelope of `statement`, signed by each of `keys`."""
    payload = strict.canonical(strict.write(statement))
    return envelope.sign_by_all(payload, payload_type=_TYPES[type(statement)], keys=keys).decode()


def read_statement(kind: type[Statement], text: str, *, keys: Iterable[bytes]) -> Statement:
    """Return the statement of `kind` that one of the raw public `keys` signed. Raises: StatementError."""
    try:
        payload = envelope.verify(
            text.encode(), payload_type=_TYPES[kind], keys=keys, max_payload_bytes=MAX_STATEMENT_BYTES
        ).payload
        found = strict.read(kind, strict.load(payload, max_bytes=MAX_STATEMENT_BYTES), "statement")
    except (envelope.EnvelopeError, strict.StrictError, UnicodeEncodeError) as error:
        raise StatementError(str(error)) from error
    if found.v != 1:
        raise StatementError("v is not 1")
    return found


def read_enrolment(text: str, sealing: str) -> tuple[Enrolment, SealingKey]:
    """Return a new agent's statements, both signed by the identity key that the first one names.

    Raises: StatementError, also for keys that prove nothing.
    """
    key = _claimed_key(text)
    enrolment = read_statement(Enrolment, text, keys=[key])
    if raw_key(enrolment.public_key) != key or not 1 <= len(enrolment.hosts) <= MAX_HOSTS:
        raise StatementError("an enrolment names its key, and 1 to 1000 hosts")
    found = read_statement(SealingKey, sealing, keys=[key])
    if found.agent != enrolment.agent:
        raise StatementError("the sealing key is another agent's")
    return enrolment, found


def raw_key(text: str) -> bytes:
    """Return the raw Ed25519 public key of 64 lower-case hex digits. Raises: StatementError."""
    try:
        raw = bytes.fromhex(text)
        envelope.public_key(raw)
    except (ValueError, envelope.EnvelopeError) as error:
        raise StatementError("not the hex digits of an acceptable Ed25519 public key") from error
    if raw.hex() != text:
        raise StatementError("a key is written in lower case")
    return raw


def token_sha256(token: str) -> Digest:
    """Return the digest under which a join token is kept."""
    return Digest(hashlib.sha256(token.encode("utf-8", "replace")).hexdigest())


def _claimed_key(text: str) -> bytes:
    """Return the key that an enrolment names, before anything of it is verified."""
    try:
        payload = envelope.unverified_payload(
            text.encode(), payload_type=_TYPES[Enrolment], max_bytes=MAX_STATEMENT_BYTES
        )
        fields = strict.load(payload, max_bytes=MAX_STATEMENT_BYTES)
    except (envelope.EnvelopeError, strict.StrictError, UnicodeEncodeError) as error:
        raise StatementError(str(error)) from error
    claimed = fields.get("public_key") if isinstance(fields, dict) else None
    return raw_key(claimed if isinstance(claimed, str) else "")
