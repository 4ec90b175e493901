"""The real thing: `manage.py up` in a folder of its own, and what an administrator can do to it from a shell."""

from __future__ import annotations

import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any, TypeVar

PROJECT = Path(__file__).resolve().parents[2]
START_WAIT_S = 90.0
# Boot storage is watched this long before a takeover: the shortest that an agent of the demonstration accepts.
QUIET_WINDOW_S = 5
T = TypeVar("T")


class Site:
    """One site, started and stopped as a person does. `var`: its state; `url`: its address."""

    def __init__(self, var: Path) -> None:
        self.var = var
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.output = var.with_suffix(".out")
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start everything; it is ready afterwards."""
        argv = [sys.executable, str(PROJECT / "manage.py"), "up", "--port", str(self.port)]
        env = environment(self.var) | {"KZFLEET_FORCED_QUIET_WINDOW_S": str(QUIET_WINDOW_S)}
        with self.output.open("wb") as file:
            self._process = subprocess.Popen(argv, env=env, stdout=file, stderr=subprocess.STDOUT)
        wait_for(self._is_ready, START_WAIT_S, "the site was not ready")

    def stop(self) -> None:
        """Press Ctrl-C; no process is left."""
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(signal.SIGINT)
        try:
            assert process.wait(timeout=20) == 0, self.output.read_text()
        finally:
            process.kill()
        wait_for(lambda: not processes_of(self.var), 2, "processes were left")

    def _is_ready(self) -> bool:
        printed = self.output.read_text()
        assert self._process is not None
        assert self._process.poll() is None, f"it ended instead of starting:\n{printed}"
        return "\nready after" in printed

    @property
    def fleet(self) -> Path:
        return self.var / "demonstration"

    def host(self, hostname: str) -> Path:
        """Return the directory of a host of the demonstration fleet."""
        (found,) = self.fleet.glob(f"hosts/*/{hostname}")
        return found

    def kz(self, hostname: str, *words: str) -> subprocess.CompletedProcess[str]:
        """Type a command on a host; return what it printed."""
        argv = [sys.executable, "-m", "kernelzone.portable.cli", str(self.host(hostname)), *words]
        return subprocess.run(argv, cwd=PROJECT, capture_output=True, text=True, timeout=30, check=False)

    def zoneadm(self, hostname: str, zone: str, *words: str) -> subprocess.CompletedProcess[str]:
        """Type `zoneadm -z zone ...` on a host."""
        return self.kz(hostname, "zoneadm", "-z", zone, *words)

    def state_of(self, hostname: str, zone: str) -> str:
        """Return the state of a zone as its host lists it."""
        return self.kz(hostname, "zoneadm", "-z", zone, "list", "-p").stdout.split(":")[2]

    def read(self, hostname: str, zone: str) -> str:
        """Return what host data says, as `kz read` prints it, without its age."""
        lines = self.kz(hostname, "read", zone).stdout.splitlines()
        return "\n".join(line for line in lines if not line.startswith("  written:"))

    def configure(self, zone: str, source: str, target: str) -> None:
        """Configure a zone of `source` on `target` too, with its key, as an administrator carries it over."""
        export = self.var / f"{zone}.cfg"
        must(self.kz(source, "zonecfg", "-z", zone, "export", "-f", str(export)))
        must(self.kz(target, "zonecfg", "-z", zone, "-f", str(export)))
        export.unlink()

    def want(self, zone: str, source: str, target: str) -> None:
        """Configure a zone on `target` too and try to attach it there, which is refused: it is in use."""
        self.configure(zone, source, target)
        refused = self.zoneadm(target, zone, "attach")
        assert refused.returncode == 1, refused
        assert "is in use by host" in refused.stderr

    def manage(self, *words: str, typed: str = "") -> str:
        """Run `manage.py` on this site; return what it printed."""
        argv = [sys.executable, "-W", "ignore", str(PROJECT / "manage.py"), *words]
        env = environment(self.var)
        done = subprocess.run(argv, env=env, input=typed, capture_output=True, text=True, timeout=60, check=False)
        must(done)
        return done.stdout

    def rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """Return rows of the site's database, read and never written."""
        with closing(sqlite3.connect(f"file:{self.var}/kzfleet.sqlite3?mode=ro", uri=True, timeout=20)) as database:
            return database.execute(query, values).fetchall()

    def said(self, process: str) -> str:
        """Return what a process has printed so far."""
        return (self.var / "log" / f"{process}.log").read_text()

    def pids(self, *words: str) -> list[int]:
        """Return the processes of this site whose command line has all these words."""
        return [pid for pid, line in processes_of(self.var).items() if all(word in line for word in words)]

    def pid(self, *words: str) -> int:
        """Return the one process whose command line has all these words, once there is one."""
        (pid,) = wait_for(lambda: self.pids(*words), 30, f"no process {' '.join(words)}")
        return pid

    def kill(self, *words: str) -> int:
        """`kill -9` the one process with these words; return which one it was."""
        pid = self.pid(*words)
        os.kill(pid, signal.SIGKILL)
        return pid


def environment(var: Path) -> dict[str, str]:
    """Return the environment of a person's shell, and nothing of the test's own."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR") if name in os.environ}
    return {**kept, "KZFLEET_VAR": str(var), "PYTHONPATH": str(PROJECT)}


def processes_of(var: Path) -> dict[int, str]:
    """Return the command lines of all living processes that were started for this state folder."""
    mark = f"KZFLEET_VAR={var}".encode()
    found = {}
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            words = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            is_ours = mark in (entry / "environ").read_bytes().split(b"\0") or f"{var}/" in words
            if is_ours and ") Z " not in (entry / "stat").read_text():
                found[int(entry.name)] = words.strip()
        except OSError:
            continue
    return found


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(found: Callable[[], T], timeout_s: float, what: str) -> T:
    """Return what `found` returns once it is true. Raises: AssertionError when that takes too long."""
    deadline = time.monotonic() + timeout_s
    while not (value := found()):
        assert time.monotonic() < deadline, f"{what} within {timeout_s:g} s"
        time.sleep(0.1)
    return value


def must(done: subprocess.CompletedProcess[str]) -> None:
    """Refuse a command that did not end well."""
    assert done.returncode == 0, (done.args, done.stdout, done.stderr)
