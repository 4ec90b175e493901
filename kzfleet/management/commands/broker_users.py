from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from apps.fleet.broker_file import Written, write_broker_users
from apps.fleet.broker_users import ACCESS, CONTROL, SITE_USERS, WEB, hashed, new_password, url_of
from kzfleet.secret_files import write_secret

FILE_NAMES = {ACCESS: "broker_url_access", CONTROL: "broker_url_control", WEB: "broker_url_web"}


class Command(BaseCommand):
    """Writes the broker's users by hand; the control worker does the same every few seconds."""

    help = "Write the broker's users file from the agents' rows, and make the broker read it."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--file", default=settings.BROKER_USERS_FILE, help="else KZFLEET_BROKER_USERS_FILE")
        parser.add_argument(
            "--new-site-users",
            metavar="FOLDER",
            help="give control, web and access new passwords, and write their broker URLs into this folder (0600)",
        )
        parser.add_argument("--url", default=settings.AGENT_BROKER_URL, help="the broker, for --new-site-users")

    def handle(self, *_: Any, **options: Any) -> None:
        """Raises: CommandError when no file is named, or one cannot be written."""
        if not options["file"]:
            raise CommandError("no file is named: give --file, or set KZFLEET_BROKER_USERS_FILE")
        try:
            hashes = self._new_site_users(options["new_site_users"], options["url"])
            written = write_broker_users(Path(options["file"]), new_site_hashes=hashes)
        except OSError as error:
            raise CommandError(f"{error.filename}: {error.strerror}") from error
        self.stdout.write(f"{options['file']}: {_sentence(written)}")

    def _new_site_users(self, folder: str | None, url: str) -> dict[str, str]:
        """Return name to password hash of new users of the site; their URLs are in files of `folder` afterwards."""
        if folder is None:
            return {}
        paths = {name: Path(folder) / FILE_NAMES[name] for name in SITE_USERS}
        # all or none: with half of them the other half's passwords are lost
        if there := [str(path) for path in paths.values() if path.exists()]:
            raise CommandError(f"there already: {', '.join(there)}; move them away to get new passwords")
        hashes = {}
        for name, path in paths.items():
            password = new_password()
            write_secret(path, url_of(url, user=name, password=password).encode("ascii") + b"\n")
            hashes[name] = hashed(password)
            self.stdout.write(f"made {path}")
        return hashes


def _sentence(written: Written) -> str:
    changed = "changed" if written.is_changed else "as it was"
    heard = {
        True: "the broker uses it",
        False: "the broker could not be told; it reads the file when it starts, or at the next try",
        None: "the broker was not told (KZFLEET_BROKER_ACCESS_URL is not set); it reads the file when it starts",
    }
    return f"{written.users} users, {changed}; {heard[written.is_loaded]}"
