"""The broker's users: an agent's password is said once, and only its hash is kept."""

from __future__ import annotations

import hashlib
from uuid import uuid4

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.db import transaction

from apps.fleet.broker_users import new_broker_password
from apps.fleet.models import Agent
from apps.fleet.services import trust_agent
from apps.history.models import Event
from kernelzone.envelope import raw_public_key

pytestmark = pytest.mark.django_db


def trusted(name: str = "east") -> Agent:
    key = raw_public_key(Ed25519PrivateKey.generate()).hex()
    return trust_agent(uuid=uuid4(), key_hex=key, name=name)


def password_of(agent: Agent) -> str:
    with transaction.atomic(durable=True):
        return new_broker_password(Agent.objects.select_for_update(no_key=True).get(pk=agent.pk))


def test_only_the_hash_of_a_password_is_kept_and_the_history_does_not_tell_it():
    agent = trusted()
    password = password_of(agent)

    agent.refresh_from_db()
    assert agent.broker_password_sha256 == hashlib.sha256(password.encode()).hexdigest()
    event = Event.objects.order_by("seq").last()
    assert (event.type, password in str(event.record)) == ("agent.new-broker-password", False)


def test_a_new_password_takes_the_place_of_the_old_one():
    agent = trusted()
    first, second = password_of(agent), password_of(agent)

    agent.refresh_from_db()
    assert first != second
    assert agent.broker_password_sha256 == hashlib.sha256(second.encode()).hexdigest()
