"""AES-128-CCM with a 13-byte nonce and a 16-byte tag, every length checked before the library is called.

Why checked here: for 65 536 bytes with a 13-byte nonce `cryptography` raises an internal error, not ValueError.
Source: NIST SP 800-38C; RFC 5869 (HKDF).
"""

from __future__ import annotations

from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESCCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

KEY_BYTES: Final = 16
NONCE_BYTES: Final = 13
TAG_BYTES: Final = 16
LONGEST_PLAINTEXT_BYTES: Final = 65535  # a 13-byte nonce leaves two bytes for the length
_SHA256: Final = SHA256()


def derived_key(zone_key: bytes, *, salt: bytes, purpose: bytes) -> bytes:
    """Return the 16-byte key for one slot write: HKDF-SHA256 over the zone key, `salt` and `purpose`."""
    return HKDF(algorithm=_SHA256, length=KEY_BYTES, salt=salt, info=purpose).derive(zone_key)


def seal(key: bytes, nonce: bytes, plaintext: bytes, aad: bytes) -> bytes:
    """Return ciphertext and tag. Raises: ValueError for a length that is not ours."""
    _check(key, nonce, len(plaintext))
    return AESCCM(key, TAG_BYTES).encrypt(nonce, plaintext, aad)


def unseal(key: bytes, nonce: bytes, sealed: bytes, aad: bytes) -> bytes | None:
    """Return the plaintext, or None when the tag does not verify. Raises: ValueError for a wrong length."""
    _check(key, nonce, len(sealed) - TAG_BYTES)
    try:
        return AESCCM(key, TAG_BYTES).decrypt(nonce, sealed, aad)
    except InvalidTag:
        return None


def _check(key: bytes, nonce: bytes, plaintext_bytes: int) -> None:
    if len(key) != KEY_BYTES or len(nonce) != NONCE_BYTES:
        raise ValueError("AES-128-CCM takes a key of 16 and a nonce of 13 bytes here")
    if not 0 <= plaintext_bytes <= LONGEST_PLAINTEXT_BYTES:
        raise ValueError(f"AES-128-CCM takes 0 to {LONGEST_PLAINTEXT_BYTES} bytes with a nonce of 13")
