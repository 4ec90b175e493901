"""The hosts in `agent.json`: how each is reached, and what no agent may run with."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from kernelzone.words import HostId
from kzagent.drivers.solaris.rad.settings import RadSettings, check_rad_settings
from kzagent.errors import SetupError

DEFAULT_SESSIONS: Final = 8


class Way(StrEnum):
    """How a Solaris host is reached: its commands, or its Remote Administration Daemon."""

    LOCAL = "local"
    SSH = "ssh"
    RAD = "rad"


@dataclass(frozen=True, slots=True)
class SshSettings:
    """Where the sshd of a host is, and by what both know each other.

    `key_file`: the agent's private key, readable by nobody else. `known_hosts`: the host keys that are believed; a host
    that is not in it is refused. `sessions`: how many commands run at once, below sshd's MaxSessions (10 by default).
    """

    address: str
    port: int
    user: str
    key_file: str
    known_hosts: str
    sessions: int


@dataclass(frozen=True, slots=True)
class SolarisSettings:
    """One Solaris host. `owner_hostid`: what it must say it is; the agent names it so while it is out of reach.

    `commands`: the one directory that all its commands are in, "" for Solaris' own places. `logs`: of its zones. RAD,
    which cannot tell the hostid nor read files, takes `owner_hostid` as it is and uses neither of the two.
    """

    owner_hostid: HostId
    way: Way
    commands: str
    logs: str
    ssh: SshSettings | None
    rad: RadSettings | None = None


@dataclass(frozen=True, slots=True)
class HostSettings:
    """One host the agent acts for. `driver`: portable or solaris.

    `directory`: absolute, where a portable host lives, "" for a Solaris one; `solaris`: the rest about that, else None.
    """

    driver: str
    directory: str
    solaris: SolarisSettings | None = None


def portable_host(directory: str) -> HostSettings:
    """Return the settings of the portable host in `directory`."""
    return HostSettings("portable", str(Path(directory).resolve()))


def check_hosts(hosts: tuple[HostSettings, ...]) -> None:
    """Refuse hosts that no agent can act for. Raises: SetupError."""
    _demand(bool(hosts), "an agent acts for at least one host")
    for host in hosts:
        _demand(host.driver in ("portable", "solaris"), "a driver is 'portable' or 'solaris'")
        _demand((host.driver == "solaris") == (host.solaris is not None), "'solaris' has settings of its own")
        _demand((host.driver == "portable") == bool(host.directory), "a portable host has a directory")
        if host.solaris is not None:
            _check_solaris(host.solaris)


def _check_solaris(solaris: SolarisSettings) -> None:
    _demand((solaris.way is Way.SSH) == (solaris.ssh is not None), "'ssh' has settings of its own")
    _demand((solaris.way is Way.RAD) == (solaris.rad is not None), "'rad' has settings of its own")
    for path in filter(None, (solaris.commands, solaris.logs)):
        _demand(path.startswith("/"), "commands and logs are absolute paths")
    if solaris.ssh is not None:
        _check_ssh(solaris.ssh)
    if solaris.rad is not None:
        check_rad_settings(solaris.rad)


def _check_ssh(ssh: SshSettings) -> None:
    _demand(bool(ssh.address and ssh.user), "ssh needs an address and a user")
    _demand(not ssh.address.startswith("-") and not ssh.user.startswith("-"), "an address begins with no '-'")
    _demand(0 < ssh.port < 65536, "a port is 1 to 65535")
    _demand(1 <= ssh.sessions <= 64, "sessions is 1 to 64")
    for path in (ssh.key_file, ssh.known_hosts):
        _demand(path.startswith("/"), "key_file and known_hosts are absolute paths")


def _demand(holds: bool, rule: str) -> None:
    if not holds:
        raise SetupError(rule)
