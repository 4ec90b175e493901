"""`kzagent check`: what is missing is named with what to do, nothing is changed, and no order is taken."""

from __future__ import annotations

import json
import shutil
import stat
from collections import namedtuple
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path
from uuid import uuid4

import pytest
from agent_lab import GLOBAL1, GLOBAL2, Deployment
from agent_process import Broker, rewrite
from agent_site import Authority

from kernelzone.orders import Kind
from kzagent import identity
from kzagent.__main__ import main
from kzagent.host_settings import HostSettings, SolarisSettings, Way
from kzagent.readiness import hosts, machine

pytestmark = pytest.mark.processes

PASSWORD, SHARED = "not-to-be-printed", "word-of-all"


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """A broker with a tester who may do everything; each agent's user is added to it."""
    users = tmp_path_factory.mktemp("broker") / "users.acl"
    users.write_text(f"user default off\nuser tester on >{SHARED} ~* &* +@all\n")
    broker = Broker(users, "tester", SHARED)
    yield broker
    broker.close()


@pytest.fixture
def ready(deployment: Deployment, broker: Broker) -> Deployment:
    """An agent that lacks nothing; an order waits for it."""
    deployment.agent.journal.close()
    queue = f"agent.{deployment.uuid}"
    rights = ("ping", "select", "brpop", "llen", "multi", "exec", "discard")
    rules = ["on", f">{PASSWORD}", f"~{queue}", "-@all", *(f"+{one}" for one in rights)]
    broker.client.execute_command("ACL", "SETUSER", "own", *rules)
    broker.client.delete(queue)
    broker.client.lpush(queue, "order")
    changed(deployment, broker=url(broker, "own", PASSWORD))
    return deployment


def url(broker: Broker, user: str, password: str) -> str:
    return broker.url.replace("://", f"://{user}:{password}@")


def changed(deployment: Deployment, **changes: object) -> None:
    rewrite(deployment.directory, identity.load_settings(deployment.directory), **changes)


class Said(dict[str, tuple[str, str]]):
    """What `check --json` said: what was looked at to (verdict, found and what to do)."""

    def __init__(self, code: int, text: str) -> None:
        said = json.loads(text)
        assert code == (0 if said["can_run"] else 1)
        self.can_run = bool(said["can_run"])
        super().__init__({one["what"]: (one["verdict"], f"{one['found']}; {one['to_do']}") for one in said["findings"]})

    def not_ok(self) -> dict[str, tuple[str, str]]:
        return {what: said for what, said in self.items() if said[0] != "ok"}


@pytest.fixture
def checked(ready: Deployment, capsys: pytest.CaptureFixture[str]) -> Callable[[], Said]:
    def check() -> Said:
        code = main(["check", "--json", str(ready.directory)])
        printed = capsys.readouterr()
        assert PASSWORD not in printed.out + printed.err
        assert SHARED not in printed.out + printed.err
        return Said(code, printed.out)

    return check


def test_an_agent_that_lacks_nothing_is_told_so_and_nothing_is_changed(
    ready: Deployment, broker: Broker, checked: Callable[[], Said]
) -> None:
    before = {path.name: path.read_bytes() for path in ready.directory.iterdir()}

    said = checked()

    assert said.not_ok() == {}
    assert {"python", "packages", "journal", "disk", "broker", "broker user", "site", "clock"} < set(said)
    assert {f"host {GLOBAL1}", f"host {GLOBAL2}"} < set(said)
    assert {name: (ready.directory / name).read_bytes() for name in before} == before
    assert broker.client.llen(f"agent.{ready.uuid}") == 1, "an order was taken"


def test_kinds_that_the_file_refuses_are_named(ready: Deployment, checked: Callable[[], Said]) -> None:
    changed(ready, kinds=tuple(kind for kind in Kind if kind is not Kind.MIGRATE))

    assert "2 hosts; its kinds refuse migrate" in checked()["settings"][1]


def test_for_people_it_is_one_line_each(ready: Deployment, capsys: pytest.CaptureFixture[str]) -> None:
    ready.site.refuses = 403

    assert main(["check", str(ready.directory)]) == 1

    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if line.startswith("missing  site ")]
    assert [line for line in lines if line.startswith("ok       python ")]
    assert lines[-1] == "the agent cannot do its work: site"


def _open_to_others(deployment: Deployment, broker: Broker) -> None:
    (deployment.directory / identity.SETTINGS_NAME).chmod(0o644)


def _key_open_to_others(deployment: Deployment, broker: Broker) -> None:
    (deployment.directory / identity.KEY_NAME).chmod(0o640)


def _without_key(deployment: Deployment, broker: Broker) -> None:
    (deployment.directory / identity.KEY_NAME).unlink()


def _damaged_journal(deployment: Deployment, broker: Broker) -> None:
    for path in deployment.directory.glob("journal.db*"):
        path.unlink()
    (deployment.directory / "journal.db").write_bytes(b"no database at all" * 1000)


def _host_is_gone(deployment: Deployment, broker: Broker) -> None:
    shutil.move(deployment.fleet.root / "global2", deployment.fleet.root / "elsewhere")


def _wrong_password(deployment: Deployment, broker: Broker) -> None:
    changed(deployment, broker=url(broker, "own", "guessed"))


def _no_credentials(deployment: Deployment, broker: Broker) -> None:
    changed(deployment, broker=broker.url)


def _no_broker(deployment: Deployment, broker: Broker) -> None:
    changed(deployment, broker=f"redis://own:{PASSWORD}@127.0.0.1:1/0")


def _anothers_queue(deployment: Deployment, broker: Broker) -> None:
    broker.client.execute_command("ACL", "SETUSER", "own", "resetkeys", f"~agent.{uuid4()}")


def _no_site(deployment: Deployment, broker: Broker) -> None:
    changed(deployment, url="http://127.0.0.1:1")


def _not_known(deployment: Deployment, broker: Broker) -> None:
    deployment.site.refuses = 403


def _no_such_certificates(deployment: Deployment, broker: Broker) -> None:
    changed(deployment, url="https://127.0.0.1:1", ca_file="/nowhere.pem")


def _clock_is_wrong(deployment: Deployment, broker: Broker) -> None:
    deployment.site.beacon_shift_s = -121


def _another_authority(deployment: Deployment, broker: Broker) -> None:
    changed(deployment, authority_keys=(Authority().public_hex,))


def _another_deployment(deployment: Deployment, broker: Broker) -> None:
    rewrite(deployment.directory, identity.load_settings(deployment.directory), deployment=uuid4())


@pytest.mark.parametrize(
    ("spoil", "what", "words"),
    [
        (_open_to_others, "agent.json", "chmod 0600"),
        (_key_open_to_others, "identity.key", "chmod 600"),
        (_without_key, "identity.key", "cannot be read"),
        (_damaged_journal, "journal", "begins a new epoch"),
        (_host_is_gone, "hosts", "global2"),
        (_wrong_password, "broker", "refuses these credentials"),
        (_no_credentials, "broker", "refuses these credentials"),
        (_no_broker, "broker", "cannot be reached"),
        (_anothers_queue, "broker", "may not read the queue"),
        (_no_site, "site", "cannot be reached"),
        (_not_known, "site", "trust it there"),
        (_no_such_certificates, "site", "ca_file /nowhere.pem"),
        (_clock_is_wrong, "clock", "121 s ahead of"),
        (_another_authority, "clock", "another authority key"),
        (_another_deployment, "clock", "another authority key or deployment"),
    ],
)
def test_what_is_missing_is_named_with_what_to_do(
    ready: Deployment,
    broker: Broker,
    checked: Callable[[], Said],
    spoil: Callable[[Deployment, Broker], None],
    what: str,
    words: str,
) -> None:
    spoil(ready, broker)

    said = checked()

    assert not said.can_run
    assert {name for name, (verdict, _) in said.items() if verdict == "missing"} == {what}
    assert words in said[what][1]


def test_a_host_that_is_out_of_reach_is_unknown_and_the_agent_can_run(
    ready: Deployment, checked: Callable[[], Said]
) -> None:
    ready.fleet.global2.set_flag("cut-off")

    said = checked()

    assert said.can_run
    assert said.not_ok() == {f"host {GLOBAL2}": ("unknown", "out of reach: the agent keeps silent about it; ")}


def test_credentials_that_open_other_queues_too_are_named_and_the_agent_can_run(
    ready: Deployment, broker: Broker, checked: Callable[[], Said]
) -> None:
    changed(ready, broker=url(broker, "tester", SHARED))

    said = checked()

    assert said.can_run
    assert list(said.not_ok()) == ["broker user"]


def test_a_site_that_has_not_signed_its_time_leaves_the_clock_unknown(
    ready: Deployment, checked: Callable[[], Said]
) -> None:
    ready.site.beacon_shift_s = None

    assert checked().not_ok()["clock"][0] == "unknown"


def test_a_machine_that_is_no_solaris_host_lacks_its_commands(ready: Deployment, checked: Callable[[], Said]) -> None:
    solaris = SolarisSettings(GLOBAL1, Way.LOCAL, "", "/var/log/zones", None)  # type: ignore[arg-type]
    changed(ready, hosts=(HostSettings("solaris", "", solaris),))

    said = checked()

    assert not said.can_run
    assert "/usr/sbin/zoneadm" in said["commands"][1]
    assert said[f"host {GLOBAL1}"][0] == "missing"


def test_python_packages_and_room_are_looked_at(checked: Callable[[], Said], monkeypatch: pytest.MonkeyPatch) -> None:
    found = metadata.version

    def version(name: str) -> str:
        if name == "celery":
            raise metadata.PackageNotFoundError(name)
        return found(name)

    monkeypatch.setattr(machine.metadata, "version", version)
    monkeypatch.setattr(machine, "PYTHON", (3, 99))
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(machine.shutil, "disk_usage", lambda _: usage(0, 0, machine.LEAST_FREE_BYTES - 1))

    said = checked()

    assert set(said.not_ok()) == {"python", "packages", "disk"}
    assert "install Python 3.99" in said["python"][1]
    assert "celery" in said["packages"][1]


@pytest.mark.parametrize(
    ("held", "verdict", "words"),
    [
        ("solaris.zone.manage,solaris.zone.config\n", "ok", "every zone, without solaris.zone.migrate"),
        ("solaris.zone.*,solaris.smf.*\n", "ok", "every zone; "),
        ("solaris.*\n", "ok", "every zone; "),
        ("solaris.zone.manage/kz1,solaris.zone.config/kz1,solaris.zone.manage/kz2\n", "ok", "for kz1 alone"),
        ("solaris.zone.manage/kz1\n", "missing", "not authorized: solaris.zone.config"),
        ("solaris.zonemanager.*\n", "missing", "solaris.zone.config"),
        ("", "missing", "Kernel Zone Agent"),
    ],
)
def test_rights_are_read_from_what_auths_prints(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, held: str, verdict: str, words: str
) -> None:
    command = tmp_path / "auths"
    command.write_text(f"#!/bin/sh\nprintf '{held}'\n")
    command.chmod(command.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setattr(hosts.os, "geteuid", lambda: 100)

    found = hosts._rights(SolarisSettings(GLOBAL1, Way.LOCAL, str(tmp_path), "/var/log/zones", None))  # type: ignore[arg-type]

    assert (found.verdict, words in f"{found.found}; {found.to_do}") == (verdict, True), found


def test_without_auths_the_rights_are_unknown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hosts.os, "geteuid", lambda: 100)

    found = hosts._rights(SolarisSettings(GLOBAL1, Way.LOCAL, str(tmp_path), "/var/log/zones", None))  # type: ignore[arg-type]

    assert found.verdict == "unknown"


def test_a_directory_without_an_agent_says_what_to_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(tmp_path / "nothing")]) == 1

    assert "run 'kzagent enrol' or 'kzagent init' first" in capsys.readouterr().out
