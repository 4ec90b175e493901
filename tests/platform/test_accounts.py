"""The accounts of a first `make run`."""

import stat
from pathlib import Path

import pytest
from django.contrib.auth import authenticate

from apps.accounts.models import User
from apps.accounts.policy import Role
from apps.accounts.second_factor import has_second_factor
from apps.accounts.selectors import roles_of
from kzfleet.up import preparation
from kzfleet.up.accounts import NO_SECRET, accounts_file, demonstration_accounts

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def var(tmp_path: Path, settings: object) -> Path:
    preparation.make_writable(tmp_path)
    preparation.make_keys(tmp_path)
    settings.TOTP_KEY_FILE = str(tmp_path / "keys" / "totp.key")  # type: ignore[attr-defined]
    return tmp_path


def test_the_first_start_makes_an_account_of_every_role_and_two_approvers_with_a_second_factor(var: Path) -> None:
    accounts = demonstration_accounts(var)

    assert {account.role for account in accounts} == set(Role.values)
    approvers = [account for account in accounts if account.role == Role.APPROVER]
    assert len(approvers) == 2
    for account in accounts:
        user = authenticate(username=account.name, password=account.password)
        assert user is not None
        assert set(roles_of(user)) == {account.role}
        assert has_second_factor(user) is (account in approvers)
        assert (account.secret != NO_SECRET) is (account in approvers)
    assert stat.S_IMODE(accounts_file(var).stat().st_mode) == 0o600


def test_a_later_start_says_the_same_and_makes_nothing(var: Path) -> None:
    first = demonstration_accounts(var)
    count = User.objects.count()

    assert demonstration_accounts(var) == first
    assert User.objects.count() == count


def test_an_account_whose_line_was_lost_gets_a_new_password(var: Path) -> None:
    first = {account.name: account for account in demonstration_accounts(var)}
    lines = accounts_file(var).read_text().splitlines(keepends=True)
    accounts_file(var).write_text("".join(line for line in lines if not line.startswith("olga ")))

    again = {account.name: account for account in demonstration_accounts(var)}

    assert again["olga"].password != first["olga"].password
    assert authenticate(username="olga", password=again["olga"].password) is not None
    assert again["adam"] == first["adam"]
