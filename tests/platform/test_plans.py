"""What the processes of `make run` are given, and what the demonstration's agents are told of the broker."""

from __future__ import annotations

from pathlib import Path
from uuid import uuid4

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from apps.fleet.broker_users import agent_broker_url
from apps.fleet.services import trust_agent
from apps.history.models import Event
from kernelzone.envelope import raw_public_key
from kzagent import identity
from kzfleet.places import without_credentials
from kzfleet.up import demonstration
from kzfleet.up.plans import site_plans


def test_every_process_gets_what_was_given_as_a_file_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BROKER_URL_FILE", "/etc/kzfleet/broker_url_control")
    monkeypatch.setenv("DATABASE_URL", "postgres:///kzfleet")

    for plan in site_plans(tmp_path, port=8000, extra={}):
        assert plan.env["BROKER_URL_FILE"] == "/etc/kzfleet/broker_url_control"
        assert plan.env["DATABASE_URL"] == "postgres:///kzfleet"


@pytest.mark.parametrize(
    ("url", "bare"),
    [
        ("redis://user:word@host:6379/0", "redis://host:6379/0"),
        ("redis+socket:///var/run/s", "redis+socket:///var/run/s"),
        ("redis+socket://user:word@/var/run/s", "redis+socket:///var/run/s"),
        ("rediss://:word@host/0?ssl_ca_certs=/a@b", "rediss://host/0?ssl_ca_certs=/a@b"),
    ],
)
def test_an_address_is_told_without_its_credentials(url: str, bare: str) -> None:
    assert without_credentials(url) == bare


@pytest.mark.django_db
def test_an_agent_of_the_demonstration_gets_a_user_of_its_own_once(tmp_path: Path, settings) -> None:
    settings.AGENT_BROKER_URL = "redis://broker:6379/0"
    made = identity.new_settings(
        deployment=uuid4(),
        url="http://127.0.0.1:1",
        broker=settings.AGENT_BROKER_URL,
        authority_keys=[raw_public_key(Ed25519PrivateKey.generate()).hex()],
        hosts=[str(tmp_path)],
        name="east",
    )
    key = raw_public_key(identity.create(tmp_path / "agent", made)).hex()
    agent = trust_agent(uuid=made.agent, key_hex=key, name="east")
    assert demonstration._broker_url(made) == settings.BROKER_URL, "where the site writes no users all share one"

    settings.BROKER_USERS_FILE = str(tmp_path / "users.acl")
    url = demonstration._broker_url(made)
    again = identity.replace_settings(tmp_path / "agent", broker=url)

    assert url.startswith(f"redis://agent-{agent.pk}:")
    assert demonstration._broker_url(again) == url
    assert Event.objects.filter(type="agent.new-broker-password").count() == 1
    other = identity.replace_settings(tmp_path / "agent", broker=agent_broker_url(agent, "guessed"))
    assert demonstration._broker_url(other) != url
