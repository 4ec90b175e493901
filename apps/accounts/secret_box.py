"""TOTP secrets at rest: AES-256-GCM under a key that is not in the database.

Stored form: `v1:` and base64url of nonce (12 bytes), ciphertext, tag (16 bytes).
"""

from __future__ import annotations

import base64
import os
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

KEY_BYTES: Final = 32
NONCE_BYTES: Final = 12
_VERSION: Final = "v1:"
_CONTEXT: Final = b"kzfleet totp secret v1"


def seal(text: str) -> str:
    """Return `text` sealed under the key of `settings.TOTP_KEY_FILE`."""
    nonce = os.urandom(NONCE_BYTES)
    sealed = AESGCM(_key()).encrypt(nonce, text.encode(), _CONTEXT)
    return _VERSION + base64.urlsafe_b64encode(nonce + sealed).decode()


def unseal(stored: str) -> str:
    """Return the text that was sealed.

    Raises: ImproperlyConfigured when the key file is absent, is not a key, or is not the one that sealed it.
    """
    raw = base64.urlsafe_b64decode(stored.removeprefix(_VERSION))
    try:
        return AESGCM(_key()).decrypt(raw[:NONCE_BYTES], raw[NONCE_BYTES:], _CONTEXT).decode()
    except InvalidTag:
        raise ImproperlyConfigured(
            f"{settings.TOTP_KEY_FILE} is not the key that sealed the second factors in this database."
        ) from None


def _key() -> bytes:
    path = Path(settings.TOTP_KEY_FILE)
    try:
        key = base64.urlsafe_b64decode(path.read_text(encoding="ascii").strip())
    except OSError:
        raise ImproperlyConfigured(
            f"There is no key for second factors at {path}: run `manage.py make_keys`, "
            "or name the file in KZFLEET_TOTP_KEY_FILE."
        ) from None
    if len(key) != KEY_BYTES:
        raise ImproperlyConfigured(f"{path} does not hold {KEY_BYTES} bytes in base64url.")
    return key
