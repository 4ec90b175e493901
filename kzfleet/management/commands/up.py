from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from kzfleet.up.refusals import CannotStart
from kzfleet.up.starting import up


class Command(BaseCommand):
    """Starts every process on this machine and keeps them running: what `make run` does."""

    help = "Start every process of kzfleet on this machine and keep them running (make run)."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Name the options of `make run ARGS=...`."""
        parser.add_argument("--port", type=int, default=8000, help="where the site listens on 127.0.0.1")
        parser.add_argument("--empty", action="store_true", help="without the demonstration fleet")
        parser.add_argument("--everything", action="store_true", help="show every line the processes print")

    def handle(self, *_: Any, **options: Any) -> None:
        """Raises: CommandError with one sentence that says what to do."""
        try:
            up(port=options["port"], empty=options["empty"], verbose=options["everything"])
        except CannotStart as refused:
            raise CommandError(str(refused)) from None
