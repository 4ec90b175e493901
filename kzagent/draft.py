"""An agent that is being enrolled: its two keys and `enrolment.json`, which an interrupted enrolment goes on with."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final
from uuid import UUID, uuid4

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from kernelzone import strict
from kernelzone.enrolment import Delivery
from kzagent.errors import SetupError
from kzagent.host_settings import HostSettings, check_hosts
from kzagent.identity import (
    KEY_NAME,
    MAX_SETTINGS_BYTES,
    SETTINGS_NAME,
    Settings,
    check_url,
    load_key,
    new_settings,
    read_private,
    write_private,
)

DRAFT_NAME: Final = "enrolment.json"
SEALING_KEY_NAME: Final = "sealing.key"


@dataclass(frozen=True, slots=True)
class Draft:
    """What a person said of a new agent. `ca_file`: as in `Settings`."""

    v: int
    agent: UUID
    name: str
    url: str
    ca_file: str
    hosts: tuple[HostSettings, ...]


def new_draft(*, url: str, ca_file: str, name: str, hosts: Iterable[HostSettings]) -> Draft:
    """Return the draft of a new agent, with a fresh uuid. Raises: SetupError."""
    check_url(url)
    path = str(Path(ca_file).resolve()) if ca_file else ""
    draft = Draft(1, uuid4(), name, url.rstrip("/"), path, tuple(hosts))
    if not draft.hosts:
        raise SetupError("an agent acts for at least one host: name it with --host or --hosts-file")
    check_hosts(draft.hosts)
    return draft


def has_draft(directory: Path) -> bool:
    """Return whether an enrolment was begun in `directory`. Raises: SetupError when one was ended there."""
    if (directory / SETTINGS_NAME).exists():
        raise SetupError(f"{directory} holds an agent already")
    return (directory / DRAFT_NAME).exists()


def create(directory: Path, draft: Draft) -> None:
    """Make both keys and write the draft, last: without it nothing was begun. Raises: SetupError."""
    try:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        # keys of an enrolment that ended before its draft was written were shown to nobody
        for name in (KEY_NAME, SEALING_KEY_NAME):
            (directory / name).unlink(missing_ok=True)
        write_private(directory / KEY_NAME, _hex(Ed25519PrivateKey.generate().private_bytes_raw()))
        write_private(directory / SEALING_KEY_NAME, _hex(X25519PrivateKey.generate().private_bytes_raw()))
        write_private(directory / DRAFT_NAME, strict.canonical(strict.write(draft)) + b"\n")
    except OSError as error:
        raise SetupError(f"{directory} cannot be written ({error.strerror})") from error


def load(directory: Path) -> tuple[Draft, Ed25519PrivateKey, X25519PrivateKey]:
    """Return the draft and the keys in `directory`. Raises: SetupError."""
    path = directory / DRAFT_NAME
    try:
        draft = strict.read(Draft, strict.load(path.read_bytes(), max_bytes=MAX_SETTINGS_BYTES), DRAFT_NAME)
    except OSError as error:
        raise SetupError(f"{path} cannot be read ({error.strerror})") from error
    except strict.StrictError as error:
        raise SetupError(f"{path} is not usable: {error}; remove {directory} to begin anew") from error
    return draft, load_key(directory), load_sealing_key(directory)


def load_sealing_key(directory: Path) -> X25519PrivateKey:
    """Return the key to which secrets of this agent are sealed. Raises: SetupError."""
    return X25519PrivateKey.from_private_bytes(read_private(directory / SEALING_KEY_NAME))


def finish(directory: Path, draft: Draft, delivery: Delivery) -> Settings:
    """Return the agent's settings, written to `directory`: it can run. Raises: SetupError."""
    settings = replace(
        new_settings(
            deployment=delivery.deployment,
            url=draft.url,
            broker=delivery.broker,
            authority_keys=delivery.authority_keys,
            hosts=draft.hosts,
            name=draft.name,
        ),
        agent=draft.agent,
        ca_file=draft.ca_file,
        broker_prefix=delivery.broker_prefix,
    )
    try:
        write_private(directory / SETTINGS_NAME, strict.canonical(strict.write(settings)) + b"\n")
        (directory / DRAFT_NAME).unlink()
    except OSError as error:
        raise SetupError(f"{directory} cannot be written ({error.strerror})") from error
    return settings


def _hex(raw: bytes) -> bytes:
    return raw.hex().encode("ascii") + b"\n"
