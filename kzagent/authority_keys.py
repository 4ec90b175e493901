"""The keys whose orders this agent believes: at most two, the newest first; a new one comes signed by the newest."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable
from pathlib import Path

from kernelzone.enrolment import NewAuthorityKey, StatementError, raw_key, read_statement
from kernelzone.envelope import key_id
from kzagent.errors import SetupError
from kzagent.identity import MAX_AUTHORITY_KEYS, Settings, replace_settings

logger = logging.getLogger(__name__)


class AuthorityKeys:
    """directory: where `agent.json` is kept up to date; None for who only looks."""

    def __init__(self, settings: Settings, directory: Path | None = None) -> None:
        self._deployment = settings.deployment
        self._directory = directory
        self._lock = threading.Lock()
        self._held = settings.authority()

    def raw(self) -> tuple[bytes, ...]:
        """Return the raw public keys, 32 bytes each, the newest first."""
        with self._lock:
            return self._held

    def hear(self, statements: Iterable[str]) -> None:
        """Take the new keys that `statements` name, the oldest first; what does not follow from ours is passed over."""
        with self._lock:
            before = self._held
            for text in statements:
                self._held = self._followed(text)
            if self._held != before:
                self._keep()

    def _followed(self, text: str) -> tuple[bytes, ...]:
        newest = self._held[0]
        try:
            # only by the newest: a key that was replaced, perhaps because it leaked, names no other
            found = read_statement(NewAuthorityKey, text, keys=[newest])
            key = raw_key(found.new_key)
        except StatementError:
            return self._held
        if found.deployment != self._deployment or found.old_key != newest.hex() or key in self._held:
            return self._held
        logger.warning("orders are believed from key %s too, which key %s has named", key_id(key), key_id(newest))
        return (key, *self._held)[:MAX_AUTHORITY_KEYS]

    def _keep(self) -> None:
        if self._directory is None:
            return
        try:
            replace_settings(self._directory, authority_keys=tuple(key.hex() for key in self._held))
        except SetupError as error:
            logger.error("the new authority key is not kept, the site names it again: %s", error)
