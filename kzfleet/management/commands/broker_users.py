from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from apps.fleet.broker_file import Written, write_broker_users, write_site_users
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
        path, folder = Path(options["file"]), options["new_site_users"]
        try:
            written = write_broker_users(path) if folder is None else self._new_site_users(path, folder, options["url"])
        except OSError as error:
            raise CommandError(f"{error.filename}: {error.strerror}") from error
        self.stdout.write(f"{path}: {_sentence(written)}")

    def _new_site_users(self, path: Path, folder: str, url: str) -> Written:
        """Give the site's users new passwords, in the users file and in files of `folder`; return what was written."""
        files = {name: Path(folder) / FILE_NAMES[name] for name in SITE_USERS}
        if there := [str(file) for file in files.values() if file.exists()]:
            raise CommandError(f"there already: {', '.join(there)}; move them away to get new passwords")
        passwords = {name: new_password() for name in SITE_USERS}
        # The hashes first: when the second half fails, the command can be run again.
        written = write_site_users(path, {name: hashed(password) for name, password in passwords.items()})
        for name, file in files.items():
            write_secret(file, url_of(url, user=name, password=passwords[name]).encode("ascii") + b"\n")
            self.stdout.write(f"made {file}")
        return written


def _sentence(written: Written) -> str:
    changed = "changed" if written.is_changed else "as it was"
    heard = {
        True: "the broker uses it",
        False: "the broker could not be told; it reads the file when it starts, or at the next try",
        None: "the broker was not told (KZFLEET_BROKER_ACCESS_URL is not set); it reads the file when it starts",
    }
    return f"{written.users} users, {changed}; {heard[written.is_loaded]}"
