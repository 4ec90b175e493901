"""The key this agent signs with. `kzagent rotate` replaces its file; a running agent takes the new one up by itself."""

from __future__ import annotations

import logging
import os
import threading
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from kernelzone.envelope import raw_public_key
from kzagent.errors import SetupError
from kzagent.identity import KEY_NAME, read_private

logger = logging.getLogger(__name__)

OLD_KEY_NAME: Final = "identity.old.key"
NEW_KEY_NAME: Final = "identity.new.key"


class IdentityKey:
    """The identity key in `directory`. Raises: SetupError when there is none."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._lock = threading.Lock()
        self._mark = self._look()
        self._key = _load(directory / KEY_NAME)

    def current(self) -> Ed25519PrivateKey:
        """Return the key to sign with now."""
        with self._lock:
            mark = self._look()
            if mark is not None and mark != self._mark:
                self._take_up(mark)
            return self._key

    def public_keys(self) -> list[bytes]:
        """Return the raw public keys of this key and, where it was rotated, the one before."""
        found = [raw_public_key(self.current())]
        old = self._directory / OLD_KEY_NAME
        return [*found, raw_public_key(_load(old))] if old.exists() else found

    def _take_up(self, mark: tuple[int, int]) -> None:
        try:
            self._key = _load(self._directory / KEY_NAME)
            logger.warning("signs with a new key from now on")
        except SetupError as error:
            logger.error("the new key is not taken up, the old one is good for a day: %s", error)
        self._mark = mark

    def _look(self) -> tuple[int, int] | None:
        try:
            found = os.stat(self._directory / KEY_NAME)
        except OSError:
            return None
        return found.st_ino, found.st_mtime_ns


def _load(path: Path) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(read_private(path))
