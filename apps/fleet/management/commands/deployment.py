from typing import Any

from django.core.management.base import BaseCommand

from apps.fleet.selectors import deployment_uuid


class Command(BaseCommand):
    """Prints the uuid that `kzagent init --deployment` needs."""

    help = "Print the uuid of this deployment."

    def handle(self, *_: Any, **__: Any) -> None:
        self.stdout.write(str(deployment_uuid()))
