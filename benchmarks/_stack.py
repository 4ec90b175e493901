"""Everything of a site that measurements need, as real processes on a folder of their own, stopped at the end."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
READY_S = 120


def free_port() -> int:
    """Return a port nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def process(argv: list[str], output: Path, env: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """Run a process for as long as the block lasts; its words go to `output`."""
    with output.open("wb") as file:
        child = subprocess.Popen(argv, cwd=PROJECT, env=env, stdout=file, stderr=subprocess.STDOUT)
        try:
            yield child
        finally:
            child.send_signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(15)
            child.kill()
            child.wait()


@contextlib.contextmanager
def site(var: Path, port: int) -> Iterator[None]:
    """Run broker, web, control, signer and beat as `make run` does, without a fleet and without the sweep's beat."""
    env = {**os.environ, "KZFLEET_SWEEP_INSPECTIONS": "false"}
    argv = [sys.executable, "manage.py", "up", "--empty", "--port", str(port)]
    with process(argv, var.parent / "site.txt", env) as child:
        until(lambda: b"ready after" in (var.parent / "site.txt").read_bytes(), "the site", child)
        yield


def until(is_so: Callable[[], bool], what: str, child: subprocess.Popen[bytes] | None = None) -> None:
    """Wait until `is_so`. Raises: SystemExit when it takes too long, or the process has ended."""
    deadline = time.monotonic() + READY_S
    while not is_so():
        if time.monotonic() > deadline or (child is not None and child.poll() is not None):
            raise SystemExit(f"{what} did not come")
        time.sleep(0.02)


def init_agent(directory: Path, hosts: list[Path], given: dict[str, str]) -> dict[str, str]:
    """Return what `kzagent init` prints: the agent's uuid and public key. given: its options, without dashes."""
    words = [word for name, value in given.items() for word in (f"--{name}", value)]
    words += [word for host in hosts for word in ("--host", str(host))]
    argv = [sys.executable, "-m", "kzagent", "init", str(directory), "--json", *words]
    done = subprocess.run(argv, cwd=PROJECT, capture_output=True, text=True, check=True)
    found: dict[str, str] = json.loads(done.stdout)
    return found


def say(text: str) -> None:
    """Print one line at once."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
