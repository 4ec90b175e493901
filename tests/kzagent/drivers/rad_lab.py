"""A RAD server over global1 of the fleet, and ports that reach it by password or by certificate."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rad_certificates import Authority
from rad_server import PASSWORD, USER, RadServer, serving

from kernelzone.portable.host import Host
from kernelzone.words import HostId
from kzagent.drivers.solaris.rad.client import RadClient
from kzagent.drivers.solaris.rad.port import RadPort
from kzagent.drivers.solaris.rad.settings import RadSettings, check_rad_settings
from kzagent.host_settings import SolarisSettings, Way

LOOPBACK = "127.0.0.1"


class RadLab:
    """One server and the files that its clients need."""

    def __init__(self, directory: Path, served: RadServer, authority: Authority) -> None:
        self.directory, self.served, self.authority = directory, served, authority

    @property
    def manners(self) -> Any:
        return self.served.manners

    def settings(self, **changes: Any) -> RadSettings:
        """Return settings that log in by password; `changes` replace some of them."""
        password_file = self.directory / "password"
        if not password_file.exists():
            password_file.touch(mode=0o600)
            password_file.write_text(f"{PASSWORD}\n")
        wanted: dict[str, Any] = {
            "host": LOOPBACK,
            "port": self.served.port,
            "ca_file": str(self.authority.ca_file),
            "username": USER,
            "password_file": str(password_file),
            "timeout_s": 5,
            **changes,
        }
        return RadSettings(**wanted)

    def by_certificate(self, authority: Authority | None = None) -> RadSettings:
        certificate, key = (authority or self.authority).issue("agent")
        return self.settings(username="", password_file="", certificate_file=str(certificate), key_file=str(key))

    def solaris_settings(self) -> SolarisSettings:
        """Return the settings of the host as an agent has them."""
        return SolarisSettings(HostId(self.served.host.owner_hostid), Way.RAD, "", "", None, self.settings())

    def port(self, settings: RadSettings | None = None) -> RadPort:
        wanted = settings or self.settings()
        check_rad_settings(wanted)
        host = self.served.host
        return RadPort(RadClient(wanted), HostId(host.owner_hostid), "from-the-settings")


@contextlib.contextmanager
def rad_lab(directory: Path, host: Host) -> Iterator[RadLab]:
    """Yield a laboratory whose files lie in `directory`, its server stopped at the end."""
    directory.mkdir(exist_ok=True)
    authority = Authority(directory, "host")
    certificate, key = authority.issue("server")
    with serving(host, certificate, key, authority.ca_file) as served:
        yield RadLab(directory, served, authority)
