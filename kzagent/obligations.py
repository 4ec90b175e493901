"""What this agent's hosts have lost while they were away, as the authority signed it; kept in `obligations.json`.

The file is the signed envelope itself: it is verified at every start, so a guard that runs before the network is up
needs nothing else. The site may hold back newer ones; host data is asked all the same.
"""

from __future__ import annotations

import logging
import os
import threading
from pathlib import Path
from typing import Final
from uuid import UUID

from kernelzone import envelope
from kernelzone.obligations import (
    MAX_OBLIGATIONS_BYTES,
    OBLIGATION_TYPE,
    Obligation,
    ObligationError,
    Obligations,
    read_obligations,
)
from kernelzone.words import HostId, ZoneName
from kzagent.authority_keys import AuthorityKeys
from kzagent.errors import JournalError
from kzagent.identity import Settings

logger = logging.getLogger(__name__)

FILE_NAME: Final = "obligations.json"


class KeptObligations:
    """The newest obligations of this agent's hosts."""

    def __init__(self, directory: Path, settings: Settings, keys: AuthorityKeys | None = None) -> None:
        self._keys = keys or AuthorityKeys(settings)
        self._path = directory / FILE_NAME
        self._settings = settings
        self._lock = threading.Lock()
        self._kept: Obligations | None = None
        self._is_saved = True
        self._load()

    def hear(self, text: str) -> bool:
        """Return whether `text` holds newer obligations of the authority; they are then kept, and on the disk.

        Raises: JournalError when the file cannot be written; they count all the same until the agent ends.
        """
        found = self._verified(text)
        with self._lock:
            if found is None or (self._kept is not None and found.at <= self._kept.at):
                self._save_again(found, text)
                return False
            self._kept, self._is_saved = found, False
            self._save(text)
        logger.warning("%d obligations: zones that hosts of this agent have lost", len(found.obligations))
        return True

    def hosts(self) -> set[HostId]:
        """Return the hosts that have lost something."""
        with self._lock:
            return {one.owner_hostid for one in self._kept.obligations} if self._kept is not None else set()

    def of_host(self, owner_hostid: HostId) -> tuple[Obligation, ...]:
        """Return what a host has lost."""
        with self._lock:
            kept = self._kept.obligations if self._kept is not None else ()
        return tuple(one for one in kept if one.owner_hostid == owner_hostid)

    def about(self, owner_hostid: HostId, zone: ZoneName, zone_uuid: UUID | None) -> Obligation | None:
        """Return the obligation that is about this zone on this host: by uuid where both know one, else by name."""
        for one in self.of_host(owner_hostid):
            if zone_uuid is not None and one.zone.uuid is not None:
                if one.zone.uuid == zone_uuid:
                    return one
            elif one.zone.name == zone:
                return one
        return None

    def _load(self) -> None:
        try:
            with self._path.open("rb") as file:
                text = file.read(MAX_OBLIGATIONS_BYTES * 2).decode("utf-8")
        except FileNotFoundError:
            return
        except (OSError, UnicodeDecodeError) as error:
            logger.error("%s cannot be read, the site sends it again: %s", self._path, error)
            return
        self._kept = self._verified(text)

    def _verified(self, text: str) -> Obligations | None:
        try:
            verified = envelope.verify(
                text.encode("utf-8"),
                payload_type=OBLIGATION_TYPE,
                keys=self._keys.raw(),
                max_payload_bytes=MAX_OBLIGATIONS_BYTES,
            )
            found = read_obligations(verified.payload)
        except (envelope.EnvelopeError, ObligationError, UnicodeEncodeError) as error:
            logger.warning("obligations were dropped: %s", getattr(error, "code", "FORMAT"))
            return None
        is_ours = (found.deployment, found.agent) == (self._settings.deployment, self._settings.agent)
        return found if is_ours else None

    def _save_again(self, found: Obligations | None, text: str) -> None:
        """Write what could not be written when it was heard: the guard of the next start knows only the file."""
        if not self._is_saved and found is not None and found == self._kept:
            self._save(text)

    def _save(self, text: str) -> None:
        temporary = self._path.with_name(f".{FILE_NAME}.new")
        try:
            fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            with open(fd, "w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, self._path)
            self._is_saved = True
        except OSError as error:
            raise JournalError(f"{self._path} cannot be written: {error.strerror}") from error
