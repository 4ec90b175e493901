from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from kzfleet.up import preparation
from kzfleet.up.refusals import CannotStart


class Command(BaseCommand):
    """Makes the key files that are missing; one that is there is never touched."""

    help = "Make the missing key files (0600) in the state folder's keys/, and print their paths."
    requires_system_checks: list[str] = []

    def handle(self, *_: Any, **__: Any) -> None:
        """Raises: CommandError when the folder cannot be written."""
        try:
            preparation.make_writable(settings.VAR_DIR)
            made = preparation.make_keys(settings.VAR_DIR)
        except CannotStart as refused:
            raise CommandError(str(refused)) from None
        for path in made:
            self.stdout.write(f"made {path}")
        if not made:
            self.stdout.write("every key file was there already")
