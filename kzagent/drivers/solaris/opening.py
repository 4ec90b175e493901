"""A Solaris driver from its settings. Nothing is asked of the host: it may be out of reach."""

from __future__ import annotations

from pathlib import Path

from kzagent.drivers.solaris.commands import CommandPort
from kzagent.drivers.solaris.driver import SolarisDriver
from kzagent.drivers.solaris.local import LocalTransport
from kzagent.drivers.solaris.port import HostPort
from kzagent.drivers.solaris.rad.client import RadClient
from kzagent.drivers.solaris.rad.port import RadPort
from kzagent.drivers.solaris.transport import Transport
from kzagent.errors import DriverError
from kzagent.host_settings import SolarisSettings, Way


def open_solaris(solaris: SolarisSettings, directory: Path) -> SolarisDriver:
    """Return the driver of one Solaris host. `directory`: the agent's own. Raises: DriverError."""
    own = directory.absolute() / "solaris" / solaris.owner_hostid
    return SolarisDriver(solaris.owner_hostid, open_port(solaris), own)


def open_port(solaris: SolarisSettings) -> HostPort:
    """Return the way to the host. Raises: DriverError, SetupError."""
    if solaris.rad is not None:
        return RadPort(RadClient(solaris.rad), solaris.owner_hostid, solaris.rad.host)
    return CommandPort(open_transport(solaris), commands=solaris.commands, logs=solaris.logs)


def open_transport(solaris: SolarisSettings) -> Transport:
    """Return the way to the host's commands. Raises: DriverError NO_COMMAND for RAD, which runs none."""
    if solaris.way is Way.RAD:
        raise DriverError("NO_COMMAND", "a host that is reached through RAD runs no commands for us")
    if solaris.ssh is None:
        return LocalTransport()
    try:
        # Imported here: an agent without ssh hosts needs no library for it.
        from kzagent.drivers.solaris.ssh import SshTransport  # noqa: PLC0415
    except ImportError as error:
        raise DriverError("NO_LIBRARY", "ssh needs asyncssh: install kzfleet[ssh]") from error
    return SshTransport(solaris.ssh)
