"""`kzagent enrol` against the site itself: what a person on a host sees, to the end and through interruptions."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.db import connection

from apps.fleet.authority import note_authority_key
from apps.fleet.enrolling import confirm_agent, reject_agent
from apps.fleet.joining import make_join_token
from apps.fleet.models import Agent, Host
from apps.fleet.selectors import deployment_uuid
from apps.fleet.services import HostName
from kernelzone.envelope import raw_public_key
from kernelzone.portable.host import Host as PortableHost
from kzagent import enrolling
from kzagent.__main__ import main
from kzagent.identity import load_settings

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def host(tmp_path: Path) -> Path:
    PortableHost.create(tmp_path / "global2", owner_hostid="848611d4", hostname="global2", storage=str(tmp_path))
    return tmp_path / "global2"


@pytest.fixture
def token_file(tmp_path: Path, ines: Any) -> Path:
    """A file with a join token, and a site whose signer has run."""
    note_authority_key(raw_public_key(Ed25519PrivateKey.generate()).hex())
    file = tmp_path / "token"
    file.write_text(make_join_token([HostName("848611d4", "global2", "east")], actor=ines)[1] + "\n")
    file.chmod(0o600)
    return file


@pytest.fixture
def enrol(live_server: Any, tmp_path: Path, host: Path, monkeypatch: Any) -> Any:
    """Return a function (*words) that runs `kzagent enrol` for the directory `agent`."""
    monkeypatch.setattr(enrolling, "ASK_EVERY_S", 0.05)

    def run(*words: str, first: bool = True) -> int:
        options = ["--url", live_server.url, "--host", str(host), "--site", "east"] if first else []
        return main(["enrol", str(tmp_path / "agent"), *options, *words])

    return run


def _words(printed: str) -> str:
    (line,) = [line for line in printed.splitlines() if line.startswith("    ")]
    return line.strip()


def test_an_agent_enrols_waits_and_can_run(enrol, token_file, ines, tmp_path, capsys):
    assert enrol("--token", f"@{token_file}", "--no-wait") == 0
    words = _words(capsys.readouterr().out)
    agent = Agent.objects.get()

    def confirm() -> None:
        try:
            confirm_agent(agent.pk, actor=ines, words=words)
        finally:
            connection.close()

    confirming = threading.Timer(0.3, confirm)
    confirming.start()

    assert enrol(first=False) == 0

    confirming.join()
    printed = capsys.readouterr().out
    assert _words(printed) == words
    assert "waiting for somebody to confirm these words" in printed
    assert "confirmed: orders are believed when key" in printed
    settings = load_settings(tmp_path / "agent")
    assert (settings.agent, settings.deployment) == (agent.pk, deployment_uuid())
    assert Host.objects.get().agent_id == agent.pk
    names = {path.name: oct(path.stat().st_mode & 0o777) for path in (tmp_path / "agent").iterdir()}
    assert names == dict.fromkeys(["agent.json", "identity.key", "lock", "sealing.key"], "0o600")


def test_a_token_in_the_argument_list_is_refused(enrol, token_file, capsys):
    assert enrol("--token", token_file.read_text().strip()) == 1
    said = capsys.readouterr().err
    assert "argument lists are public" in said
    assert "kzj_" not in said
    assert Agent.objects.count() == 0


def test_a_refused_token_is_said_and_another_one_goes_on_with_the_same_keys(enrol, token_file, tmp_path, ines, capsys):
    wrong = tmp_path / "wrong"
    wrong.write_text("kzj_" + "A" * 43)
    assert enrol("--token", f"@{wrong}") == 1
    assert "this join token is not valid for these hosts" in capsys.readouterr().err
    key = (tmp_path / "agent" / "identity.key").read_text()
    assert enrol(first=False) == 1
    assert "give a join token" in capsys.readouterr().err
    assert enrol("--token", f"@{token_file}", "--no-wait", first=False) == 0
    assert (tmp_path / "agent" / "identity.key").read_text() == key


def test_a_rejected_agent_is_told(enrol, token_file, ines, capsys):
    enrol("--token", f"@{token_file}", "--no-wait")
    reject_agent(Agent.objects.get().pk, actor=ines)
    assert enrol(first=False) == 1
    assert "calls this agent revoked" in capsys.readouterr().err


def test_an_enrolment_that_goes_on_keeps_its_hosts_and_site(enrol, token_file, tmp_path, capsys):
    enrol("--token", f"@{token_file}", "--no-wait")
    for words in (["--host", str(tmp_path)], ["--url", "https://elsewhere.example"], ["--ca-file", "/other/ca.crt"]):
        assert enrol(*words, first=False) == 1
        assert "for another site, with another --ca-file or for other hosts" in capsys.readouterr().err


@pytest.mark.parametrize("content", ["", "nonsense", "kzf_" + "A" * 43, "kzj_\x1b[31m"])
def test_what_is_no_join_token_is_not_sent(enrol, tmp_path, content, capsys, monkeypatch):
    (tmp_path / "token").write_text(content)
    monkeypatch.setattr(enrolling.Site, "post", lambda *_: pytest.fail("it was sent"))
    assert enrol("--token", f"@{tmp_path / 'token'}") == 1
    assert "this is not a join token" in capsys.readouterr().err


def test_without_a_site_one_sentence_is_said(tmp_path, host, token_file, capsys):
    words = ["--url", "http://127.0.0.1:9", "--host", str(host), "--token", f"@{token_file}"]
    assert main(["enrol", str(tmp_path / "agent"), *words]) == 1
    assert capsys.readouterr().err == "kzagent: the site cannot be reached: ConnectionRefusedError\n"
