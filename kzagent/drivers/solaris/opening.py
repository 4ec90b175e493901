"""A Solaris driver from its settings. Nothing is asked of the host: it may be out of reach."""

from __future__ import annotations

from pathlib import Path

from kzagent.drivers.solaris.commands import CommandPort
from kzagent.drivers.solaris.driver import SolarisDriver
from kzagent.drivers.solaris.local import LocalTransport
from kzagent.drivers.solaris.port import HostPort
from kzagent.drivers.solaris.rad.client import RadClient
from kzagent.drivers.solaris.rad.port import RadPort
from kzagent.host_settings import SolarisSettings


def open_solaris(solaris: SolarisSettings, directory: Path) -> SolarisDriver:
    """Return the driver of one Solaris host. `directory`: the agent's own. Raises: DriverError."""
    own = directory.absolute() / "solaris" / solaris.owner_hostid
    return SolarisDriver(solaris.owner_hostid, open_port(solaris, own), own / "attaches")


def open_port(solaris: SolarisSettings, directory: Path) -> HostPort:
    """Return the way to the host; `directory`: what the agent keeps about it. Raises: DriverError, SetupError."""
    if solaris.rad is not None:
        return RadPort(RadClient(solaris.rad), solaris.owner_hostid, solaris.rad.host)
    transport = LocalTransport(directory / "verbs")
    return CommandPort(transport, commands=solaris.commands, logs=solaris.logs)
