"""Each agent is a user of the broker that can pop its own queue: what works so, and everything else refused."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple
from uuid import uuid4

import pytest
import redis
from agent_lab import Deployment
from agent_process import Broker, Process, until
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from apps.fleet import broker_users
from apps.fleet.agents import revoke_agent
from apps.fleet.broker_file import write_broker_users, write_site_users
from apps.fleet.broker_users import (
    ACCESS,
    CONTROL,
    SITE_USERS,
    WEB,
    WRITE_BROKER_USERS,
    agent_broker_url,
    hashed,
    new_broker_password,
    user_name,
)
from apps.fleet.models import Agent
from apps.fleet.services import trust_agent
from kernelzone.envelope import raw_public_key
from kernelzone.orders import Kind

pytestmark = [pytest.mark.processes, pytest.mark.django_db]

TESTER, PASSWORD = "tester", "open"


class Scene(NamedTuple):
    """A broker with users: two agents, the site's own, and a tester who may do everything."""

    broker: Broker
    users: Path
    ours: Agent
    other: Agent
    url: str
    passwords: dict[str, str]

    def as_agent(self) -> redis.Redis:
        return self.broker.as_user(user_name(self.ours), self.passwords["ours"])

    def as_site(self, name: str) -> redis.Redis:
        return self.broker.as_user(name, self.passwords[name])

    def site_url(self, name: str) -> str:
        return broker_users.url_of(self.broker.url, user=name, password=self.passwords[name])

    def denied(self) -> list[tuple[str, str]]:
        """Return who was refused what, as the broker remembers it."""
        return [(entry["username"], entry["object"]) for entry in self.broker.client.acl_log()]


def trusted(uuid: object, name: str) -> Agent:
    key = raw_public_key(Ed25519PrivateKey.generate()).hex()
    return trust_agent(uuid=uuid, key_hex=key, name=name)  # type: ignore[arg-type]


@pytest.fixture
def scene(tmp_path: Path, deployment: Deployment, settings) -> Iterator[Scene]:
    deployment.agent.journal.close()
    ours, other = trusted(deployment.uuid, "ours"), trusted(uuid4(), "other")
    passwords = {"ours": new_broker_password(ours), "other": new_broker_password(other)}
    passwords |= {name: broker_users.new_password() for name in SITE_USERS}
    users = tmp_path / "users.acl"
    users.write_text(f"user {TESTER} on >{PASSWORD} ~* &* +@all\n")
    write_site_users(users, {name: hashed(passwords[name]) for name in SITE_USERS})
    write_broker_users(users)
    broker = Broker(users, TESTER, PASSWORD)
    access = f"unix://{ACCESS}:{passwords[ACCESS]}@{broker.socket}"
    settings.BROKER_ACCESS_URL, settings.AGENT_BROKER_URL = access, broker.url
    try:
        yield Scene(broker, users, ours, other, agent_broker_url(ours, passwords["ours"]), passwords)
    finally:
        broker.close()


@pytest.fixture
def process(deployment: Deployment, scene: Scene) -> Iterator[Process]:
    process = Process(deployment, scene.broker, url=scene.url)
    yield process
    process.end()


def runs_an_order(deployment: Deployment, scene: Scene, process: Process) -> None:
    order = deployment.order(Kind.INSPECT)
    scene.broker.send(process.queue, deployment.authority.sign(order), url=scene.site_url(CONTROL))
    assert deployment.site.wait_for(lambda: deployment.site.final(order.order)).code == "DONE"


def test_an_agent_works_off_orders_with_what_its_user_may_do(
    deployment: Deployment, scene: Scene, process: Process
) -> None:
    runs_an_order(deployment, scene, process)
    runs_an_order(deployment, scene, process)

    assert scene.denied() == []


def test_an_agent_comes_back_to_a_broker_that_was_killed_and_knows_it_again(
    deployment: Deployment, scene: Scene, process: Process
) -> None:
    runs_an_order(deployment, scene, process)
    scene.broker.restart()

    runs_an_order(deployment, scene, process)


def test_an_agent_that_is_faster_than_its_user_waits_for_it(deployment: Deployment, scene: Scene) -> None:
    password = new_broker_password(scene.ours)  # the broker knows the one before
    process = Process(deployment, scene.broker, url=agent_broker_url(scene.ours, password))
    try:
        until(lambda: "Cannot connect to" in process.output.read_text())
        assert password not in process.output.read_text()
        write_broker_users(scene.users)
        runs_an_order(deployment, scene, process)
    finally:
        process.end()


OWN, OTHERS = "own queue", "another agent's queue"
REFUSED: dict[str, tuple[str, ...]] = {
    "read another's queue": ("BRPOP", OTHERS, "1"),
    "pop another's queue": ("RPOP", OTHERS),
    "count another's queue": ("LLEN", OTHERS),
    "push to another's queue": ("LPUSH", OTHERS, "x"),
    "push to its own queue": ("LPUSH", OWN, "x"),
    "look through its own queue": ("LRANGE", OWN, "0", "-1"),
    "remove its own queue": ("DEL", OWN),
    "move its queue onto another": ("RENAME", OWN, OTHERS),
    "move messages": ("LMOVE", OTHERS, OWN, "LEFT", "LEFT"),
    "read control's queue": ("BRPOP", "control", "1"),
    "push to control's queue": ("LPUSH", "control", "x"),
    "see what control works on": ("HGETALL", "unacked"),
    "bind a queue": ("SADD", "_kombu.binding.control", "x"),
    "publish": ("PUBLISH", "/0.celery.pidbox", "x"),
    "subscribe": ("SUBSCRIBE", "/0.celery.pidbox"),
    "subscribe to everything": ("PSUBSCRIBE", "*"),
    "flush everything": ("FLUSHALL",),
    "flush this database": ("FLUSHDB",),
    "swap databases": ("SWAPDB", "0", "1"),
    "run a script": ("EVAL", "return 1", "0"),
    "run a read-only script": ("EVAL_RO", "return 1", "0"),
    "load a script": ("SCRIPT", "LOAD", "return 1"),
    "run a known script": ("EVALSHA", "e0e1f9fabfc9d4800c877a703b823ac0578ff8db", "0"),
    "load a function": ("FUNCTION", "LOAD", "#!lua name=x\nredis.register_function('x', function() return 1 end)"),
    "list keys": ("KEYS", "*"),
    "walk through keys": ("SCAN", "0"),
    "count keys": ("DBSIZE",),
    "take a random key": ("RANDOMKEY",),
    "sort by foreign keys": ("SORT", OWN, "BY", "control_*"),
    "read settings": ("CONFIG", "GET", "*"),
    "change settings": ("CONFIG", "SET", "dir", "/tmp"),
    "list users": ("ACL", "LIST"),
    "make a user": ("ACL", "SETUSER", "evil", "on", "nopass", "~*", "+@all"),
    "load users": ("ACL", "LOAD"),
    "read refusals": ("ACL", "LOG"),
    "list connections": ("CLIENT", "LIST"),
    "cut connections": ("CLIENT", "KILL", "TYPE", "normal"),
    "hold everybody still": ("CLIENT", "PAUSE", "1000"),
    "look over shoulders": ("MONITOR",),
    "ask about the server": ("INFO",),
    "stop the server": ("SHUTDOWN", "NOSAVE"),
    "copy from another server": ("REPLICAOF", "127.0.0.1", "1"),
    "send keys away": ("MIGRATE", "127.0.0.1", "1", OWN, "0", "1"),
    "write a file": ("SAVE",),
}


def test_an_agent_may_do_nothing_but_pop_its_own_queue(scene: Scene) -> None:
    queues = {OWN: f"agent.{scene.ours.pk}", OTHERS: f"agent.{scene.other.pk}"}
    scene.broker.client.lpush(queues[OTHERS], "order")

    with scene.as_agent() as client:
        allowed = [
            what for what, words in REFUSED.items() if is_allowed(client, [queues.get(word, word) for word in words])
        ]

    assert allowed == []
    assert scene.broker.client.lrange(queues[OTHERS], 0, -1) == [b"order"]
    assert scene.broker.client.keys("*") == [queues[OTHERS].encode()]


def is_allowed(client: redis.Redis, words: Sequence[str]) -> bool:
    """Return whether the broker let this command through, whatever became of it."""
    try:
        client.execute_command(*words)
    except redis.exceptions.NoPermissionError:
        return False
    except redis.exceptions.RedisError:
        return True
    return True


def test_an_agent_may_not_push_inside_a_transaction_either(scene: Scene) -> None:
    with scene.as_agent() as client, pytest.raises(redis.exceptions.RedisError, match=r"NOPERM|no permissions"):
        client.pipeline().lpush(f"agent.{scene.other.pk}", "x").execute()
    assert scene.broker.client.keys("*") == []


@pytest.mark.parametrize(
    "credentials",
    [
        lambda scene: (None, None),
        lambda scene: ("default", "x"),
        lambda scene: (user_name(scene.ours), scene.passwords["other"]),
        lambda scene: (user_name(scene.ours), ""),
        # what the site keeps of a password opens nothing
        lambda scene: (user_name(scene.ours), hashed(scene.passwords["ours"])),
    ],
    ids=["nobody", "default", "another's password", "no password", "the hash"],
)
def test_the_broker_lets_nobody_else_in(scene: Scene, credentials: Callable[[Scene], tuple[str, str]]) -> None:
    with scene.broker.as_user(*credentials(scene)) as client, pytest.raises(redis.exceptions.AuthenticationError):
        client.ping()


def test_the_site_itself_may_do_no_more_than_it_needs(scene: Scene) -> None:
    others = f"agent.{scene.other.pk}"
    too_much = {
        CONTROL: (("BRPOP", others, "1"), ("LRANGE", others, "0", "-1"), ("PUBLISH", "x", "x"), ("KEYS", "*")),
        WEB: (("LPUSH", others, "x"), ("BRPOP", "control", "1"), ("EVAL", "return 1", "0"), ("KEYS", "*")),
        ACCESS: (("LPUSH", "control", "x"), ("ACL", "SETUSER", "evil", "on"), ("ACL", "LIST"), ("KEYS", "*")),
    }
    everybody = (("FLUSHALL",), ("CONFIG", "GET", "*"), ("CLIENT", "KILL", "TYPE", "normal"), ("SHUTDOWN",))
    for user, attempts in too_much.items():
        with scene.as_site(user) as client:
            assert [words for words in (*attempts, *everybody) if is_allowed(client, words)] == [], user


def test_an_agent_that_is_revoked_is_cut_off_and_the_other_is_not(
    deployment: Deployment, scene: Scene, process: Process
) -> None:
    runs_an_order(deployment, scene, process)
    connected = scene.broker.as_user(user_name(scene.other), scene.passwords["other"])
    connected.ping()

    revoke_agent(scene.other.pk)
    written = write_broker_users(scene.users)

    assert written.is_changed
    assert written.is_loaded
    with pytest.raises(redis.exceptions.AuthenticationError):
        connected.ping()
    connected.close()
    runs_an_order(deployment, scene, process)


@pytest.mark.slow
def test_a_control_worker_works_with_what_its_user_may_do_and_takes_up_what_a_dead_one_left(
    scene: Scene, tmp_path: Path
) -> None:
    """The task is one that does nothing where no users file is named; what counts is its way through the broker."""
    for _ in range(3):
        scene.broker.send("control", [], task=WRITE_BROKER_USERS, url=scene.site_url(WEB))
    left = scene.broker.client.rpop("control")
    assert left is not None
    scene.broker.client.hset("unacked", "left", json.dumps([json.loads(left), "", "control"]))
    scene.broker.client.zadd("unacked_index", {"left": 0})

    with control_worker(scene.site_url(CONTROL), tmp_path):
        until(lambda: not scene.broker.client.exists("control", "unacked", "unacked_index"), timeout_s=60)

    ran = scene.broker.client.info("commandstats")
    assert ran["cmdstat_evalsha"]["calls"] >= 1, "the lock of the restoring was given back"
    assert scene.denied() == []


@contextmanager
def control_worker(url: str, var: Path) -> Iterator[None]:
    words = ["-m", "celery", "-q", "-A", "kzfleet.celery", "worker", "-Q", "control", "-P", "threads", "-c", "2"]
    quiet = ["--without-gossip", "--without-mingle", "--without-heartbeat"]
    environment = {**os.environ, "BROKER_URL": url, "KZFLEET_VAR": str(var), "KZFLEET_PROCESS": "control"}
    with (var / "control.out").open("wb") as output:
        worker = subprocess.Popen(
            [sys.executable, "-W", "ignore", *words, *quiet], env=environment, stdout=output, stderr=output
        )
    try:
        yield
        worker.terminate()
        assert worker.wait(timeout=20) == 0, (var / "control.out").read_text()
    finally:
        worker.kill()
        worker.wait()
