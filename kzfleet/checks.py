"""Start-up checks: what is wrong with the installation, by id, with what to do."""

import os
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core import checks
from django.core.checks import CheckMessage, Error, Tags, register

from kzfleet.secret_files import is_private


@register(Tags.security, deploy=True)
def secret_key_is_kept(**_: Any) -> list[CheckMessage]:
    """Sessions of a process with a secret of its own end when it does."""
    if Path(settings.SECRET_KEY_FILE).is_file():
        return []
    return [
        checks.Warning(
            f"There is no secret key file {settings.SECRET_KEY_FILE}.",
            hint="Make one (`manage.py make_keys`) and name it in KZFLEET_SECRET_KEY_FILE.",
            id="kzfleet.W001",
        )
    ]


@register(Tags.security)
def key_files_are_private(**_: Any) -> list[CheckMessage]:
    """A key file that others may read is not a secret any more."""
    names = ("SECRET_KEY_FILE", "TOTP_KEY_FILE", "AUTHORITY_KEY_FILE")
    paths = [Path(getattr(settings, name)) for name in names]
    return [
        Error(
            f"The key file {path} may be read by others.",
            hint=f"chmod 0600 {path}; if others have seen it, replace it.",
            id="kzfleet.E002",
        )
        for path in paths
        if path.is_file() and not is_private(path)
    ]


@register(Tags.database)
def one_database_writer_per_file(**_: Any) -> list[CheckMessage]:
    """SQLite on a network file system loses its locks; more than one machine needs PostgreSQL."""
    database = settings.DATABASES["default"]
    if "sqlite" not in database["ENGINE"] or os.environ.get("BROKER_URL", "") == "":
        return []
    return [
        checks.Warning(
            "An own broker is named, but the database is SQLite: only one machine can use it.",
            hint="Set DATABASE_URL=postgres://… before starting processes on a second machine.",
            id="kzfleet.W003",
        )
    ]
