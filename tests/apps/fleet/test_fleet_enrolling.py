"""A new agent: by a join token, six words and a person; and everything that is refused."""

from __future__ import annotations

import hashlib
import json
from datetime import timedelta
from itertools import product
from typing import Any
from uuid import uuid4

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.utils import timezone
from enrolling_agent import NewAgent

from apps.base.errors import InvalidInput, NotAllowed, NotFound, TransitionRefused
from apps.fleet.agents import revoke_agent
from apps.fleet.authority import note_authority_key
from apps.fleet.enrolling import confirm_agent, reject_agent
from apps.fleet.errors import AgentExists, FingerprintDiffers
from apps.fleet.joining import LIFE, MAX_GUESSES, make_join_token, withdraw_join_token
from apps.fleet.models import Agent, Host, JoinToken
from apps.fleet.selectors import deployment_uuid
from apps.fleet.services import HostName, trust_agent
from apps.fleet.workflow import NEXT, Move, State, next_state
from apps.history.models import Event
from kernelzone.enrolment import SealingKey, state
from kernelzone.envelope import raw_public_key

pytestmark = pytest.mark.django_db

GLOBAL2 = HostName("848611d4", "global2", "east", "r1")


@pytest.fixture
def token(ines: Any) -> str:
    """The text of a join token for the host 848611d4."""
    return make_join_token([GLOBAL2], actor=ines)[1]


@pytest.fixture
def new() -> NewAgent:
    """A new agent for that host."""
    return NewAgent()


def _types() -> list[str]:
    return [event.type for event in Event.objects.order_by("seq")]


def _code(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


def test_an_agent_is_taken_in_once_its_words_were_typed(client, ines, token, new):
    note_authority_key(raw_public_key(Ed25519PrivateKey.generate()).hex())
    assert new.enrol(client, token).json() == {"agent": str(new.uuid), "state": "pending"}
    assert new.ask(client).json() == {"state": "pending", "delivery": None}
    assert Host.objects.count() == 0

    agent = confirm_agent(new.uuid, actor=ines, words=new.words.upper())

    assert (agent.state, agent.name, agent.sealing_key) == (
        "trusted",
        "east",
        new.sealing_key.public_key().public_bytes_raw().hex(),
    )
    host = Host.objects.get()
    assert (host.owner_hostid, host.hostname, host.rack, host.agent_id) == ("848611d4", "global2", "r1", new.uuid)
    delivery = new.opened(new.ask(client).json()["delivery"])
    assert (delivery.deployment, delivery.agent, len(delivery.authority_keys)) == (deployment_uuid(), new.uuid, 1)
    assert [name for name in _types() if name.split(".")[0] in ("join-token", "agent", "host")] == [
        "join-token.make",
        "agent.enrol",
        "agent.confirm",
        "host.assign",
    ]


def test_what_was_delivered_opens_with_no_other_key(client, ines, token, new):
    note_authority_key(raw_public_key(Ed25519PrivateKey.generate()).hex())
    new.enrol(client, token)
    confirm_agent(new.uuid, actor=ines, words=new.words)
    sealed = new.ask(client).json()["delivery"]
    with pytest.raises(Exception, match="not sealed to this key"):
        NewAgent().opened(sealed)


def test_a_confirmed_agent_waits_while_nobody_knows_the_authority_key(client, ines, token, new):
    new.enrol(client, token)
    confirm_agent(new.uuid, actor=ines, words=new.words)
    assert new.ask(client).json() == {"state": "trusted", "delivery": None}


def test_an_answer_that_was_lost_is_asked_for_again_with_the_same_token(client, ines, token, new):
    assert new.enrol(client, token).status_code == new.enrol(client, token).status_code == 202
    assert (Agent.objects.count(), _types().count("agent.enrol")) == (1, 1)


def test_what_needed_an_agent_is_delivered_until_its_first_report_only(client, ines, token, new):
    note_authority_key(raw_public_key(Ed25519PrivateKey.generate()).hex())
    new.enrol(client, token)
    confirm_agent(new.uuid, actor=ines, words=new.words)
    Agent.objects.update(epoch="a" * 32)
    assert _code(new.ask(client)) == (409, "agent_exists")


@pytest.mark.parametrize("typed", ["", "one two three four five six", "abacus " * 6])
def test_other_words_leave_it_pending(client, ines, token, new, typed):
    new.enrol(client, token)
    with pytest.raises(FingerprintDiffers):
        confirm_agent(new.uuid, actor=ines, words=typed)
    assert Agent.objects.get().state == "pending"
    assert Host.objects.count() == 0


def test_words_of_another_agent_are_refused_and_so_are_five_of_six(client, ines, token, new):
    new.enrol(client, token)
    for words in (NewAgent().words, " ".join(new.words.split()[:5]), f"{new.words} abacus"):
        with pytest.raises(FingerprintDiffers):
            confirm_agent(new.uuid, actor=ines, words=words)


def test_who_may_not_confirm_does_not(client, olga, ivo, token, new):
    new.enrol(client, token)
    with pytest.raises(NotAllowed):
        confirm_agent(new.uuid, actor=olga, words=new.words)
    with pytest.raises(NotFound):
        confirm_agent(new.uuid, actor=ivo, words=new.words)
    assert Agent.objects.get().state == "pending"


def test_a_rejected_agent_never_comes_back(client, ines, token, new):
    new.enrol(client, token)
    reject_agent(new.uuid, actor=ines)
    assert new.ask(client).json() == {"state": "revoked", "delivery": None}
    with pytest.raises(TransitionRefused):
        confirm_agent(new.uuid, actor=ines, words=new.words)


# --- join tokens: one message for all that is wrong with one ---


def _expired(token: str, ines: Any) -> None:
    JoinToken.objects.update(expires_at=JoinToken.objects.get().created_at)


def _withdrawn(token: str, ines: Any) -> None:
    withdraw_join_token(JoinToken.objects.get().pk, actor=ines)


@pytest.mark.parametrize("spoil", [_expired, _withdrawn])
def test_a_token_that_ended_opens_nothing(client, ines, token, new, spoil):
    spoil(token, ines)
    assert _code(new.enrol(client, token)) == (401, "join_token")


def test_a_token_opens_nothing_for_another_host_another_agent_or_another_text(client, token, new):
    new.enrol(client, token)
    answers = [
        NewAgent().enrol(client, token),
        NewAgent(hosts=("848611d5",)).enrol(client, token),
        NewAgent().enrol(client, token[:-1]),
        NewAgent().enrol(client, "kzj_" + "A" * 43),
        NewAgent().enrol(client, token, token_sha256="0" * 64),
        NewAgent(uuid=new.uuid).enrol(client, token),
    ]
    assert {_code(answer) for answer in answers} == {(401, "join_token")}
    assert len({answer.json()["title"] + answer.json()["detail"] for answer in answers}) == 1
    assert Agent.objects.count() == 1


def test_an_unused_token_is_for_its_host_only(client, token, new):
    assert _code(NewAgent(hosts=("848611d4", "848611d5")).enrol(client, token)) == (401, "join_token")
    assert new.enrol(client, token).status_code == 202


def test_a_token_is_not_kept_and_lives_a_quarter_of_an_hour(token):
    row = JoinToken.objects.get()
    assert token not in json.dumps([row.sha256, row.hosts])
    assert row.expires_at - row.created_at == LIFE == timedelta(minutes=15)


def test_ten_wrong_tokens_from_one_address_are_an_alarm_and_the_last_that_are_looked_at(client, token, new):
    for _ in range(MAX_GUESSES):
        assert _code(NewAgent().enrol(client, "kzj_" + "A" * 43)) == (401, "join_token")
    refused = new.enrol(client, token)
    assert _code(refused) == (429, "join_token_guessing")
    assert 0 < int(refused["Retry-After"]) <= 901
    assert _types().count("join-token.guessing") == 1
    elsewhere = client.post(
        "/api/agent/v1/enrol", new.said(token), content_type="application/json", REMOTE_ADDR="192.0.2.9"
    )
    assert elsewhere.status_code == 202


def test_guesses_of_a_quarter_of_an_hour_ago_do_not_count(client, token, new, time_machine):
    for _ in range(MAX_GUESSES - 1):
        NewAgent().enrol(client, "kzj_" + "A" * 43)
    time_machine.move_to(timezone.now() + timedelta(minutes=16))
    assert _code(NewAgent().enrol(client, "kzj_" + "A" * 43)) == (401, "join_token")
    assert _types().count("join-token.guessing") == 0


def test_a_token_is_made_by_an_administrator_for_hosts_without_a_live_agent(ines, olga):
    with pytest.raises(NotAllowed):
        make_join_token([GLOBAL2], actor=olga)
    trust_agent(uuid=uuid4(), key_hex=NewAgent().key_hex, name="east", hosts=[GLOBAL2])
    with pytest.raises(AgentExists):
        make_join_token([GLOBAL2], actor=ines)
    for hosts, code in (([], "hosts"), ([GLOBAL2, GLOBAL2], "hosts"), ([HostName("0x1")], "hostid")):
        with pytest.raises(InvalidInput) as refused:
            make_join_token(hosts, actor=ines)
        assert refused.value.stable_code == code
    assert JoinToken.objects.count() == 0


# --- agents and keys that are there already ---


def test_the_host_of_a_live_agent_is_enrolled_again_only_after_that_one_is_revoked(client, ines, token, new):
    other = trust_agent(uuid=uuid4(), key_hex=NewAgent().key_hex, name="east", hosts=[GLOBAL2])
    assert _code(new.enrol(client, token)) == (409, "agent_exists")
    revoke_agent(other.pk, actor=ines, reason="It is replaced.")
    assert new.enrol(client, token).status_code == 202
    assert confirm_agent(new.uuid, actor=ines, words=new.words).hosts.count() == 1


def test_of_two_pending_agents_for_a_host_one_is_confirmed(client, ines, new):
    second = NewAgent()
    for agent in (new, second):
        agent.enrol(client, make_join_token([GLOBAL2], actor=ines)[1])
    confirm_agent(new.uuid, actor=ines, words=new.words)
    with pytest.raises(AgentExists):
        confirm_agent(second.uuid, actor=ines, words=second.words)
    assert Agent.objects.get(pk=second.uuid).state == "pending"


def test_a_key_is_one_agents_own(client, ines, token, new):
    new.enrol(client, token)
    more = make_join_token([HostName("848611d5")], actor=ines)[1]
    same_key = NewAgent(hosts=("848611d5",), key=new.key)
    same_sealing_key = NewAgent(hosts=("848611d5",), sealing_key=new.sealing_key)
    same_uuid = NewAgent(hosts=("848611d5",), uuid=new.uuid)
    assert _code(same_key.enrol(client, more)) == (409, "key_in_use")
    assert _code(same_sealing_key.enrol(client, more)) == (409, "key_in_use")
    assert _code(same_uuid.enrol(client, more)) == (409, "agent_exists")


# --- statements that prove nothing ---


@pytest.mark.parametrize("key", ["00" * 32, "01" + "00" * 31, "ff" * 32, "ED" + "ff" * 30 + "7f", "", "zz"])
def test_an_identity_key_that_proves_nothing_is_refused(client, token, new, key):
    assert _code(new.enrol(client, token, public_key=key)) == (400, "malformed_request")


@pytest.mark.parametrize(
    "raw",
    [
        bytes(32),
        b"\x01" + bytes(31),
        bytes.fromhex("e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800"),
        bytes.fromhex("5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157"),
        bytes.fromhex("ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"),
        bytes.fromhex("edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"),
        bytes.fromhex("eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"),
        b"\xff" * 32,
        b"\x09" * 31,
    ],
)
def test_a_sealing_key_of_small_order_or_another_form_is_refused(client, token, new, raw):
    said = new.said(token) | {"sealing": state(SealingKey(1, new.uuid, raw.hex()), new.key)}
    answer = client.post("/api/agent/v1/enrol", said, content_type="application/json")
    assert _code(answer) == (400, "malformed_request")
    assert Agent.objects.count() == 0


def test_statements_signed_by_others_are_refused(client, ines, token, new):
    other = NewAgent(uuid=new.uuid)
    mixed = new.said(token) | {"sealing": other.said(token)["sealing"]}
    assert _code(client.post("/api/agent/v1/enrol", mixed, content_type="application/json"))[0] == 400
    foreign = new.said(token, public_key=other.key_hex)
    assert _code(client.post("/api/agent/v1/enrol", foreign, content_type="application/json"))[0] == 400
    new.enrol(client, token)
    assert _code(other.ask(client)) == (400, "malformed_request")
    assert NewAgent().ask(client).status_code == 404


@pytest.mark.parametrize(
    "body", [b"", b"{}", b"[]", b'{"token": 1, "enrolment": "", "sealing": ""}', b"\xff", b'{"token":"a","token":"b"}']
)
def test_a_body_of_another_form_is_refused(client, body):
    answer = client.post("/api/agent/v1/enrol", body, content_type="application/json")
    assert _code(answer) == (400, "malformed_request")
    assert answer["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize(("before", "move"), sorted(set(product(State, Move)) - set(NEXT)))
def test_every_move_not_listed_is_refused(before, move):
    with pytest.raises(TransitionRefused):
        next_state(before, move)


def test_each_delivery_has_a_new_broker_password_of_which_the_site_keeps_a_hash(client, ines, token, new, settings):
    settings.BROKER_USERS_FILE, settings.AGENT_BROKER_URL = "/nowhere/users.acl", "rediss://broker.example:6380/0"
    note_authority_key(raw_public_key(Ed25519PrivateKey.generate()).hex())
    new.enrol(client, token)
    confirm_agent(new.uuid, actor=ines, words=new.words)
    first, second = (new.opened(new.ask(client).json()["delivery"]).broker for _ in range(2))
    assert first.startswith(f"rediss://agent-{new.uuid}:")
    assert first.endswith("@broker.example:6380/0")
    password = second.partition("@")[0].rpartition(":")[2]
    assert first != second
    assert Agent.objects.get().broker_password_sha256 == hashlib.sha256(password.encode()).hexdigest()
    assert not any(password in json.dumps(event.record) for event in Event.objects.all())
