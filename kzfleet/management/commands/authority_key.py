from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from kzfleet.up.preparation import authority_public_key
from kzfleet.up.refusals import CannotStart


class Command(BaseCommand):
    """Prints what `kzagent init --authority-key` needs; the private half is never shown."""

    help = "Print the public key that agents verify orders with (64 hex digits)."
    requires_system_checks: list[str] = []

    def handle(self, *_: Any, **__: Any) -> None:
        """Raises: CommandError when there is no key."""
        try:
            self.stdout.write(authority_public_key(Path(settings.AUTHORITY_KEY_FILE)))
        except CannotStart as refused:
            raise CommandError(str(refused)) from None
