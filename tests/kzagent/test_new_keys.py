"""New keys at the agent: of the authority, one following the other, and its own, taken up while it runs."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from agent_lab import Deployment
from agent_site import Authority
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from kernelzone.enrolment import NewAuthorityKey, state
from kernelzone.envelope import EnvelopeError, raw_public_key, verify
from kernelzone.orders import REPORT_TYPE, Kind
from kzagent import identity
from kzagent.errors import SetupError
from kzagent.execution import execute
from kzagent.identity_key import NEW_KEY_NAME, OLD_KEY_NAME, IdentityKey


def _followed(old: Authority, **changes: object) -> tuple[Authority, str]:
    """Return an authority with a new key, and the statement of the old one about it."""
    new = Authority()
    new.deployment = old.deployment
    values = {"v": 1, "deployment": old.deployment, "old_key": old.public_hex, "new_key": new.public_hex, "at": 1}
    return new, state(NewAuthorityKey(**values | changes), old.key)  # type: ignore[arg-type]


def test_orders_of_a_new_authority_key_are_believed_once_the_old_one_named_it(deployment: Deployment) -> None:
    new, statement = _followed(deployment.authority)
    order = deployment.order(Kind.INSPECT)
    deployment.run(new.sign(order))
    assert deployment.agent.dropped["SIGNATURE"] == 1

    deployment.site.statements = [statement]
    deployment.agent.link.ask()
    deployment.run(new.sign(order))

    assert deployment.result(order) == ("done", "DONE")
    keys = identity.load_settings(deployment.directory).authority_keys
    assert keys == (new.public_hex, deployment.authority.public_hex)
    old = deployment.order(Kind.INSPECT)
    deployment.run(old)
    assert deployment.result(old) == ("done", "DONE")


def test_a_third_key_ends_the_first_and_an_agent_that_was_away_follows_through_both(deployment: Deployment) -> None:
    second, first_says = _followed(deployment.authority)
    third, second_says = _followed(second)
    deployment.site.statements = [first_says, second_says]
    deployment.agent.link.ask()
    assert identity.load_settings(deployment.directory).authority_keys == (third.public_hex, second.public_hex)
    order = deployment.order(Kind.INSPECT)
    deployment.run(order)
    assert deployment.site.about(order.order) == []


def test_a_key_that_was_replaced_names_no_other(deployment: Deployment) -> None:
    _, statement = _followed(deployment.authority)
    _, fork = _followed(deployment.authority)
    deployment.agent.authority.keys.hear([statement])
    held = deployment.agent.authority.keys.raw()
    deployment.agent.authority.keys.hear([fork, statement])
    assert deployment.agent.authority.keys.raw() == held


@pytest.mark.parametrize("wrong", ["signer", "deployment", "old_key", "weak", "text"])
def test_a_statement_that_does_not_follow_is_passed_over(deployment: Deployment, wrong: str) -> None:
    authority, stranger = deployment.authority, Authority()
    changes = {
        "deployment": {"deployment": deployment.uuid},
        "old_key": {"old_key": stranger.public_hex},
        "weak": {"new_key": "00" * 32},
    }
    _, statement = _followed(stranger if wrong == "signer" else authority, **changes.get(wrong, {}))
    before = deployment.agent.authority.keys.raw()
    deployment.agent.authority.keys.hear(["{}" if wrong == "text" else statement])
    assert deployment.agent.authority.keys.raw() == before


@pytest.fixture
def key_directory(tmp_path: Path) -> Path:
    _write(tmp_path / identity.KEY_NAME)
    return tmp_path


def _write(path: Path) -> bytes:
    key = Ed25519PrivateKey.generate()
    path.unlink(missing_ok=True)
    identity.write_private(path, key.private_bytes_raw().hex().encode())
    return raw_public_key(key)


def _rotated(directory: Path) -> bytes:
    """Put a new key in place, as `kzagent rotate` does; return its public half."""
    second = _write(directory / NEW_KEY_NAME)
    os.link(directory / identity.KEY_NAME, directory / OLD_KEY_NAME)
    os.replace(directory / NEW_KEY_NAME, directory / identity.KEY_NAME)
    return second


def test_a_running_agent_takes_its_new_key_up_and_knows_the_old_one(key_directory: Path) -> None:
    key = IdentityKey(key_directory)
    first = raw_public_key(key.current())
    second = _rotated(key_directory)
    assert raw_public_key(key.current()) == second
    assert key.public_keys() == [second, first]


def test_a_key_file_that_is_lost_or_spoilt_leaves_the_old_key(key_directory: Path) -> None:
    key = IdentityKey(key_directory)
    first = key.current()
    (key_directory / identity.KEY_NAME).unlink()
    assert key.current() is first
    identity.write_private(key_directory / identity.KEY_NAME, b"nonsense")
    assert key.current() is first
    with pytest.raises(SetupError):
        IdentityKey(key_directory)


def test_a_result_signed_before_the_rotation_is_said_again_in_a_new_epoch(deployment: Deployment) -> None:
    """The site has lost what it had confirmed, so the outbox is signed anew; it holds envelopes of the old key."""
    order = deployment.order(Kind.INSPECT)
    deployment.run(order)
    old = deployment.site.agent_key
    second = _rotated(deployment.directory)
    report = deployment.agent.journal.last_report(order.order)
    assert report is not None
    again = deployment.agent.reports.sign_again(report, "f" * 32, 1)
    assert verify(again, payload_type=REPORT_TYPE, keys=[second], max_payload_bytes=2**23).payload
    with pytest.raises(EnvelopeError):
        verify(again, payload_type=REPORT_TYPE, keys=[old], max_payload_bytes=2**23)


def test_what_waited_in_the_outbox_is_sent_under_the_new_key(deployment: Deployment) -> None:
    """The agent was out of reach for longer than the old key was believed."""
    order = deployment.order(Kind.INSPECT)
    execute(deployment.agent, deployment.authority.sign(order))
    assert deployment.site.about(order.order) == []

    deployment.site.agent_key = _rotated(deployment.directory)

    deployment.send()
    assert deployment.result(order) == ("done", "DONE")
