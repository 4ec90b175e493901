"""New agents from the terminal: a join token, six words, and what is decided afterwards."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from enrolling_agent import NewAgent

from apps.fleet.models import Agent, JoinToken

pytestmark = pytest.mark.django_db


@pytest.fixture
def ask(kzfleet: Any, ines: Any) -> Callable[..., Any]:
    """Return a function (*arguments) that runs the command as an administrator."""
    return lambda *arguments: kzfleet(ines, *arguments)


@pytest.fixture
def pending(ask: Any, client: Any, tmp_path: Path) -> NewAgent:
    """An agent that asked with a token made at the terminal."""
    out = tmp_path / "token"
    made = ask("enrol-token", "0badcafe:new1:annex", "--out", str(out))
    assert made.status == 0
    assert "kzj_" not in made.out + made.err
    assert out.stat().st_mode & 0o777 == 0o600
    agent = NewAgent(hosts=("0badcafe",))
    assert agent.enrol(client, out.read_text().strip()).status_code == 202
    return agent


def test_a_token_is_printed_once_for_hosts_that_are_named(ask):
    made = ask("enrol-token", "0badcafe:new1", "0badf00d", "--json")
    assert made.json["token"].startswith("kzj_")
    hosts = [(host["owner_hostid"], host["hostname"]) for host in JoinToken.objects.get().hosts]
    assert hosts == [("0badcafe", "new1"), ("0badf00d", "")]
    refused = ask("enrol-token", "0x1")
    assert (refused.status, "(hostid)" in refused.err) == (1, True)
    assert ask("enrol-token", "a:b:c:d:e").status == 2


def test_no_token_is_made_for_a_file_that_is_there_already(ask, tmp_path):
    out = tmp_path / "token"
    out.symlink_to(tmp_path / "elsewhere")
    made = ask("enrol-token", "0badcafe", "--out", str(out))
    assert (made.status, "never overwritten" in made.err) == (2, True)
    assert not JoinToken.objects.exists()


def test_a_new_agent_is_listed_first_and_confirmed_with_its_words(ask, pending):
    listed = ask("agents")
    assert listed.out.splitlines()[1].split()[1:4] == ["east", "pending", "0badcafe"]
    wrong = ask("confirm", "east", "--words", "acorn bagel cable daily eagle fable")
    assert (wrong.status, "(fingerprint_differs)" in wrong.err) == (1, True)
    assert ask("confirm", str(pending.uuid), "--words", pending.words).status == 0
    assert Agent.objects.get().state == "trusted"
    assert "speaks for 0badcafe" in ask("agent", "show", "east").out


def test_without_a_terminal_the_words_are_an_option(ask, pending):
    asked = ask("confirm", "east")
    assert asked.status == 2
    assert "--words is missing" in asked.err


def test_an_agent_is_suspended_trusted_again_and_revoked_with_reasons(ask, pending):
    ask("confirm", "east", "--words", pending.words)
    for verb, state in (("suspend", "suspended"), ("resume", "trusted"), ("revoke", "revoked")):
        done = ask(verb, "east", "--reason", "Its machine is looked at tonight.", "--json")
        assert json.loads(done.out)["state"] == state
    assert ask("resume", "east", "--reason", "It came back after all.").status == 1


def test_a_rejected_agent_is_revoked(ask, pending):
    assert ask("reject", "east").status == 0
    assert Agent.objects.get().state == "revoked"
