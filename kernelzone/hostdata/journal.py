"""What a claim needs of a journal, and the smallest one: a file, for one zone of one host.

The agent keeps its own (SQLite, all zones); a command typed by hand uses the file.
"""

from __future__ import annotations

import base64
import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from kernelzone.hostdata.claim import Intent
from kernelzone.hostdata.errors import HostDataError


class ClaimJournal(Protocol):
    """Where a claim is written down. Each method returns only when its entry survives a power loss.

    An intent that is neither committed nor closed is what `recover_host_data` is for.
    """

    def intent(self, old_a: bytes, old_b: bytes, new_a: bytes, new_b: bytes) -> None:
        """Keep the images of both slots, as they were and as they are meant to become."""

    def committed(self) -> None:
        """Keep that the claim was won."""

    def closed(self, outcome: str) -> None:
        """Keep that the claim ended without being won; `outcome` is an Outcome."""


class FileJournal:
    """A journal of one claim at a time in one JSON file, replaced as a whole."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def intent(self, old_a: bytes, old_b: bytes, new_a: bytes, new_b: bytes) -> None:
        """Keep the images, flushed."""
        images = [base64.b64encode(image).decode("ascii") for image in (old_a, old_b, new_a, new_b)]
        self._replace({"state": "intent", "images": images})

    def committed(self) -> None:
        """Keep that the claim was won, flushed."""
        self._replace({"state": "committed"})

    def closed(self, outcome: str) -> None:
        """Keep that the claim ended without being won, flushed."""
        self._replace({"state": "closed", "outcome": str(outcome)})

    def open_intent(self) -> Intent | None:
        """Return the intent that was neither committed nor closed, if there is one.

        Raises: HostDataError HD_JOURNAL when the file is damaged.
        """
        try:
            entry = json.loads(self.path.read_text(encoding="ascii"))
            if entry["state"] != "intent":
                return None
            old_a, old_b, new_a, new_b = (base64.b64decode(image, validate=True) for image in entry["images"])
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError) as error:
            text = f"{self.path.name}, the journal of a claim, is damaged; look at host data, then remove the file"
            raise HostDataError("HD_JOURNAL", text) from error
        return Intent((old_a, old_b), (new_a, new_b))

    def _replace(self, entry: dict[str, object]) -> None:
        fresh = self.path.with_name(self.path.name + ".new")
        with open(fresh, "w", encoding="ascii") as file:
            json.dump(entry, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(fresh, self.path)
        _flush_folder(self.path.parent)


def _flush_folder(folder: Path) -> None:
    """Make a rename in `folder` survive a power loss."""
    fd = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


@contextmanager
def zone_lock(path: Path) -> Iterator[None]:
    """Hold the local lock of one zone on one host. Raises: HostDataError HD_BUSY when it is taken, HD_IO."""
    try:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise HostDataError("HD_IO", f"could not open the lock {path.name}: {error.strerror}") from error
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise HostDataError("HD_BUSY") from None
        yield
    finally:
        os.close(fd)
