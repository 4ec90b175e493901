"""Sealed to one key for one purpose: nothing else opens it."""

from __future__ import annotations

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from kernelzone.sealing import SealError, seal, sealing_public_key, unseal

KEY = X25519PrivateKey.from_private_bytes(bytes(range(32)))
RAW = KEY.public_key().public_bytes_raw()
SECRET = b"rediss://agent-1:password@broker/0"


def test_what_was_sealed_is_opened_by_its_key() -> None:
    sealed = seal(SECRET, key=RAW, purpose="test 1")
    assert unseal(sealed, key=KEY, purpose="test 1") == SECRET
    assert sealed != seal(SECRET, key=RAW, purpose="test 1")


def test_another_key_another_purpose_or_a_changed_byte_opens_nothing() -> None:
    sealed = seal(SECRET, key=RAW, purpose="test 1")
    with pytest.raises(SealError):
        unseal(sealed, key=X25519PrivateKey.generate(), purpose="test 1")
    with pytest.raises(SealError):
        unseal(sealed, key=KEY, purpose="test 2")
    content = base64.b64decode(sealed)
    for place in range(len(content)):
        changed = bytearray(content)
        changed[place] ^= 1
        with pytest.raises(SealError):
            unseal(base64.b64encode(changed).decode(), key=KEY, purpose="test 1")


@pytest.mark.parametrize("sealed", ["", "=", "AAAA", "ü", base64.b64encode(b"a" * 70_000).decode()])
def test_what_was_never_sealed_is_refused(sealed: str) -> None:
    with pytest.raises(SealError):
        unseal(sealed, key=KEY, purpose="test 1")


@pytest.mark.parametrize("raw", [b"", bytes(31), bytes(33), bytes(32), b"\x01" + bytes(31), b"\xff" * 32])
def test_a_key_that_proves_nothing_is_not_sealed_to(raw: bytes) -> None:
    with pytest.raises(SealError):
        sealing_public_key(raw)
