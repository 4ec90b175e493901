"""A real sshd on loopback, with keys of its own: what an agent meets on a Solaris host, down to the login shell."""

from __future__ import annotations

import contextlib
import dataclasses
import getpass
import os
import shutil
import socket
import subprocess
import time
from pathlib import Path

import asyncssh

from kzagent.host_settings import DEFAULT_SESSIONS, SolarisSettings, SshSettings, Way

SSHD = shutil.which("sshd", path="/usr/sbin:/usr/local/sbin:/usr/bin")
LOOPBACK = "127.0.0.1"


class Sshd:
    """One sshd, its host key, and a client key that it lets in."""

    def __init__(self, directory: Path, sessions: int = 10) -> None:
        self.directory = directory
        self.sessions = sessions
        directory.mkdir(parents=True, mode=0o700)
        self.host_key = self._key("host_key")
        self.client_key = self._key("client_key")
        (directory / "authorized_keys").write_bytes(self.client_key.export_public_key())
        self.port = _free_port()
        self.known_hosts = directory / "known_hosts"
        name = f"[{LOOPBACK}]:{self.port}".encode()
        self.known_hosts.write_bytes(name + b" " + self.host_key.export_public_key())
        self.process: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self) -> None:
        """Start it and wait until it answers."""
        config = self.directory / "sshd_config"
        lines = [
            f"ListenAddress {LOOPBACK}",
            f"Port {self.port}",
            f"HostKey {self.directory}/host_key",
            f"AuthorizedKeysFile {self.directory}/authorized_keys",
            "PidFile none",
            "UsePAM no",
            "StrictModes no",
            "PasswordAuthentication no",
            "KbdInteractiveAuthentication no",
            "PermitRootLogin prohibit-password",
            f"MaxSessions {self.sessions}",
        ]
        config.write_text("".join(f"{line}\n" for line in lines))
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(exist_ok=True)  # sshd's own condition for running as root
        command = [str(SSHD), "-D", "-e", "-f", str(config)]
        with (self.directory / "log").open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
        for _ in range(200):
            with socket.socket() as probe:
                if probe.connect_ex((LOOPBACK, self.port)) == 0:
                    return
            time.sleep(0.05)
        raise AssertionError(f"sshd does not answer: {(self.directory / 'log').read_text()}")

    def stop(self) -> None:
        """End it, with the sessions it has open."""
        assert self.process is not None
        for pid in [*_children(self.process.pid), self.process.pid]:
            with contextlib.suppress(ProcessLookupError):  # a session that ended by itself
                os.kill(pid, 9)
        self.process.wait()

    def settings(self, **changes: object) -> SshSettings:
        ssh = SshSettings(
            address=LOOPBACK,
            port=self.port,
            user=getpass.getuser(),
            key_file=str(self.directory / "client_key"),
            known_hosts=str(self.known_hosts),
            sessions=DEFAULT_SESSIONS,
        )
        return dataclasses.replace(ssh, **changes)  # type: ignore[arg-type]

    def over(self, solaris: SolarisSettings) -> SolarisSettings:
        """Return the settings of a local host as one that is reached by ssh."""
        return dataclasses.replace(solaris, way=Way.SSH, ssh=self.settings())

    def _key(self, name: str) -> asyncssh.SSHKey:
        key = asyncssh.generate_private_key("ssh-ed25519")
        path = self.directory / name
        path.touch(mode=0o600)
        path.write_bytes(key.export_private_key())
        return key


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


def _children(pid: int) -> list[int]:
    """Return the processes of the open sessions, but not what runs in them."""
    found = subprocess.run(["ps", "-e", "-o", "pid=,ppid=,comm="], capture_output=True, text=True, check=True).stdout
    rows = [line.split() for line in found.splitlines()]
    own = [pid]
    for child, parent, name in rows:
        if int(parent) in own and name.startswith("sshd"):
            own.append(int(child))
    return own[1:]
