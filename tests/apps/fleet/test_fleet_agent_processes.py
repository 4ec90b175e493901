"""Real agent processes: one directory the copy of another gives both away; and a key that is changed meanwhile."""

from __future__ import annotations

import dataclasses
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.utils import timezone

from apps.fleet.models import Agent
from apps.fleet.selectors import deployment_uuid
from apps.fleet.services import HostName, trust_agent
from apps.history.models import Event
from kernelzone.envelope import raw_public_key
from kernelzone.portable.host import Host as PortableHost
from kzagent import identity
from kzagent.__main__ import main

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.processes, pytest.mark.slow]
# nothing listens there: what an agent reports needs no broker
NO_BROKER = "redis://127.0.0.1:1/0"


@pytest.fixture
def directory(tmp_path: Path, live_server: Any) -> Path:
    """The directory of an agent that the site trusts."""
    PortableHost.create(tmp_path / "global2", owner_hostid="848611d4", hostname="global2", storage=str(tmp_path))
    settings = identity.new_settings(
        deployment=deployment_uuid(),
        url=live_server.url,
        broker=NO_BROKER,
        authority_keys=[raw_public_key(Ed25519PrivateKey.generate()).hex()],
        hosts=[str(tmp_path / "global2")],
        name="east",
    )
    key = identity.create(tmp_path / "agent", dataclasses.replace(settings, heartbeat_s=1, watch_s=1))
    trust_agent(
        uuid=UUID(str(settings.agent)),
        key_hex=raw_public_key(key).hex(),
        name="east",
        hosts=[HostName("848611d4", "global2")],
    )
    return tmp_path / "agent"


@pytest.fixture
def run_agent() -> Iterator[Callable[[Path], None]]:
    """Return a function that runs the agent of a directory until the test ends."""
    started: list[subprocess.Popen[bytes]] = []

    def run(path: Path) -> None:
        argv = [sys.executable, "-W", "ignore", "-m", "kzagent", "run", str(path)]
        started.append(subprocess.Popen(argv, stderr=subprocess.DEVNULL, start_new_session=True))

    yield run
    for process in started:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _until(holds: Callable[[], bool], timeout_s: float = 40) -> None:
    end = time.monotonic() + timeout_s
    while not holds():
        assert time.monotonic() < end, f"in vain; the agent is {Agent.objects.get().state}"
        time.sleep(0.2)


def _has_reported(most: int) -> bool:
    return Agent.objects.get().last_seq >= most


@pytest.mark.parametrize("is_running", [False, True], ids=["never run", "running"])
def test_a_copied_agent_is_found_and_both_are_suspended(directory, run_agent, is_running):
    copied = directory.with_name("copied")
    if not is_running:
        shutil.copytree(directory, copied)
    run_agent(directory)
    _until(lambda: _has_reported(2))
    if is_running:
        shutil.copytree(directory, copied)
    run_agent(copied)

    _until(lambda: Agent.objects.get().state == "suspended")

    taken = Agent.objects.get().last_seq
    assert Event.objects.filter(type="agent.speaks-twice").count() == 1
    time.sleep(2.5)
    assert Agent.objects.get().last_seq == taken


def test_an_agent_takes_a_new_key_while_it_runs(directory, run_agent):
    run_agent(directory)
    _until(lambda: _has_reported(2))
    before = Agent.objects.get()
    assert main(["rotate", str(directory)]) == 0
    assert {path.name for path in directory.glob("identity*")} == {"identity.key", "identity.old.key"}
    after = Agent.objects.get()
    assert (after.old_key, after.state) == (before.public_key, "trusted")
    # as if the day were over: only what the new key has signed is taken
    Agent.objects.update(old_key_until=timezone.now())
    _until(lambda: _has_reported(after.last_seq + 3))
    assert main(["rotate", str(directory)]) == 0
