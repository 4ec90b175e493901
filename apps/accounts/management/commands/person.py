"""`manage.py person add|list`: accounts, from the console."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError

from apps.accounts.models import User
from apps.accounts.policy import Role
from apps.accounts.second_factor import enrol_totp, otpauth_uri
from apps.accounts.selectors import roles_of
from apps.accounts.services import add_person
from apps.base.errors import DomainError


class Command(BaseCommand):
    """Add an account with its roles, or list the accounts. A password is read from standard input only."""

    help = "add or list accounts"

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare `add` and `list`."""
        verbs = parser.add_subparsers(dest="verb", required=True)
        verbs.add_parser("list", help="print every account with its roles")
        add = verbs.add_parser("add", help="add an account")
        add.add_argument("name")
        add.add_argument("--role", action="append", default=[], choices=Role.values, help="may be repeated")
        add.add_argument("--password-stdin", action="store_true", required=True)
        add.add_argument("--totp", action="store_true", help="enrol a second factor and print it once")
        add.add_argument("--person-id", type=UUID, help="for a second account of one person")

    def handle(self, *args: Any, **options: Any) -> None:
        """Do what the verb says; the secret of a new second factor is the last line printed."""
        if options["verb"] == "list":
            return self._list()
        try:
            self._add(options)
        except DomainError as refusal:
            raise CommandError(f"{refusal.message}. {refusal.hint}") from None
        return None

    def _add(self, options: dict[str, Any]) -> None:
        user = add_person(
            options["name"],
            password=sys.stdin.readline().rstrip("\r\n"),
            roles=options["role"],
            person_id=options["person_id"],
        )
        self.stdout.write(f"added {user.username} ({', '.join(options['role']) or 'no role'})")
        if options["totp"]:
            self.stdout.write(otpauth_uri(user, enrol_totp(user)))

    def _list(self) -> None:
        for user in User.objects.order_by("username"):
            state = "" if user.is_active else " (inactive)"
            self.stdout.write(f"{user.username}{state}: {', '.join(sorted(roles_of(user))) or 'no role'}")
