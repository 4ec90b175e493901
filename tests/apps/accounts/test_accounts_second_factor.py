"""TOTP: each code once, few guesses, and the secret not in the database."""

from __future__ import annotations

import base64
import time
from threading import Barrier, Thread

import pytest
from allauth.mfa.models import Authenticator
from django.core.exceptions import ImproperlyConfigured
from django.db import connection, transaction

from apps.accounts.errors import (
    SecondFactorExists,
    SecondFactorLocked,
    SecondFactorNeeded,
    SecondFactorWrong,
)
from apps.accounts.models import SecondFactorGuard
from apps.accounts.second_factor import (
    GUESSES,
    STEP_S,
    _code,
    enrol_totp,
    guessing,
    next_code,
    otpauth_uri,
    verify_totp,
)
from apps.accounts.secret_box import seal, unseal
from apps.base.errors import NotAllowed
from apps.history.models import Event

NOW = 1_795_414_328  # 2026-11-23T06:12:08Z
RFC_SECRET = base64.b32encode(b"12345678901234567890").decode()


def code_at(user, offset_steps: int) -> str:
    secret = unseal(Authenticator.objects.get(user=user).data["secret"])
    return _code(secret, int(time.time()) // STEP_S + offset_steps)


def guess(user, code: str) -> None:
    """Try a code as a request does."""
    with guessing(user):
        verify_totp(user, code)


@pytest.fixture
def clock(time_machine):
    time_machine.move_to(NOW, tick=False)
    return time_machine


@pytest.mark.parametrize(
    ("seconds", "code"),
    [(59, "287082"), (1111111109, "081804"), (1234567890, "005924"), (2000000000, "279037")],
)
def test_codes_are_those_of_rfc_6238(seconds, code):
    assert _code(RFC_SECRET, seconds // STEP_S) == code


@pytest.mark.django_db
@pytest.mark.parametrize("offset", [-1, 0, 1])
def test_a_code_of_this_step_or_its_neighbours_is_accepted_once(adam, clock, offset):
    code = code_at(adam, offset)
    verify_totp(adam, f" {code[:3]} {code[3:]} ")
    with pytest.raises(SecondFactorWrong):
        verify_totp(adam, code)


@pytest.mark.django_db
@pytest.mark.parametrize("offset", [-2, 2, 20])
def test_a_code_of_another_time_is_refused(adam, clock, offset):
    with pytest.raises(SecondFactorWrong):
        verify_totp(adam, code_at(adam, offset))


@pytest.mark.django_db
def test_a_code_older_than_the_last_one_used_is_refused(adam, clock):
    old = code_at(adam, -1)
    verify_totp(adam, code_at(adam, 0))
    with pytest.raises(SecondFactorWrong):
        verify_totp(adam, old)


@pytest.mark.django_db
@pytest.mark.parametrize("code", ["000000x", "é", "1", "1234567", "\0"])
def test_what_is_no_code_is_refused(adam, clock, code):
    with pytest.raises(SecondFactorWrong):
        verify_totp(adam, code)


@pytest.mark.django_db
def test_no_code_and_no_second_factor_are_told_apart_from_a_wrong_code(adam, olga):
    with pytest.raises(SecondFactorNeeded):
        verify_totp(adam, "")
    with pytest.raises(SecondFactorNeeded):
        verify_totp(olga, "123456")


@pytest.mark.django_db
def test_another_persons_code_is_refused(adam, ada, clock):
    with pytest.raises(SecondFactorWrong):
        verify_totp(adam, code_at(ada, 0))


@pytest.mark.django_db
def test_the_fifth_wrong_guess_locks_for_the_rest_of_five_minutes(adam, clock):
    for _ in range(GUESSES):
        with pytest.raises(SecondFactorWrong):
            guess(adam, "000000")
    with pytest.raises(SecondFactorLocked) as refusal:
        guess(adam, code_at(adam, 0))
    assert 0 < refusal.value.facts["retry_after_s"] <= 301
    clock.move_to(NOW + 301, tick=False)
    guess(adam, code_at(adam, 0))
    assert SecondFactorGuard.objects.get(user=adam).wrong_guesses == 0


@pytest.mark.django_db(transaction=True)
def test_a_wrong_guess_in_an_act_is_counted_although_the_act_is_rolled_back(adam):
    with pytest.raises(SecondFactorWrong), guessing(adam), transaction.atomic():
        verify_totp(adam, "000000")
    assert SecondFactorGuard.objects.get(user=adam).wrong_guesses == 1


@pytest.mark.django_db(transaction=True)
def test_an_act_that_is_refused_for_another_reason_costs_no_guess(adam):
    with pytest.raises(NotAllowed), guessing(adam), transaction.atomic():
        raise NotAllowed()
    assert SecondFactorGuard.objects.get(user=adam).wrong_guesses == 0


@pytest.mark.django_db(transaction=True)
def test_a_code_is_not_used_up_by_an_act_that_was_rolled_back(adam):
    code = next_code(adam)
    with transaction.atomic():
        verify_totp(adam, code)
        transaction.set_rollback(True)
    verify_totp(adam, code)


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_one_code_sent_eight_times_at_once_is_accepted_once(adam):
    code, start, outcomes = next_code(adam), Barrier(8), []

    def act() -> None:
        start.wait()
        try:
            verify_totp(adam, code)
            outcomes.append("accepted")
        except SecondFactorWrong:
            outcomes.append("refused")
        connection.close()

    threads = [Thread(target=act) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["accepted"] + ["refused"] * 7


@pytest.mark.django_db
def test_the_secret_is_not_in_the_database_nor_in_the_history(ines, olga):
    secret = enrol_totp(olga, by=ines)
    stored = str(Authenticator.objects.get(user=olga).data)
    assert secret not in stored
    assert secret.encode() not in b"".join(bytes(event.body) for event in Event.objects.all())
    assert Event.objects.last().type == "second-factor.enrol"
    assert otpauth_uri(olga, secret) == f"otpauth://totp/kzfleet%3Aolga?secret={secret}&issuer=kzfleet"


@pytest.mark.django_db
def test_a_second_factor_is_enrolled_by_an_administrator_and_once(ines, olga, vera):
    with pytest.raises(NotAllowed):
        enrol_totp(vera, by=olga)
    enrol_totp(vera, by=ines)
    with pytest.raises(SecondFactorExists):
        enrol_totp(vera, by=ines)


def test_a_sealed_secret_needs_its_key_and_is_never_the_same_twice(settings, tmp_path):
    sealed = seal("JBSWY3DP")
    assert unseal(sealed) == "JBSWY3DP"
    assert sealed != seal("JBSWY3DP")
    other = tmp_path / "other.key"
    other.write_text(base64.urlsafe_b64encode(b"k" * 32).decode())
    settings.TOTP_KEY_FILE = str(other)
    with pytest.raises(ImproperlyConfigured, match="not the key that sealed"):
        unseal(sealed)
    settings.TOTP_KEY_FILE = str(tmp_path / "absent.key")
    with pytest.raises(ImproperlyConfigured, match="make_keys"):
        seal("x")
    other.write_text("c2hvcnQ=")
    settings.TOTP_KEY_FILE = str(other)
    with pytest.raises(ImproperlyConfigured, match="32 bytes"):
        seal("x")


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_of_many_wrong_codes_sent_at_once_five_are_looked_at(adam):
    start, outcomes = Barrier(12), []

    def act() -> None:
        start.wait()
        try:
            guess(adam, "000000")
        except (SecondFactorWrong, SecondFactorLocked) as refusal:
            outcomes.append(refusal.code)
        finally:
            connection.close()

    threads = [Thread(target=act) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(outcomes) == ["second_factor_locked"] * 7 + ["second_factor_wrong"] * GUESSES
