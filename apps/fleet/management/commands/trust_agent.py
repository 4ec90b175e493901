from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError, CommandParser

from apps.base.errors import DomainError
from apps.fleet.selectors import deployment_uuid
from apps.fleet.services import HostName, trust_agent
from kernelzone.words import WordError, canonical_uuid


class Command(BaseCommand):
    """Makes an agent known: whoever may run this on the site's machine decides whom the site believes."""

    help = "Trust an agent's key, and let it speak for hosts. Said again, it changes nothing."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--uuid", required=True, help="the agent's uuid, as kzagent init printed it")
        parser.add_argument("--public-key", required=True, help="the agent's public key, 64 hex digits")
        parser.add_argument("--name", required=True, help="what people call this agent, such as its site")
        parser.add_argument(
            "--host",
            action="append",
            default=[],
            metavar="HOSTID[:HOSTNAME[:SITE[:RACK]]]",
            help="a host it speaks for; may be given many times",
        )

    def handle(self, *_: Any, **options: Any) -> None:
        """Raises: CommandError with the refusal and its hint."""
        hosts = [_host(text) for text in options["host"]]
        try:
            agent = trust_agent(
                uuid=_uuid(options["uuid"]), key_hex=options["public_key"], name=options["name"], hosts=hosts
            )
        except DomainError as refused:
            raise CommandError(f"{refused.message}. {refused.hint} ({refused.stable_code})") from None
        self.stdout.write(
            f"agent {agent.name} ({agent.uuid}) is trusted for {len(hosts)} hosts of deployment {deployment_uuid()}"
        )


def _uuid(text: str) -> UUID:
    try:
        return canonical_uuid(text)
    except WordError as error:
        raise CommandError(error.message) from None


def _host(text: str) -> HostName:
    parts = text.split(":")
    if len(parts) > 4:
        raise CommandError("a host is written HOSTID:HOSTNAME:SITE:RACK, with at most three colons")
    return HostName(*parts)
