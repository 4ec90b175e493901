"""The cast, and what a test needs to be one of them.

Olga operates and asks, Adam and Ada approve, Vera views, Ivo has an account and no rights, Ines administers.
Fixtures call services. Django is imported inside them: the pure tests of `kernelzone` stay quick.
"""

# ruff: noqa: PLC0415

from __future__ import annotations

import base64
import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest

PASSWORD = "violet-harbour-73"


@pytest.fixture(scope="session", autouse=True)
def test_settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Quick passwords and a key for second factors; nothing else differs from the product."""
    from django.test import override_settings

    key_file = tmp_path_factory.mktemp("keys") / "totp.key"
    key_file.write_text(base64.urlsafe_b64encode(os.urandom(32)).decode())
    with override_settings(
        PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"], TOTP_KEY_FILE=str(key_file)
    ):
        yield


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """After a transactional test: drop the history's triggers, empty the tables, restore what migrations put in,
    and make the triggers again from the same list of statements.
    """
    from django.apps import apps
    from django.core import serializers
    from django.core.management import call_command
    from django.db import connection, transaction
    from django.test import TransactionTestCase

    from apps.history import triggers

    with django_db_blocker.unblock():
        tables = set(connection.introspection.table_names())
        models = [model for model in apps.get_models() if model._meta.db_table in tables]
        rows = serializers.serialize("python", [row for model in models for row in model._base_manager.all()])

    def teardown(self: Any) -> None:
        triggers.run(connection, triggers.drop_statements(connection.vendor))
        call_command("flush", verbosity=0, interactive=False, inhibit_post_migrate=True)
        with transaction.atomic():
            for row in serializers.deserialize("python", rows):
                row.save()
        triggers.run(connection, triggers.create_statements(connection.vendor))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TransactionTestCase, "_fixture_teardown", teardown)
        yield


@pytest.fixture(autouse=True)
def skip_postgres_elsewhere(request: pytest.FixtureRequest) -> None:
    """Skip what is marked `postgres` on any other database: there are no row locks to test."""
    if request.node.get_closest_marker("postgres"):
        from django.db import connection

        if connection.vendor != "postgresql":
            pytest.skip("needs PostgreSQL: DATABASE_URL=postgres://…")


@pytest.fixture
def make_person(db: None) -> Callable[..., Any]:
    """Return a function (name, *roles, person_id=None, totp=False) that makes an account through the services."""
    from django.core.cache import cache

    from apps.accounts.second_factor import enrol_totp
    from apps.accounts.services import add_person

    cache.clear()  # rate limits of another test's sign-ins

    def make(name: str, *roles: str, person_id: Any = None, totp: bool = False) -> Any:
        user = add_person(name, password=PASSWORD, roles=list(roles), person_id=person_id)
        if totp:
            enrol_totp(user)
        return user

    return make


@pytest.fixture
def olga(make_person: Callable[..., Any]) -> Any:
    """An operator: she asks."""
    return make_person("olga", "operator")


@pytest.fixture
def adam(make_person: Callable[..., Any]) -> Any:
    """An approver with a second factor."""
    return make_person("adam", "approver", totp=True)


@pytest.fixture
def ada(make_person: Callable[..., Any]) -> Any:
    """The other approver with a second factor."""
    return make_person("ada", "approver", totp=True)


@pytest.fixture
def vera(make_person: Callable[..., Any]) -> Any:
    """A viewer."""
    return make_person("vera", "viewer")


@pytest.fixture
def ivo(make_person: Callable[..., Any]) -> Any:
    """An account without a role."""
    return make_person("ivo")


@pytest.fixture
def ines(make_person: Callable[..., Any]) -> Any:
    """An administrator."""
    return make_person("ines", "administrator")


@pytest.fixture
def client_of() -> Callable[..., Any]:
    """Return a function (user, **token) that gives an API client with a personal token of this user."""
    from rest_framework.test import APIClient

    from apps.accounts.tokens import create_token

    def client(user: Any, **token: Any) -> Any:
        _, text = create_token(user, name="of a test", **token)
        return APIClient(headers={"Authorization": f"Bearer {text}"})

    return client


@pytest.fixture
def browser_client() -> Callable[[Any], Any]:
    """Return a function (user) that gives a browser's client, signed in."""
    from django.test import Client

    def client(user: Any) -> Any:
        browser = Client()
        browser.force_login(user, backend="allauth.account.auth_backends.AuthenticationBackend")
        return browser

    return client


@pytest.fixture
def totp_code() -> Callable[[Any], str]:
    """Return a function (user) that gives a code which is accepted now, and differs from the ones used."""
    from apps.accounts.second_factor import next_code

    return next_code
