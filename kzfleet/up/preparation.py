"""What is looked at and made before anything is started."""

import contextlib
import errno
import fcntl
import os
import secrets
import socket
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from kzfleet.places import keys_dir
from kzfleet.secret_files import write_secret
from kzfleet.up.refusals import CannotStart


def make_writable(var: Path) -> None:
    """Make the state folder, private. Raises: CannotStart when it cannot be written."""
    try:
        for folder in (var, keys_dir(var), var / "run"):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        probe = var / "run" / ".writable"
        probe.write_bytes(b"")
        probe.unlink()
    except OSError as failed:
        raise CannotStart(
            f"The folder {var} cannot be written ({failed.strerror}): change its owner, or name another in KZFLEET_VAR."
        ) from failed


@contextlib.contextmanager
def the_only_one(var: Path) -> Iterator[None]:
    """Hold the state folder's lock. Raises: CannotStart when another `make run` holds it."""
    with (var / "run" / "up.lock").open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as failed:
            file.seek(0)
            raise CannotStart(
                f"kzfleet already runs on {var} (process {file.read().strip() or 'unknown'}): stop that one "
                "first, or name another folder in KZFLEET_VAR."
            ) from failed
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        yield


def refuse_taken_port(port: int) -> None:
    """Raises: CannotStart when the web process could not listen on `port`."""
    try:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
            probe.listen(1)
    except OSError as failed:
        taken = failed.errno == errno.EADDRINUSE
        why = "is taken by another program" if taken else f"cannot be used ({failed.strerror})"
        other = port + 1 if port < 65535 else 8000
        raise CannotStart(
            f"Port {port} {why}: stop what uses it, or choose another: make run ARGS='--port {other}'."
        ) from failed


def make_keys(var: Path) -> list[Path]:
    """Make the key files that are missing; return their paths. None is ever overwritten."""
    makers = {
        "django.key": lambda: secrets.token_urlsafe(50).encode(),
        "totp.key": lambda: urlsafe_b64encode(secrets.token_bytes(32)),
        "authority.key": _new_signing_key,
    }
    made = []
    for name, new_secret in makers.items():
        path = keys_dir(var) / name
        if not path.exists():
            write_secret(path, new_secret())
            made.append(path)
    return made


def authority_public_key(path: Path) -> str:
    """Return the public half of the authority key in `path`: 64 hex digits, what agents are told.

    Raises: CannotStart when there is no such key.
    """
    try:
        private = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(path.read_text(encoding="ascii").strip()))
    except (OSError, ValueError) as failed:
        raise CannotStart(f"There is no authority key in {path}: make one with `manage.py make_keys`.") from failed
    return private.public_key().public_bytes_raw().hex()


def _new_signing_key() -> bytes:
    """Return a raw Ed25519 private key as 64 hex digits."""
    return Ed25519PrivateKey.generate().private_bytes_raw().hex().encode("ascii") + b"\n"
