"""`manage.py create_token USER`: a token for the API, from the console."""

from __future__ import annotations

from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from apps.accounts.models import TokenKind, User
from apps.accounts.tokens import EVERY_SCOPE, create_token
from apps.base.errors import DomainError


class Command(BaseCommand):
    """Make a token for an account and print its text, once, as the only line."""

    help = "make a token for the API and print it once"

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the account, and what the token may do and for how long."""
        parser.add_argument("user")
        parser.add_argument("--name", default="made from the console")
        parser.add_argument("--scope", action="append", help="a permission; may be repeated; default: all")
        parser.add_argument("--kind", choices=TokenKind.values, default=TokenKind.PERSONAL)
        parser.add_argument("--days", type=int, default=90)

    def handle(self, *args: Any, **options: Any) -> None:
        """Print the token."""
        user = User.objects.filter(username=options["user"]).first()
        if user is None:
            raise CommandError(f"there is no account '{options['user']}'. `manage.py person list` shows them.")
        try:
            _, text = create_token(
                user,
                name=options["name"],
                scopes=options["scope"] or [EVERY_SCOPE],
                kind=options["kind"],
                life=timedelta(days=options["days"]),
            )
        except DomainError as refusal:
            raise CommandError(f"{refusal.message}. {refusal.hint}") from None
        self.stdout.write(text)
