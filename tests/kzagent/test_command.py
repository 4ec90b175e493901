"""`kzagent init`, `check` and `run`: one sentence when something is wrong, and no secret on the way."""

from __future__ import annotations

import dataclasses
import json
import stat
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from agent_lab import GLOBAL1, GLOBAL2, Deployment, Fleet
from agent_process import rewrite
from agent_site import Authority

from kernelzone import strict
from kernelzone.envelope import raw_public_key
from kernelzone.words import HostId
from kzagent import identity
from kzagent.__main__ import main
from kzagent.errors import SetupError
from kzagent.host_settings import HostSettings, SolarisSettings, Way, portable_host
from kzagent.hosts_file import HostsFile


@pytest.fixture
def words(fleet: Fleet, tmp_path: Path) -> list[str]:
    """Return the arguments of a good `init`."""
    return [
        "init",
        str(tmp_path / "new-agent"),
        *("--deployment", str(uuid4()), "--url", "https://site.example", "--broker", "redis://broker.example/0"),
        *("--authority-key", Authority().public_hex),
        *("--host", str(fleet.root / "global1"), "--host", str(fleet.root / "global2")),
    ]


def test_init_makes_an_agent_that_only_its_owner_can_read(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*words, "--site", "munich", "--json"]) == 0

    made = json.loads(capsys.readouterr().out)
    directory = tmp_path / "new-agent"
    settings = identity.load_settings(directory)
    assert UUID(made["agent"]) == settings.agent
    assert made["public_key"] == raw_public_key(identity.load_key(directory)).hex()
    assert made["hosts"] == sorted([GLOBAL1, GLOBAL2])
    assert (settings.name, settings.min_approvers, settings.no_break_glass) == ("munich", 2, True)
    for name in (identity.KEY_NAME, identity.SETTINGS_NAME):
        assert stat.S_IMODE((directory / name).stat().st_mode) == 0o600
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700


def test_an_agent_is_given_other_credentials_for_the_broker(words: list[str], tmp_path: Path) -> None:
    assert main(words) == 0
    directory, url = tmp_path / "new-agent", "rediss://agent-1:secret@broker.example/0"
    before = identity.load_settings(directory)
    (tmp_path / "broker").write_text(url + "\n")

    assert main(["set-broker", str(directory), f"@{tmp_path / 'broker'}"]) == 0
    assert main(["set-broker", str(directory), url]) == 1, "argument lists are public"
    for wrong in ("amqp://127.0.0.1", "127.0.0.1:6379", "redis://[::1", "", "@/dev/null"):
        assert main(["set-broker", str(directory), wrong]) == 1

    assert identity.load_settings(directory) == dataclasses.replace(before, broker=url)
    assert stat.S_IMODE((directory / identity.SETTINGS_NAME).stat().st_mode) == 0o600
    assert sorted(path.name for path in directory.iterdir()) == [identity.SETTINGS_NAME, identity.KEY_NAME]


def test_init_does_not_replace_an_agent(words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 0
    key = (tmp_path / "new-agent" / identity.KEY_NAME).read_bytes()

    assert main(words) == 1

    assert "holds an agent already" in capsys.readouterr().err
    assert (tmp_path / "new-agent" / identity.KEY_NAME).read_bytes() == key


def test_init_takes_hosts_from_a_file_as_enrol_does(words: list[str], fleet: Fleet, tmp_path: Path) -> None:
    hosts = tmp_path / "hosts.json"
    solaris = HostSettings("solaris", "", SolarisSettings(HostId("0badcafe"), Way.LOCAL, "", "/var/log/zones", None))
    hosts.write_bytes(strict.canonical(strict.write(HostsFile((solaris,)))))

    assert main([*words[:-2], "--hosts-file", str(hosts)]) == 0

    found = identity.load_settings(tmp_path / "new-agent").hosts
    assert found == (portable_host(str(fleet.root / "global1")), solaris)


@pytest.mark.parametrize("content", [None, "{}", '{"hosts": [{"driver": "solaris"}]}', "no JSON"])
def test_a_hosts_file_that_is_none_makes_no_agent(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str | None
) -> None:
    hosts = tmp_path / "hosts.json"
    if content is not None:
        hosts.write_text(content)

    assert main([*words, "--hosts-file", str(hosts)]) == 1

    assert str(hosts) in capsys.readouterr().err
    assert not (tmp_path / "new-agent").exists()


def test_an_agent_without_hosts_is_not_made(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words[:-4]) == 1

    assert "at least one host" in capsys.readouterr().err
    assert not (tmp_path / "new-agent").exists()


@pytest.mark.parametrize(
    ("option", "value", "sentence"),
    [
        ("--url", "http://site.example", "https://"),
        ("--url", "https://person:secret@site.example", "https://"),
        ("--url", "site.example", "https://"),
        ("--url", "https://[", "URL"),
        ("--broker", "redis://:secret@broker.example/0", "@FILE"),
        ("--broker", "@/nowhere", "cannot be read"),
        ("--authority-key", "abc", "64 hex digits"),
        ("--authority-key", "01" + "00" * 31, "64 hex digits"),
        ("--host", "/nowhere", "cannot be opened"),
    ],
)
def test_init_refuses_with_one_sentence_and_leaves_nothing_behind(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str], option: str, value: str, sentence: str
) -> None:
    words[words.index(option) + 1] = value

    assert main(words) == 1

    said = capsys.readouterr().err
    assert sentence in said
    assert said.count("\n") == 1
    assert "secret" not in said
    assert not (tmp_path / "new-agent").exists()


def test_init_refuses_two_hosts_with_one_hostid(
    words: list[str], fleet: Fleet, capsys: pytest.CaptureFixture[str]
) -> None:
    twice = [*words, "--host", str(fleet.root / "global1")]

    assert main(twice) == 1

    assert f"two hosts of this agent have the hostid {GLOBAL1}" in capsys.readouterr().err


def test_a_broker_with_a_password_comes_from_a_file(words: list[str], tmp_path: Path) -> None:
    (tmp_path / "broker").write_text("redis://:secret@broker.example/0\n")
    words[words.index("--broker") + 1] = f"@{tmp_path / 'broker'}"

    assert main(words) == 0

    assert identity.load_settings(tmp_path / "new-agent").broker == "redis://:secret@broker.example/0"


@pytest.mark.parametrize("command", ["run", "guard"])
def test_a_directory_without_an_agent_is_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    assert main([command, str(tmp_path / "nothing")]) == 1

    assert "run 'kzagent enrol' first" in capsys.readouterr().err


@pytest.mark.parametrize("changes", [{"v": 2}, {"min_approvers": 0}, {"heartbeat_s": 0}, {"quiet_window_min_s": 601}])
def test_settings_no_agent_may_run_with_are_refused(deployment: Deployment, changes: dict[str, int]) -> None:
    rewrite(deployment.directory, identity.load_settings(deployment.directory), **changes)

    with pytest.raises(SetupError):
        identity.load_settings(deployment.directory)


def test_settings_with_an_unknown_field_are_refused(deployment: Deployment) -> None:
    path = deployment.directory / identity.SETTINGS_NAME
    path.write_text(json.dumps(json.loads(path.read_text()) | {"min_aprovers": 5}))

    with pytest.raises(SetupError, match="unknown field"):
        identity.load_settings(deployment.directory)


def test_an_agent_holds_two_authority_keys_while_one_follows_the_other_and_never_three(deployment: Deployment) -> None:
    settings = identity.load_settings(deployment.directory)
    keys = (*settings.authority_keys, Authority().public_hex)
    rewrite(deployment.directory, settings, authority_keys=keys)
    assert len(identity.load_settings(deployment.directory).authority()) == 2

    rewrite(deployment.directory, settings, authority_keys=(*keys, Authority().public_hex))
    with pytest.raises(SetupError):
        identity.load_settings(deployment.directory)


def test_a_damaged_journal_is_put_aside_and_a_new_epoch_begins(deployment: Deployment) -> None:
    epoch = deployment.agent.journal.epoch
    deployment.agent.journal.close()
    for path in deployment.directory.glob("journal.db-*"):
        path.unlink()
    (deployment.directory / "journal.db").write_bytes(b"no database at all" * 1000)

    deployment.start()

    assert deployment.agent.journal.epoch != epoch
    assert len(list(deployment.directory.glob("damaged-*"))) == 1
