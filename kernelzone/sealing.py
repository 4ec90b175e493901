"""Sealing to one agent: what only the holder of its X25519 key can open.

Source: RFC 9180 (HPKE, base mode: X25519, HKDF-SHA256, ChaCha20-Poly1305), RFC 7748 (X25519, section 6.1).
"""

from __future__ import annotations

import base64
import binascii
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

MAX_SEALED_BYTES: Final = 64 * 1024
_SUITE: Final = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.CHACHA20_POLY1305)
_FIELD_PRIME: Final = 2**255 - 19
# any private key: a public key of small order gives zeros with every one of them
_PROBE: Final = X25519PrivateKey.from_private_bytes(b"\x01" * 32)


class SealError(Exception):
    """A sealing key that is not acceptable, or something sealed that this key does not open."""


def sealing_public_key(raw: bytes) -> X25519PublicKey:
    """Return the X25519 public key of 32 raw bytes.

    Raises: SealError for other lengths, non-canonical encodings and points of small order.
    """
    if len(raw) != 32 or int.from_bytes(raw, "little") >= _FIELD_PRIME:
        raise SealError("not an acceptable X25519 public key")
    key = X25519PublicKey.from_public_bytes(raw)
    try:
        _PROBE.exchange(key)
    except ValueError as error:
        raise SealError("not an acceptable X25519 public key") from error
    return key


def seal(content: bytes, *, key: bytes, purpose: str) -> str:
    """Return `content`, sealed to the raw public `key`, as base64.

    purpose: what it was sealed for; it opens for nothing else. Raises: SealError.
    """
    sealed = _SUITE.encrypt(content, sealing_public_key(key), info=purpose.encode())
    return base64.b64encode(sealed).decode("ascii")


def unseal(sealed: str, *, key: X25519PrivateKey, purpose: str) -> bytes:
    """Return what was sealed to `key` for this purpose. Raises: SealError for anything else."""
    try:
        content = base64.b64decode(sealed.encode("ascii"), validate=True)
        if len(content) > MAX_SEALED_BYTES:
            raise SealError("what was sealed is too long")
        return bytes(_SUITE.decrypt(content, key, info=purpose.encode()))
    except (InvalidTag, ValueError, binascii.Error) as error:
        raise SealError("this was not sealed to this key") from error
