"""New keys: an agent's, named by the old one and believed beside it for a day; and the authority's."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.core.management import CommandError, call_command
from django.utils import timezone
from enrolling_agent import NewAgent

from apps.fleet.agents import suspend_agent
from apps.fleet.authority import AuthorityUnknown, note_authority_key, statements
from apps.fleet.enrolling import confirm_agent
from apps.fleet.joining import make_join_token
from apps.fleet.models import Agent, AuthorityKey
from apps.fleet.rotating import keys_of
from apps.fleet.selectors import authority_keys, deployment_uuid
from apps.fleet.services import HostName
from apps.history.models import Event
from kernelzone.enrolment import NewAgentKey, NewAuthorityKey, SealingKey, read_statement, state
from kernelzone.envelope import raw_public_key

pytestmark = pytest.mark.django_db


@pytest.fixture
def agent(client: Any, ines: Any) -> NewAgent:
    """A trusted agent."""
    new = NewAgent()
    new.enrol(client, make_join_token([HostName("848611d4")], actor=ines)[1])
    confirm_agent(new.uuid, actor=ines, words=new.words)
    return new


def _said(agent: NewAgent, new: Ed25519PrivateKey, *signers: Ed25519PrivateKey, **changes: Any) -> dict[str, str]:
    new_hex = raw_public_key(new).hex()
    statement = NewAgentKey(1, deployment_uuid(), agent.uuid, agent.key_hex, new_hex)
    sealing = SealingKey(1, agent.uuid, agent.sealing_key.public_key().public_bytes_raw().hex())
    signed = state(replace(statement, **changes), *(signers or (agent.key, new)))
    return {"agent": str(agent.uuid), "new_key": signed, "sealing": state(sealing, new)}


def _post(client: Any, said: dict[str, str]) -> Any:
    return client.post("/api/agent/v1/keys", said, content_type="application/json")


def test_a_new_key_follows_and_the_old_one_is_believed_for_a_day(client, agent, time_machine):
    new = Ed25519PrivateKey.generate()
    assert _post(client, _said(agent, new)).json()["public_key"] == raw_public_key(new).hex()

    row = Agent.objects.get()
    assert keys_of(row) == [raw_public_key(new), raw_public_key(agent.key)]
    assert keys_of(row, timezone.now() + timedelta(hours=24, seconds=1)) == [raw_public_key(new)]
    assert read_statement(SealingKey, row.sealing_statement, keys=[raw_public_key(new)]).sealing_key == row.sealing_key
    assert Event.objects.filter(type="agent.take-key").count() == 1


def test_an_answer_that_was_lost_is_asked_for_again(client, agent):
    said = _said(agent, Ed25519PrivateKey.generate())
    assert _post(client, said).json() == _post(client, said).json()
    assert Event.objects.filter(type="agent.take-key").count() == 1


def test_a_second_new_key_waits_for_a_day(client, agent, time_machine):
    new, newer = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
    _post(client, _said(agent, new))
    followed = NewAgent(uuid=agent.uuid, key=new, sealing_key=agent.sealing_key)
    early = _post(client, _said(followed, newer))
    assert (early.status_code, early.json()["code"]) == (409, "new_key")
    time_machine.move_to(timezone.now() + timedelta(hours=24, minutes=1))
    assert _post(client, _said(followed, newer)).status_code == 200
    old = _post(client, _said(agent, Ed25519PrivateKey.generate()))
    assert (old.status_code, old.json()["code"]) == (409, "new_key")


def test_what_is_not_signed_by_both_keys_is_refused(client, agent):
    new, other = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
    said = [
        _said(agent, new, agent.key),
        _said(agent, new, new),
        _said(agent, new, other, new),
        _said(agent, new, old_key=raw_public_key(other).hex()),
        _said(agent, new, deployment=agent.uuid),
        _said(agent, new, new_key="00" * 32),
        _said(agent, new) | {"sealing": _said(agent, other)["sealing"]},
        _said(agent, new) | {"sealing": ""},
        _said(NewAgent(uuid=agent.uuid, key=agent.key), new),
        _said(agent, new) | {"new_key": "{}"},
    ]
    assert {(answer.status_code, answer.json()["code"]) for answer in (_post(client, one) for one in said)} == {
        (409, "new_key")
    }
    assert Agent.objects.get().public_key == agent.key_hex


def test_an_agent_that_is_not_trusted_takes_no_key_and_nobody_takes_anothers(client, agent, ines):
    other = NewAgent(hosts=("848611d5",))
    other.enrol(client, make_join_token([HostName("848611d5")], actor=ines)[1])
    taken = _post(client, _said(agent, other.key))
    assert (taken.status_code, taken.json()["code"]) == (409, "key_in_use")
    suspend_agent(agent.uuid, actor=ines, reason="It is looked at.")
    assert _post(client, _said(agent, Ed25519PrivateKey.generate())).status_code == 404


@pytest.fixture
def key_file(tmp_path: Path, settings: Any) -> Path:
    """The authority key of a signer that has run."""
    path = tmp_path / "authority.key"
    path.write_text(Ed25519PrivateKey.generate().private_bytes_raw().hex())
    path.chmod(0o600)
    settings.AUTHORITY_KEY_FILE = str(path)
    call_command("sign", "--once", stdout=StringIO())
    return path


def _public(path: Path) -> str:
    return raw_public_key(Ed25519PrivateKey.from_private_bytes(bytes.fromhex(path.read_text()))).hex()


def test_a_new_authority_key_is_named_by_the_one_before(key_file):
    before = _public(key_file)
    call_command("rotate_authority_key", stdout=StringIO())
    after = _public(key_file)
    assert authority_keys() == [after, before]
    assert _public(key_file.with_name("authority.key.old")) == before
    said = read_statement(NewAuthorityKey, statements()[0], keys=[bytes.fromhex(before)])
    assert (said.old_key, said.new_key, said.deployment) == (before, after, deployment_uuid())
    call_command("sign", "--once", stdout=StringIO())


@pytest.mark.parametrize("step", ["write_secret", "announce_authority_key", "os.link", "os.replace"])
def test_a_rotation_that_was_ended_at_any_step_goes_on(key_file, monkeypatch, step):
    place = "kzfleet.management.commands.rotate_authority_key"

    def ended(*_: object) -> None:
        raise OSError(5, "ended")

    before = _public(key_file)
    with monkeypatch.context() as patch:
        patch.setattr(f"{place}.{step}", ended)
        with pytest.raises(CommandError, match="ended"):
            call_command("rotate_authority_key", stdout=StringIO())
    call_command("rotate_authority_key", stdout=StringIO())
    assert AuthorityKey.objects.count() == 2
    assert authority_keys() == [_public(key_file), before]


def test_a_key_that_nobody_named_does_not_sign(key_file):
    key_file.write_text(Ed25519PrivateKey.generate().private_bytes_raw().hex())
    with pytest.raises(CommandError, match="No agent would believe the key"):
        call_command("sign", "--once", stdout=StringIO())
    with pytest.raises(AuthorityUnknown):
        note_authority_key(_public(key_file))
