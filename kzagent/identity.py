"""Who an agent is and what it accepts: the files `agent.json` and `identity.key` in its directory."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit
from uuid import UUID, uuid4

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from kernelzone import envelope, strict
from kernelzone.orders import Kind
from kzagent.errors import SetupError
from kzagent.host_settings import HostSettings, check_hosts, portable_host

SETTINGS_NAME: Final = "agent.json"
KEY_NAME: Final = "identity.key"
MAX_SETTINGS_BYTES: Final = 1024 * 1024
MAX_AUTHORITY_KEYS: Final = 2
LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})


@dataclass(frozen=True, slots=True)
class Settings:
    """`agent.json`. What narrows here is narrower than any warrant: the stricter of the two holds.

    `authority_keys`: raw public keys, 64 hex digits each, at most two. `kinds`: the kinds of orders accepted.
    `min_approvers`, `no_break_glass`, `quiet_window_min_s`: for forced kinds. `broker_prefix`: of every broker key.
    `ca_file`: certificates the site is verified by, "" for the system's own.
    """

    v: int
    agent: UUID
    name: str
    deployment: UUID
    url: str
    broker: str
    broker_prefix: str
    ca_file: str
    authority_keys: tuple[str, ...]
    kinds: tuple[Kind, ...]
    min_approvers: int
    no_break_glass: bool
    quiet_window_min_s: int
    heartbeat_s: int
    watch_s: int
    hosts: tuple[HostSettings, ...]

    def authority(self) -> tuple[bytes, ...]:
        """Return the raw authority keys, 32 bytes each."""
        return tuple(bytes.fromhex(key) for key in self.authority_keys)


def new_settings(
    *,
    deployment: UUID,
    url: str,
    broker: str,
    authority_keys: Iterable[str],
    hosts: Iterable[str | HostSettings],
    name: str,
) -> Settings:
    """Return the settings of a new agent: a fresh uuid, every kind, two approvers, no break-glass.

    hosts: settings, or the directory of a portable host.
    Raises: SetupError.
    """
    settings = Settings(
        v=1,
        agent=uuid4(),
        name=name,
        deployment=deployment,
        url=url.rstrip("/"),
        broker=broker,
        broker_prefix="",
        ca_file="",
        authority_keys=tuple(key.lower() for key in authority_keys),
        kinds=tuple(Kind),
        min_approvers=2,
        no_break_glass=True,
        quiet_window_min_s=5,
        heartbeat_s=60,
        watch_s=3,
        hosts=tuple(portable_host(host) if isinstance(host, str) else host for host in hosts),
    )
    check_settings(settings)
    return settings


def check_settings(settings: Settings) -> None:
    """Refuse settings that no agent may run with. Raises: SetupError."""
    _demand(settings.v == 1, f"{SETTINGS_NAME} is of a version this agent does not know")
    check_hosts(settings.hosts)
    _demand(1 <= len(settings.authority_keys) <= MAX_AUTHORITY_KEYS, "an agent holds one or two authority keys")
    for key in settings.authority_keys:
        _check_key(key)
    check_url(settings.url)
    _demand(settings.heartbeat_s >= 1 and settings.watch_s >= 1, "heartbeat_s and watch_s are at least 1")
    _demand(settings.min_approvers >= 1, "min_approvers is at least 1")
    _demand(0 <= settings.quiet_window_min_s <= 600, "quiet_window_min_s is 0 to 600")


def load_settings(directory: Path) -> Settings:
    """Return the settings in `directory`. Raises: SetupError."""
    path = directory / SETTINGS_NAME
    try:
        settings = strict.read(Settings, strict.load(path.read_bytes(), max_bytes=MAX_SETTINGS_BYTES), SETTINGS_NAME)
    except OSError as error:
        raise SetupError(f"{path} cannot be read ({error.strerror}): run 'kzagent enrol' first") from error
    except strict.StrictError as error:
        raise SetupError(f"{path} is not usable: {error}") from error
    check_settings(settings)
    return settings


def load_key(directory: Path) -> Ed25519PrivateKey:
    """Return the agent's identity key. Raises: SetupError, also when others than its owner may read the file."""
    return Ed25519PrivateKey.from_private_bytes(read_private(directory / KEY_NAME))


def read_private(path: Path) -> bytes:
    """Return the 32 bytes of a key file. Raises: SetupError, also when others than its owner may read it."""
    try:
        if path.stat().st_mode & 0o077:
            raise SetupError(f"{path} may be read by others: run 'chmod 600' on it, or make a new agent")
        raw = bytes.fromhex(path.read_text(encoding="ascii").strip())
    except OSError as error:
        raise SetupError(f"{path} cannot be read ({error.strerror})") from error
    except ValueError as error:
        raise SetupError(f"{path} does not hold a key") from error
    if len(raw) != 32:
        raise SetupError(f"{path} does not hold a key")
    return raw


def create(directory: Path, settings: Settings) -> Ed25519PrivateKey:
    """Return the identity key of a new agent; both files are written, and only their owner may read them.

    Raises: SetupError when there is an agent already.
    """
    key = Ed25519PrivateKey.generate()
    try:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_private(directory / KEY_NAME, key.private_bytes_raw().hex().encode("ascii") + b"\n")
        write_private(directory / SETTINGS_NAME, strict.canonical(strict.write(settings)) + b"\n")
    except FileExistsError as error:
        raise SetupError(f"{directory} holds an agent already") from error
    except OSError as error:
        raise SetupError(f"{directory} cannot be written ({error.strerror})") from error
    return key


def replace_settings(directory: Path, **changes: object) -> Settings:
    """Return the settings in `directory` with `changes`; the file holds them afterwards, or is as it was.

    Raises: SetupError.
    """
    settings = replace(load_settings(directory), **changes)  # type: ignore[arg-type]
    check_settings(settings)
    partial = directory / f".{SETTINGS_NAME}.{os.getpid()}"
    try:
        write_private(partial, strict.canonical(strict.write(settings)) + b"\n")
        partial.replace(directory / SETTINGS_NAME)
    except OSError as error:
        raise SetupError(f"{directory} cannot be written ({error.strerror})") from error
    return settings


def write_private(path: Path, content: bytes) -> None:
    """Write a new file that only its owner may read. Raises: FileExistsError, OSError."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with open(fd, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _check_key(key: str) -> None:
    try:
        envelope.public_key(bytes.fromhex(key))
    except (ValueError, envelope.EnvelopeError) as error:
        raise SetupError("an authority key is 64 hex digits of an Ed25519 public key") from error


def check_url(url: str) -> None:
    """Refuse an address that is not the site's, or would be spoken to in clear. Raises: SetupError."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise SetupError("the site's address is not a URL") from error
    is_plain = not (parts.username or parts.password or parts.query or parts.fragment)
    _demand(bool(host) and is_plain, "the site's address is https://host[:port][/path]")
    is_local = parts.scheme == "http" and host in LOOPBACK
    _demand(parts.scheme == "https" or is_local, "the site's address is https://; http:// only on this machine")


def _demand(holds: bool, rule: str) -> None:
    if not holds:
        raise SetupError(rule)
