from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from apps.base.errors import DomainError
from apps.fleet.broker_users import renew_broker_password
from kernelzone.words import WordError, canonical_uuid
from kzfleet.secret_files import write_secret


class Command(BaseCommand):
    """Gives an agent its own user at the broker, or a new password for it."""

    help = "Write the broker's URL for one trusted agent, with a new password, into a file (0600)."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("uuid", help="the agent's uuid")
        parser.add_argument("file", type=Path, help="a file that is not there yet")

    def handle(self, *_: Any, **options: Any) -> None:
        """Raises: CommandError with the refusal and its hint."""
        path: Path = options["file"]
        if path.exists():
            raise CommandError(f"{path} is there already: a secret is never overwritten")
        try:
            write_secret(path, renew_broker_password(canonical_uuid(options["uuid"])).encode("ascii") + b"\n")
        except WordError as error:
            raise CommandError(error.message) from None
        except DomainError as refused:
            raise CommandError(f"{refused.message}. {refused.hint}") from None
        except OSError as error:
            raise CommandError(
                f"{path}: {error.strerror}; run the command again, for the old password is gone"
            ) from None
        self.stdout.write(f"made {path}: take it to the agent, then `kzagent set-broker DIR @{path.name}` there")
