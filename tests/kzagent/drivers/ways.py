"""The ways to a host that the contract is tested on: the portable driver, and the Solaris one over each transport."""

from __future__ import annotations

from pathlib import Path
from uuid import UUID

from kernelzone.portable import commands
from kernelzone.portable.host import Host
from kernelzone.words import HostId
from kzagent.drivers import ZoneDriver
from kzagent.drivers.portable import open_portable
from kzagent.drivers.solaris.opening import open_solaris
from kzagent.host_settings import HostSettings, SolarisSettings, Way

AGENT = UUID("00000000-0000-4000-8000-000000000001")


def local_settings(host: Host) -> HostSettings:
    """Return the settings of a portable host met as a Solaris one, by its commands on this machine."""
    return HostSettings("solaris", "", solaris_settings(host))


def solaris_settings(host: Host) -> SolarisSettings:
    place = host.directory / "bin"
    if not place.exists():
        commands.write(host, place)
    return SolarisSettings(HostId(host.owner_hostid), Way.LOCAL, str(place), str(host.directory / "log"), None)


def portable(host: Host, directory: Path) -> ZoneDriver:
    return open_portable(host.directory, AGENT)


def local(host: Host, directory: Path) -> ZoneDriver:
    return open_solaris(solaris_settings(host), directory)


WAYS = {"portable": portable, "local": local}
