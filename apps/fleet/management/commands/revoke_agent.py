from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from apps.base.errors import DomainError
from apps.fleet.agents import revoke_agent
from kernelzone.words import WordError, canonical_uuid


class Command(BaseCommand):
    """Believes an agent no more, whatever it signs."""

    help = "Revoke an agent: its reports are refused and nothing is ordered from it."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("uuid", help="the agent's uuid")

    def handle(self, *_: Any, **options: Any) -> None:
        """Raises: CommandError with the refusal and its hint."""
        try:
            agent = revoke_agent(canonical_uuid(options["uuid"]))
        except WordError as error:
            raise CommandError(error.message) from None
        except DomainError as refused:
            raise CommandError(f"{refused.message}. {refused.hint}") from None
        self.stdout.write(f"agent {agent.name} ({agent.uuid}) is revoked")
