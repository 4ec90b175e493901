"""One account a role for a first look, made once, kept in a file of the person who ran `make run`.

The file `accounts.txt` (0600) has one line an account: name, role, password, TOTP secret or `-`.
"""

import os
import secrets
from pathlib import Path
from typing import NamedTuple

from apps.accounts.models import User
from apps.accounts.policy import Role
from apps.accounts.second_factor import enrol_totp, has_second_factor
from apps.accounts.services import add_person, set_password

# Two approvers: nobody approves alone.
CAST = (
    ("olga", Role.OPERATOR),
    ("adam", Role.APPROVER),
    ("ada", Role.APPROVER),
    ("vera", Role.VIEWER),
    ("kay", Role.KEY_CUSTODIAN),
    ("aude", Role.AUDITOR),
    ("ines", Role.ADMINISTRATOR),
)
NO_SECRET = "-"  # noqa: S105 - says that there is none
# Without those that look alike; 12 of them are 58 bits.
LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"
FILE_HEAD = "# name role password second-factor: made by `make run`, for this folder's database\n"


class Account(NamedTuple):
    """One line of the file."""

    name: str
    role: str
    password: str
    secret: str


def accounts_file(var: Path) -> Path:
    """Return where the accounts are kept."""
    return var / "accounts.txt"


def demonstration_accounts(var: Path) -> list[Account]:
    """Return the accounts, made now where they were missing."""
    known = {account.name: account for account in _read(accounts_file(var))}
    for name, role in CAST:
        user = User.objects.filter(username=name).first()
        if user is None or name not in known:
            known[name] = _make(name, role, user)
            _write(accounts_file(var), list(known.values()))
    return list(known.values())


def _make(name: str, role: Role, user: User | None) -> Account:
    """Return a new account, or one whose line was lost with a new password."""
    password = "-".join("".join(secrets.choice(LETTERS) for _ in range(4)) for _ in range(3))
    if user is None:
        user = add_person(name, password=password, roles=[role])
    else:
        set_password(user, password)
    needs_secret = role == Role.APPROVER and not has_second_factor(user)
    return Account(name, role.value, password, enrol_totp(user) if needs_secret else NO_SECRET)


def _read(path: Path) -> list[Account]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return []
    words = [line.split() for line in lines if not line.startswith("#")]
    return [Account(*fields) for fields in words if len(fields) == len(Account._fields)]


def _write(path: Path, accounts: list[Account]) -> None:
    partial = path.with_name(f".{path.name}.partial")
    partial.unlink(missing_ok=True)
    with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(FILE_HEAD + "".join(" ".join(account) + "\n" for account in accounts))
    partial.replace(path)
