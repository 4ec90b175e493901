"""manage.py sign: the process that holds the authority key."""

from __future__ import annotations

import signal
import threading
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from apps.fleet.authority import AuthorityUnknown, note_authority_key
from apps.forced_actions.signer import KeyUnusable, load_key, run, sign_beacon, sign_jobs
from kernelzone.envelope import raw_public_key


class Command(BaseCommand):
    """Signs every order, after checking the rows again, and keeps the signed time young. Runs until it is stopped."""

    help = "Sign orders with the authority key. Runs until SIGTERM; nothing else holds that key."

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("--once", action="store_true", help="sign what is new now, then end")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            key = load_key(Path(settings.AUTHORITY_KEY_FILE))
            note_authority_key(raw_public_key(key).hex())
        except KeyUnusable as refusal:
            raise CommandError(str(refusal)) from refusal
        except AuthorityUnknown:
            raise CommandError(
                f"No agent would believe the key in {settings.AUTHORITY_KEY_FILE}: the key before has not signed it. "
                "Put that key back; a new one is made with `manage.py rotate_authority_key`."
            ) from None
        if options["once"]:
            sign_beacon(key)
            self.stdout.write(f"{sign_jobs(key)} orders")
            return
        stopping = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stopping.set())
        run(key, is_stopping=stopping.is_set)
        if not stopping.is_set():
            raise CommandError("Another authority key has followed this one: start `manage.py sign` again.")
