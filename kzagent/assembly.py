"""An agent put together from its directory."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import Final

from kernelzone.words import HostId
from kzagent.afterwards import Afterwards
from kzagent.agent import Agent
from kzagent.authority import Authority
from kzagent.authority_keys import AuthorityKeys
from kzagent.clock import Clock
from kzagent.draft import Draft
from kzagent.drivers import ZoneDriver
from kzagent.drivers.portable import open_portable
from kzagent.drivers.solaris.opening import open_solaris
from kzagent.errors import DriverError, JournalError, SetupError
from kzagent.host_settings import HostSettings
from kzagent.identity import Settings, load_settings
from kzagent.identity_key import IdentityKey
from kzagent.journal import Journal
from kzagent.link import Link
from kzagent.obligations import KeptObligations
from kzagent.post import Post
from kzagent.reports import Reports

LOCK_NAME: Final = "lock"


def assemble(directory: Path, clock: Clock | None = None) -> Agent:
    """Return the agent of `directory`, its hosts opened; nothing has been sent or run yet.

    Raises: SetupError.
    """
    settings, key = load_settings(directory), IdentityKey(directory)
    clock = clock or Clock()
    drivers = open_hosts(settings, directory)
    try:
        journal = Journal(directory)
    except JournalError as error:
        raise SetupError(f"the journal in {directory} cannot be used: {error}") from error
    reports = Reports(settings, key, journal, clock)
    authority = Authority(settings, clock, AuthorityKeys(settings, directory))
    obligations = KeptObligations(directory, settings, authority.keys)
    link = Link(Post(settings), journal, reports, authority, obligations)
    afterwards = Afterwards(journal, clock)
    return Agent(settings, clock, journal, reports, authority, link, drivers, afterwards, obligations)


def open_hosts(settings: Settings | Draft, directory: Path) -> dict[HostId, ZoneDriver]:
    """Return the driver of every host, by owner hostid. Raises: SetupError, also for two hosts with one hostid."""
    drivers: dict[HostId, ZoneDriver] = {}
    for host in settings.hosts:
        driver = _driver(host, settings, directory)
        if driver.owner_hostid in drivers:
            raise SetupError(f"two hosts of this agent have the hostid {driver.owner_hostid}")
        drivers[driver.owner_hostid] = driver
    return drivers


def _driver(host: HostSettings, settings: Settings | Draft, directory: Path) -> ZoneDriver:
    try:
        if host.solaris is not None:
            return open_solaris(host.solaris, directory)
        return open_portable(Path(host.directory), settings.agent)
    except DriverError as error:
        name = host.solaris.owner_hostid if host.solaris else host.directory
        raise SetupError(f"{name} cannot be opened as a host: {error}") from error


def hold_directory(directory: Path) -> int:
    """Return the open lock of an agent's directory; it is held until the process ends.

    Raises: SetupError when another agent runs from it.
    """
    try:
        fd = os.open(directory / LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise SetupError(f"{directory} cannot be used ({error.strerror}): run 'kzagent enrol' first") from error
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(fd)
        raise SetupError(f"another agent runs from {directory}") from error
    os.ftruncate(fd, 0)
    os.write(fd, f"{os.getpid()}\n".encode("ascii"))  # for `kzagent stop`
    return fd
