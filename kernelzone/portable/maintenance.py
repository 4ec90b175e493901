"""Maintenance of a host, as `sysadm maintain` begins and ends it: no attach, no boot, no zone coming from elsewhere.

It is kept in `maintenance.json` and lasts over starts of the host. Source: sysadm(8) of Solaris 11.4.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Final, NamedTuple

from kernelzone.portable import files
from kernelzone.portable.errors import PortableError

_NAME: Final = "maintenance.json"
MOST_CHARACTERS: Final = 255


class Maintenance(NamedTuple):
    """Why a host is in maintenance, since when (posix s), and who said so."""

    message: str
    since: int
    user: str


def current(directory: Path) -> Maintenance | None:
    """Return the maintenance of the host in `directory`, None when it has none. Raises: PortableError FILE."""
    try:
        kept = files.read_json(directory / _NAME)
    except FileNotFoundError:
        return None
    try:
        return Maintenance(str(kept["message"]), int(kept["since"]), str(kept["user"]))
    except (KeyError, TypeError, ValueError) as error:
        raise PortableError("FILE", f"{_NAME} is damaged; end the maintenance and begin it again") from error


def message(directory: Path) -> str | None:
    """Return why the host is in maintenance, None when it is not; a damaged file still means that it is."""
    try:
        found = current(directory)
    except PortableError as error:
        return error.message
    return found.message if found else None


def start(directory: Path, message: str, user: str = "root") -> None:
    """Begin maintenance, or give the one that there is another message. Raises: PortableError MAINTENANCE_MESSAGE."""
    if not message.strip() or not message.isprintable() or len(message) > MOST_CHARACTERS:
        text = f"a maintenance message is 1 to {MOST_CHARACTERS} printable characters"
        raise PortableError("MAINTENANCE_MESSAGE", text)
    files.write_json(directory / _NAME, Maintenance(message, int(time.time()), user)._asdict())


def end(directory: Path) -> bool:
    """Return whether there was a maintenance; now there is none."""
    try:
        (directory / _NAME).unlink()
    except FileNotFoundError:
        return False
    files.flush_directory(directory)
    return True
