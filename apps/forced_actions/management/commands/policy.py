"""manage.py policy: a new version of the policy for forced actions."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from apps.base.errors import DomainError
from apps.forced_actions.selectors import current_policy
from apps.forced_actions.services.policies import BOUNDS, change_policy


class Command(BaseCommand):
    """Prints the policy, after making its next version when a number is given."""

    help = "Show the policy for forced actions, or make its next version. No open request is touched."

    def add_arguments(self, parser: Any) -> None:
        for field, (least, most) in BOUNDS.items():
            parser.add_argument(f"--{field.replace('_', '-')}", type=int, metavar=f"{least}..{most}")

    def handle(self, *args: Any, **options: Any) -> None:
        numbers = {field: options[field] for field in BOUNDS if options[field] is not None}
        try:
            policy = change_policy(actor=None, **numbers) if numbers else current_policy()
        except DomainError as refusal:
            raise CommandError(f"{refusal.message}. {refusal.hint}") from refusal
        fields = ", ".join(f"{field} {getattr(policy, field)}" for field in BOUNDS)
        self.stdout.write(f"{policy}: {fields}")
