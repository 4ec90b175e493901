"""Signing in with a browser: name and password, then the code if the account has a second factor."""

from __future__ import annotations

import pytest
from allauth.mfa.models import Authenticator
from django.test import Client

from apps.accounts.models import User
from apps.accounts.second_factor import next_code, verify_totp
from apps.history.models import Event

PASSWORD = "violet-harbour-73"


def sign_in(name: str, password: str = PASSWORD) -> tuple[Client, object]:
    browser = Client(enforce_csrf_checks=True)
    page = browser.get("/accounts/login/")
    assert page.status_code == 200
    token = browser.cookies["kzfleet_csrf"].value
    form = {"login": name, "password": password, "csrfmiddlewaretoken": token}
    return browser, browser.post("/accounts/login/", form)


def send_code(browser: Client, code: str) -> object:
    token = browser.cookies["kzfleet_csrf"].value
    return browser.post("/accounts/2fa/authenticate/", {"code": code, "csrfmiddlewaretoken": token})


@pytest.mark.django_db
def test_name_and_password_sign_in_an_account_without_a_second_factor(olga):
    browser, answer = sign_in("olga")
    assert (answer.status_code, answer["Location"]) == (302, "/")
    assert browser.session["_auth_user_id"] == str(olga.pk)


@pytest.mark.django_db
def test_a_wrong_password_says_so_and_signs_nobody_in(olga):
    browser, answer = sign_in("olga", "wrong")
    assert answer.status_code == 200
    assert b"password you specified are not correct" in answer.content
    assert "_auth_user_id" not in browser.session


@pytest.mark.django_db
def test_an_approver_needs_the_code_too_and_it_is_then_used_up(adam):
    browser, answer = sign_in("adam")
    assert answer["Location"] == "/accounts/2fa/authenticate/"
    assert "_auth_user_id" not in browser.session
    assert browser.get(answer["Location"]).status_code == 200
    answer = send_code(browser, "000000")
    assert answer.status_code == 200
    assert b"the code is not right" in answer.content
    assert adam.second_factor_guard.wrong_guesses == 1
    code = next_code(adam)
    answer = send_code(browser, code)
    assert (answer.status_code, answer["Location"]) == (302, "/")
    with pytest.raises(Exception, match="used already"):
        verify_totp(adam, code)


@pytest.mark.django_db
def test_nobody_signs_up(db):
    assert Client().get("/accounts/signup/").status_code == 404
    assert Client().post("/accounts/signup/", {"username": "eve", "password1": PASSWORD}).status_code == 404
    assert not User.objects.exists()


@pytest.mark.django_db
def test_the_sixth_wrong_password_is_not_even_looked_at(olga):
    for _ in range(5):
        sign_in("olga", "wrong")
    browser, answer = sign_in("olga")
    assert b"Too many failed login attempts" in answer.content
    assert "_auth_user_id" not in browser.session


@pytest.mark.django_db
def test_nobody_adds_or_takes_off_a_second_factor_alone(olga, adam, browser_client):
    browser = browser_client(olga)
    browser.get("/accounts/2fa/totp/activate/")
    browser.post("/accounts/2fa/totp/activate/", {"code": "123456"})
    browser_client(adam).post("/accounts/2fa/totp/deactivate/")
    assert Authenticator.objects.filter(user=adam).exists()
    assert not Authenticator.objects.filter(user=olga).exists()


@pytest.mark.django_db
def test_a_changed_password_is_an_event(olga, browser_client):
    new = "another-harbour-74"
    form = {"oldpassword": PASSWORD, "password1": new, "password2": new}
    browser_client(olga).post("/accounts/password/change/", form)
    olga.refresh_from_db()
    assert olga.check_password(new)
    assert Event.objects.last().type == "person.set-password"
    assert Event.objects.last().actor_name == "olga"
