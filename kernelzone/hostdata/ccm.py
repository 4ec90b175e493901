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
LONGEST_BYTES: Final = 65535  # a 13-byte nonce leaves two bytes for the length
_SHA256: Final = SHA256()


def derived_key(zone_key: bytes, *, salt: bytes, purpose: bytes) -> bytes:
    """Return the 16-byte key for one slot write: HKDF-SHA256 over the zone key, `salt` and `purpose`."""
    return HKDF(algorithm=_SHA256, length=KEY_BYTES, salt=salt, info=purpose).derive(zone_key)


def seal(key: bytes, nonce: bytes, plaintext: bytes, aad: bytes) -> tuple[bytes, bytes]:
    """Return (ciphertext, tag). Raises: ValueError for a length that is not ours."""
    _check(key, nonce, plaintext)
    sealed = AESCCM(key, TAG_BYTES).encrypt(nonce, plaintext, aad)
    return sealed[:-TAG_BYTES], sealed[-TAG_BYTES:]


def unseal(key: bytes, nonce: bytes, ciphertext: bytes, tag: bytes, aad: bytes) -> bytes | None:
    """Return the plaintext, or None when the tag does not verify. Raises: ValueError for a wrong length."""
    _check(key, nonce, ciphertext)
    if len(tag) != TAG_BYTES:
        raise ValueError(f"an AES-128-CCM tag has {TAG_BYTES} bytes here")
    try:
        return AESCCM(key, TAG_BYTES).decrypt(nonce, ciphertext + tag, aad)
    except InvalidTag:
        return None


def _check(key: bytes, nonce: bytes, content: bytes) -> None:
    if len(key) != KEY_BYTES or len(nonce) != NONCE_BYTES:
        raise ValueError("AES-128-CCM takes a key of 16 and a nonce of 13 bytes here")
    if len(content) > LONGEST_BYTES:
        raise ValueError(f"AES-128-CCM takes at most {LONGEST_BYTES} bytes with a nonce of 13")
