"""Tokens: shown once, narrow, mortal, and never an approver of their own."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from apps.accounts.errors import TokenScope
from apps.accounts.models import ApiToken
from apps.accounts.selectors import has_permission, require
from apps.accounts.tokens import create_token, revoke_token, user_of_token
from apps.base.errors import InvalidInput, NotAllowed, NotFound
from apps.history.models import Event


@pytest.mark.django_db
def test_a_token_opens_what_its_person_may_and_only_its_digest_is_kept(olga):
    token, text = create_token(olga, name="laptop", by=olga)
    user = user_of_token(text)
    assert (user, user.token) == (olga, token)
    assert has_permission(user, "zones.run")
    assert (text[:4], len(text)) == ("kzf_", 47)
    assert token.sha256 == hashlib.sha256(text.encode()).hexdigest()
    stored = str(ApiToken.objects.values().get()) + str([bytes(event.body) for event in Event.objects.all()])
    assert text not in stored
    assert Event.objects.last().record["data"] == {"name": "laptop", "kind": "personal", "scopes": ["*"]}


@pytest.mark.django_db
def test_a_token_that_is_wrong_over_revoked_or_of_an_inactive_account_opens_nothing(olga, time_machine):
    time_machine.move_to("2026-11-23T06:00:00Z", tick=False)
    assert user_of_token("kzf_" + "A" * 43) is None
    assert user_of_token("\ud800") is None
    token, text = create_token(olga, name="x", life=timedelta(days=1))
    time_machine.move_to("2026-11-24T05:59:59Z", tick=False)
    assert user_of_token(text)
    time_machine.move_to("2026-11-24T06:00:00Z", tick=False)
    assert user_of_token(text) is None
    _, text = create_token(olga, name="y")
    olga.is_active = False
    olga.save(update_fields=["is_active"])
    assert user_of_token(text) is None
    olga.is_active = True
    olga.save(update_fields=["is_active"])
    token = user_of_token(text).token
    assert revoke_token(token.pk, actor=olga).revoked_at
    assert user_of_token(text) is None
    assert Event.objects.last().type == "token.revoke"


@pytest.mark.django_db
def test_a_token_may_no_more_than_its_scopes(olga):
    _, text = create_token(olga, name="narrow", scopes=["zones.view", "forced_actions.approve"])
    user = user_of_token(text)
    assert has_permission(user, "zones.view")
    assert not has_permission(user, "zones.run")
    assert not has_permission(user, "forced_actions.approve"), "a scope gives nothing the person has not"
    with pytest.raises(TokenScope):
        require(user, "zones.run")


@pytest.mark.django_db
def test_a_service_token_never_approves_and_makes_no_token(adam, ines):
    _, text = create_token(adam, name="bot", kind="service", by=ines)
    service = user_of_token(text)
    assert has_permission(service, "forced_actions.view")
    assert not has_permission(service, "forced_actions.approve")
    with pytest.raises(TokenScope):
        require(service, "forced_actions.approve")
    with pytest.raises(TokenScope):
        create_token(adam, name="child", by=service)


@pytest.mark.django_db
def test_a_narrow_token_makes_no_wider_one(olga):
    _, text = create_token(olga, name="narrow", scopes=["zones.view", "tokens.manage_own"])
    narrow = user_of_token(text)
    with pytest.raises(TokenScope):
        create_token(olga, name="wide", by=narrow)
    child, _ = create_token(olga, name="as narrow", scopes=["zones.view"], by=narrow)
    assert child.scopes == ["zones.view"]


@pytest.mark.django_db
def test_nobody_makes_a_personal_token_of_another(olga, vera, ines):
    with pytest.raises(NotAllowed):
        create_token(vera, name="x", by=olga)
    with pytest.raises(InvalidInput) as refusal:
        create_token(vera, name="x", by=ines)
    assert refusal.value.stable_code == "token_kind"
    assert not ApiToken.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"name": " "}, "token_name_empty"),
        ({"name": "a\0b"}, "token_name_control"),
        ({"scopes": []}, "token_scope_unknown"),
        ({"scopes": ["zones.everything"]}, "token_scope_unknown"),
        ({"life": timedelta(days=366)}, "token_life"),
        ({"life": timedelta(0)}, "token_life"),
        ({"kind": "royal"}, "token_kind"),
    ],
    ids=repr,
)
def test_a_bad_token_is_refused(olga, changes, code):
    with pytest.raises(InvalidInput) as refusal:
        create_token(olga, **{"name": "good", **changes})
    assert refusal.value.stable_code == code
    assert not ApiToken.objects.exists()


@pytest.mark.django_db
def test_anothers_token_is_not_found_and_an_administrator_revokes_it(olga, vera, ines):
    token, _ = create_token(olga, name="x")
    with pytest.raises(NotFound):
        revoke_token(token.pk, actor=vera)
    assert revoke_token(token.pk, actor=ines).revoked_at


@pytest.mark.django_db
def test_use_is_noted_about_once_a_minute(olga, time_machine, django_assert_num_queries):
    time_machine.move_to("2026-11-23T06:00:00Z", tick=False)
    token, text = create_token(olga, name="x")
    with django_assert_num_queries(2):
        user_of_token(text)
    with django_assert_num_queries(1):
        user_of_token(text)
    token.refresh_from_db()
    assert token.last_used_at == timezone.now()


@pytest.mark.django_db
def test_the_console_adds_people_and_makes_tokens(monkeypatch, settings, tmp_path):
    monkeypatch.setattr("sys.stdin", StringIO("violet-harbour-73\n"))
    out = StringIO()
    call_command("person", "add", "adam", "--role", "approver", "--password-stdin", "--totp", stdout=out)
    added, uri = out.getvalue().splitlines()
    assert added == "added adam (approver)"
    assert uri.startswith("otpauth://totp/kzfleet%3Aadam?secret=")
    out = StringIO()
    call_command("create_token", "adam", "--scope", "zones.view", "--days", "7", stdout=out)
    assert user_of_token(out.getvalue().strip()).token.scopes == ["zones.view"]
    out = StringIO()
    call_command("person", "list", stdout=out)
    assert out.getvalue() == "adam: approver\n"
    with pytest.raises(CommandError, match="no account 'nobody'"):
        call_command("create_token", "nobody")
    with pytest.raises(CommandError, match="only the demonstration"):
        call_command("totp", "adam")
    settings.DEMONSTRATION = True
    settings.VAR_DIR = tmp_path
    (tmp_path / "accounts.txt").write_text("# name role\nolga operator x -\n")
    with pytest.raises(CommandError, match="'adam' is no account of the demonstration"):
        call_command("totp", "adam")
    (tmp_path / "accounts.txt").write_text("# name role\nadam approver x SECRET\n")
    out = StringIO()
    call_command("totp", "adam", stdout=out)
    assert len(out.getvalue().strip()) == 6
