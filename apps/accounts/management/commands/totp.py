"""`manage.py totp NAME`: the code an authenticator would show, in the demonstration only."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from apps.accounts.models import User
from apps.accounts.second_factor import has_second_factor, next_code


class Command(BaseCommand):
    """Print a code that is accepted now, for an account of the demonstration."""

    help = "print the current second-factor code of a demonstration account"

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the account's name."""
        parser.add_argument("name")

    def handle(self, *args: Any, **options: Any) -> None:
        """Print the code."""
        if not settings.DEMONSTRATION:
            raise CommandError("only the demonstration shows codes; elsewhere the person's authenticator does.")
        if options["name"] not in _demonstration_names():
            raise CommandError(f"'{options['name']}' is no account of the demonstration: see accounts.txt.")
        user = User.objects.filter(username=options["name"]).first()
        if user is None or not has_second_factor(user):
            raise CommandError(f"there is no account '{options['name']}' with a second factor.")
        self.stdout.write(next_code(user))


def _demonstration_names() -> set[str]:
    """Return the names in `accounts.txt`; in the same folder there may be accounts of people too."""
    try:
        lines = (settings.VAR_DIR / "accounts.txt").read_text(encoding="utf-8").splitlines()
    except OSError:
        return set()
    return {line.split()[0] for line in lines if line.strip() and not line.startswith("#")}
