"""Python, its packages, the agent's files and the room for its journal."""

from __future__ import annotations

import os
import shutil
import sqlite3
import stat
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Final

from kzagent.errors import SetupError
from kzagent.host_settings import Way
from kzagent.identity import KEY_NAME, SETTINGS_NAME, Settings, load_key
from kzagent.journal import JOURNAL_NAME
from kzagent.readiness.findings import Finding, missing, ok, unknown

PYTHON: Final = (3, 11)
PACKAGES: Final = ("celery", "kombu", "redis", "cryptography")
SSH_PACKAGE: Final = "asyncssh"
# The journal stays far below; what counts is that a full disk is seen before an order meets it.
LEAST_FREE_BYTES: Final = 100 * 1024 * 1024


def python() -> Finding:
    """Return whether this Python is one that the agent was written for."""
    version = ".".join(str(part) for part in sys.version_info[:3])
    if sys.version_info[:2] >= PYTHON:
        return ok("python", version)
    wanted = ".".join(str(part) for part in PYTHON)
    return missing("python", f"{version} is too old", f"install Python {wanted} or later, and kzfleet for it")


def packages(settings: Settings) -> Finding:
    """Return whether the packages are there that these hosts need."""
    has_ssh = any(host.solaris is not None and host.solaris.way is Way.SSH for host in settings.hosts)
    versions = {name: _version(name) for name in (*PACKAGES, *((SSH_PACKAGE,) if has_ssh else ()))}
    absent = [name for name, version in versions.items() if version is None]
    if absent:
        extra = "kzfleet[ssh]" if absent == [SSH_PACKAGE] else "kzfleet"
        return missing("packages", f"not installed: {', '.join(absent)}", f"run 'pip install {extra}' again")
    return ok("packages", ", ".join(f"{name} {version}" for name, version in versions.items()))


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def files(directory: Path) -> Iterator[Finding]:
    """Yield whether the agent's directory and its secret files are there, and its owner's alone."""
    yield _private(directory, "directory")
    yield _private(directory / SETTINGS_NAME, SETTINGS_NAME)
    yield _key(directory)
    for path in sorted(directory.glob("*.key")):
        if path.name != KEY_NAME:
            yield _private(path, path.name)


def _private(path: Path, what: str) -> Finding:
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
    except OSError as error:
        return missing(what, f"{path} cannot be read ({error.strerror})", "run 'kzagent enrol' again")
    if mode & 0o077:
        wanted = "0700" if path.is_dir() else "0600"
        return missing(what, f"{path} is open to others ({mode:04o})", f"run 'chmod {wanted} {path}'")
    if not os.access(path, os.R_OK):
        return missing(what, f"{path} is another user's", "run the agent, and this command, as the user who owns it")
    return ok(what, f"{path} ({mode:04o})")


def _key(directory: Path) -> Finding:
    try:
        load_key(directory)
    except SetupError as error:
        return missing(KEY_NAME, str(error), "without its key nobody believes the agent")
    return ok(KEY_NAME, "its owner's alone")


def journal(directory: Path) -> Finding:
    """Return whether the journal is whole; it is read and not written, so a running agent is not disturbed."""
    path = directory / JOURNAL_NAME
    if not path.exists():
        return ok("journal", "none yet; the first start makes it")
    try:
        connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=5)
        try:
            (said,) = connection.execute("PRAGMA quick_check(1)").fetchone()
        finally:
            connection.close()
    except sqlite3.OperationalError as error:
        return unknown("journal", f"{path} cannot be asked ({error})", "try again, as the agent's own user")
    except sqlite3.Error as error:
        said = str(error)
    if said != "ok":
        return missing("journal", f"{path} is damaged ({said})", "the next start puts it aside and begins a new epoch")
    return ok("journal", str(path))


def room(directory: Path) -> Finding:
    """Return whether the journal has room: a full disk refuses every order that would write."""
    try:
        free = shutil.disk_usage(directory).free
    except OSError as error:
        return unknown("disk", f"its room cannot be asked ({error.strerror})")
    megabytes = free // (1024 * 1024)
    if free < LEAST_FREE_BYTES:
        return missing(
            "disk", f"only {megabytes} MB are free in {directory}", "make room: orders are refused when full"
        )
    return ok("disk", f"{megabytes} MB free")
