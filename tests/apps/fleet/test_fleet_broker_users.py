"""The broker's users: passwords are said once, and the file holds those who are trusted now."""

from __future__ import annotations

import hashlib
import stat
from io import StringIO
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.core.management import CommandError, call_command
from django.db import transaction

from apps.fleet import tasks
from apps.fleet.agents import revoke_agent
from apps.fleet.broker_file import write_broker_users
from apps.fleet.broker_users import hashed, new_broker_password, user_name
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


def users_in(path: Path) -> list[str]:
    return [line.split()[1] for line in path.read_text().splitlines()]


def test_the_file_holds_the_agents_that_are_trusted_now_and_have_a_password(tmp_path: Path):
    path, (with_one, revoked, without) = tmp_path / "users.acl", (trusted("a"), trusted("b"), trusted("c"))
    password_of(with_one)
    password_of(revoked)
    assert without.broker_password_sha256 == ""

    assert write_broker_users(path) == (2, True, None)
    revoke_agent(revoked.pk)
    assert write_broker_users(path) == (1, True, None)

    assert users_in(path) == ["default", user_name(with_one)]
    assert "default off" in path.read_text()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_the_same_agents_give_the_same_file_and_it_is_not_written_again(tmp_path: Path):
    path = tmp_path / "users.acl"
    for name in "abc":
        password_of(trusted(name))
    write_broker_users(path)
    before = (path.read_bytes(), path.stat().st_ino)

    assert not write_broker_users(path).is_changed
    assert (path.read_bytes(), path.stat().st_ino) == before


def test_what_an_administrator_wrote_into_the_file_stays_and_what_looks_like_ours_goes(tmp_path: Path):
    path = tmp_path / "users.acl"
    ours = [
        f"user agent-{uuid4()} on nopass ~* +@all",
        "user default on nopass ~* +@all",
        "user kzfleet-evil on nopass",
    ]
    path.write_text("\n".join(["user monitoring on >word +info", "", *ours]) + "\n")
    path.chmod(0o666)

    write_broker_users(path)

    assert path.read_text() == "user default off\nuser monitoring on >word +info\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o640 & 0o666 | 0o600


def test_no_word_of_an_administrator_keeps_a_revoked_agent_among_the_users(tmp_path: Path):
    path, theirs = tmp_path / "users.acl", "user überwachung on >wort +info\n".encode("latin-1")
    path.write_bytes(theirs)
    agent = trusted()
    password_of(agent)
    write_broker_users(path)
    assert user_name(agent).encode() in path.read_bytes()

    revoke_agent(agent.pk)
    write_broker_users(path)
    assert path.read_bytes() == b"user default off\n" + theirs


def test_a_broker_that_is_away_is_told_at_the_next_try(tmp_path: Path, settings):
    settings.BROKER_ACCESS_URL = f"unix://kzfleet-access:word@{tmp_path}/nobody"
    path = tmp_path / "users.acl"

    assert write_broker_users(path) == (0, True, False)
    assert write_broker_users(path) == (0, False, False), "an unchanged file that was never loaded is tried again"


def test_the_sites_own_users_get_files_with_their_urls_and_keep_their_passwords(tmp_path: Path, settings):
    path, folder, output = tmp_path / "users.acl", tmp_path / "secrets", StringIO()
    words = ["broker_users", "--file", str(path), "--new-site-users", str(folder), "--url", "rediss://redis:6379/0"]

    call_command(*words, stdout=output)
    first = path.read_text()
    password_of(trusted())
    call_command("broker_users", "--file", str(path), stdout=output)

    assert set(first.splitlines()) < set(path.read_text().splitlines()), "the site's own lines are as they were"
    urls = {file.name: urlsplit(file.read_text().strip()) for file in folder.iterdir()}
    assert {name: (url.username, url.hostname) for name, url in urls.items()} == {
        "broker_url_access": ("kzfleet-access", "redis"),
        "broker_url_control": ("kzfleet-control", "redis"),
        "broker_url_web": ("kzfleet-web", "redis"),
    }
    assert all(f"#{hashed(str(url.password))} " in first for url in urls.values())
    assert not any(str(url.password) in output.getvalue() + first for url in urls.values())
    assert {stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()} == {0o600}
    with pytest.raises(CommandError, match="there already"):
        call_command(*words)


def test_an_agents_url_is_written_once_into_a_file_of_its_own(tmp_path: Path, settings):
    settings.AGENT_BROKER_URL = "rediss://redis:6379/0"
    agent, file, output = trusted(), tmp_path / "broker_url", StringIO()

    call_command("broker_password", str(agent.pk), str(file), stdout=output)

    agent.refresh_from_db()
    url = urlsplit(file.read_text().strip())
    assert (url.username, hashed(str(url.password))) == (user_name(agent), agent.broker_password_sha256)
    assert str(url.password) not in output.getvalue()
    with pytest.raises(CommandError, match="there already"):
        call_command("broker_password", str(agent.pk), str(file))
    revoke_agent(agent.pk)
    with pytest.raises(CommandError, match="no such thing"):
        call_command("broker_password", str(agent.pk), str(tmp_path / "another"))


@pytest.mark.parametrize("words", [["broker_users"], ["broker_users", "--file", "/dev/null/users.acl"]])
def test_without_a_file_that_can_be_written_the_command_says_so(words: list[str]):
    with pytest.raises(CommandError, match=r"no file is named|/dev/null"):
        call_command(*words)


def test_the_reconciler_writes_the_file_that_the_settings_name_and_else_nothing(tmp_path: Path, settings):
    assert tasks.write_broker_users() == 0
    settings.BROKER_USERS_FILE = str(tmp_path / "users.acl")
    password_of(trusted())

    assert tasks.write_broker_users() == 1
    assert tasks.write_broker_users() == 1
