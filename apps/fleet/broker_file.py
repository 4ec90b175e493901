"""The file from which the broker reads its users, and making it read it again.

The file is replaced whole before the broker hears of it: a broker that starts meanwhile reads the old users or the
new ones. Redis up to 7.2 cuts every connection at `ACL LOAD`, so it is sent only when something changed; agents and
control connect again by themselves.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple

import redis
import structlog
from django.conf import settings

from apps.fleet.broker_users import agent_line, agent_lines_in, others_in, site_hashes_in, users_file
from apps.fleet.models import Agent

logger = structlog.get_logger(__name__)

TIMEOUT_S: Final = 5
# what an administrator wrote into the file is kept byte for byte, whatever it is
BYTES: Final = "surrogateescape"


class Written(NamedTuple):
    """What was done. `users`: how many the file has besides the default one. `is_loaded`: None when not known."""

    users: int
    is_changed: bool
    is_loaded: bool | None


def write_broker_users(path: Path) -> Written:
    """Bring the file `path` up to date with the agents' rows, and make the broker read it if it has not.

    Raises: OSError when the file cannot be written.
    """
    with _only_one(path):
        agents = Agent.objects.exclude(broker_password_sha256="").filter(state=Agent.State.TRUSTED)
        return _write(path, [agent_line(agent, prefix=_prefix()) for agent in agents], {})


def write_site_users(path: Path, new_hashes: Mapping[str, str]) -> Written:
    """Give the site's own users other passwords (name to hash) in the file; no row is read: there may be none yet.

    Raises: OSError when the file cannot be written.
    """
    with _only_one(path):
        return _write(path, agent_lines_in(_text(path)), new_hashes)


def _write(path: Path, agent_lines: list[str], new_hashes: Mapping[str, str]) -> Written:
    before = _text(path)
    text = users_file({**site_hashes_in(before), **new_hashes}, agent_lines, others_in(before), prefix=_prefix())
    if text != before:
        _replace(path, text)
    return Written(text.count("\n") - 1, text != before, _load(path, text))


def _text(path: Path) -> str:
    return path.read_text(encoding="ascii", errors=BYTES) if path.exists() else ""


def _prefix() -> str:
    return str(settings.CELERY_BROKER_TRANSPORT_OPTIONS["global_keyprefix"])


def _load(path: Path, text: str) -> bool | None:
    """Return whether the broker uses the users in `text`, None when nobody may tell it to."""
    mark = path.with_name(f"{path.name}.loaded")
    digest = hashlib.sha256(text.encode("ascii", BYTES)).hexdigest()
    if mark.exists() and mark.read_text(encoding="ascii").strip() == digest:
        return True
    if not settings.BROKER_ACCESS_URL:
        return None
    try:
        # Celery and redis-py have different words for a socket.
        url = settings.BROKER_ACCESS_URL.replace("redis+socket://", "unix://", 1)
        with redis.Redis.from_url(url, socket_timeout=TIMEOUT_S) as client:
            client.execute_command("ACL", "LOAD")
    except redis.RedisError as fault:
        # Not the message: it may hold the address, and with it the password. It is tried again at the next beat.
        logger.warning("the broker did not read its users", fault=type(fault).__name__)
        return False
    _replace(mark, digest + "\n")
    return True


def _replace(path: Path, text: str) -> None:
    """Write the file whole or not at all. Its group may go on reading it, where it could: the broker's."""
    mode = 0o600 | (path.stat().st_mode & 0o040 if path.exists() else 0)
    partial = path.with_name(f".{path.name}.partial")
    partial.unlink(missing_ok=True)
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii", errors=BYTES) as file:
        file.write(text)
        os.fchmod(descriptor, mode)
        file.flush()
        os.fsync(descriptor)
    partial.replace(path)


@contextmanager
def _only_one(path: Path) -> Iterator[None]:
    """Hold the file's lock: who read the rows first must not write last."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with path.with_name(f".{path.name}.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
