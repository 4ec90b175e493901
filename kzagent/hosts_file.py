"""The hosts that a command names for a new agent: portable ones by directory, all others in files."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

from kernelzone import strict
from kzagent.errors import SetupError
from kzagent.host_settings import HostSettings, portable_host
from kzagent.identity import MAX_SETTINGS_BYTES


@dataclass(frozen=True, slots=True)
class HostsFile:
    """The hosts of an agent, as `agent.json` has them."""

    hosts: tuple[HostSettings, ...]


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add `--host` and `--hosts-file` to a command."""
    parser.add_argument("--host", action="append", metavar="HOSTDIR", help="a portable host it acts for")
    hosts = '{"hosts": [...]} of agent.json'
    parser.add_argument("--hosts-file", action="append", type=Path, metavar="FILE", help=hosts)


def hosts_named(parsed: argparse.Namespace) -> list[HostSettings]:
    """Return the hosts of both options, in order. Raises: SetupError for a file that is not one."""
    return [portable_host(host) for host in parsed.host or []] + [
        host for path in parsed.hosts_file or [] for host in _hosts_in(path)
    ]


def _hosts_in(path: Path) -> tuple[HostSettings, ...]:
    """Return the hosts of a file: `{"hosts": [...]}`, each as in agent.json. Raises: SetupError."""
    try:
        found = strict.load(path.read_bytes(), max_bytes=MAX_SETTINGS_BYTES)
        return strict.read(HostsFile, found, path.name).hosts
    except OSError as error:
        raise SetupError(f"{path} cannot be read ({error.strerror})") from error
    except strict.StrictError as error:
        raise SetupError(f"{path} is not usable: {error}") from error
