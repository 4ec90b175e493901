"""DSSE: exact bytes, signed with Ed25519 and verified before anything is parsed.

Source: DSSE 1.0 protocol (pre-authentication encoding), RFC 8032 (Ed25519).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Iterable
from typing import Final, NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from kernelzone import strict

MAX_SIGNATURES: Final = 16
_FIELD_PRIME: Final = 2**255 - 19
# y of the points whose order divides 8: a signature under such a key proves nothing (RFC 8032, 8.4 and 5.1.3)
_SMALL_ORDER_Y: Final = frozenset(
    {
        0,
        1,
        _FIELD_PRIME - 1,
        # the two roots of d*y^4 + 2*y^2 - 1, the points of order 8
        2707385501144840649318225287225658788936804267575313519463743609750303402022,
        55188659117513257062467267217118295137698188065244968500265048394206261417927,
    }
)


class EnvelopeError(Exception):
    """An envelope that is not accepted. `code`: FORMAT (not an envelope) or SIGNATURE (not signed by a known key)."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class Verified(NamedTuple):
    """What `verify` returns: the exact payload bytes and the id of the key that signed them."""

    payload: bytes
    key_id: str


def public_key(raw: bytes) -> Ed25519PublicKey:
    """Return the Ed25519 public key of 32 raw bytes.

    Raises: EnvelopeError SIGNATURE for other lengths, non-canonical encodings and points of small order.
    """
    y = int.from_bytes(raw, "little") & (2**255 - 1)
    if len(raw) != 32 or y >= _FIELD_PRIME or y in _SMALL_ORDER_Y:
        raise EnvelopeError("SIGNATURE", "not an acceptable Ed25519 public key")
    return Ed25519PublicKey.from_public_bytes(raw)


def raw_public_key(key: Ed25519PrivateKey | Ed25519PublicKey) -> bytes:
    """Return the 32 raw bytes of the public half of `key`."""
    public = key.public_key() if isinstance(key, Ed25519PrivateKey) else key
    return public.public_bytes(Encoding.Raw, PublicFormat.Raw)


def key_id(raw: bytes) -> str:
    """Return the id of a raw public key: the first 16 hex digits of its SHA-256."""
    return hashlib.sha256(raw).hexdigest()[:16]


def sign(payload: bytes, *, payload_type: str, key: Ed25519PrivateKey) -> bytes:
    """Return the envelope (JSON, UTF-8) of `payload` with one signature by `key`."""
    return sign_by_all(payload, payload_type=payload_type, keys=[key])


def sign_by_all(payload: bytes, *, payload_type: str, keys: Iterable[Ed25519PrivateKey]) -> bytes:
    """Return the envelope (JSON, UTF-8) of `payload` with a signature by each of `keys`."""
    encoding = _pre_authentication_encoding(payload_type, payload)
    return strict.canonical(
        {
            "payload": base64.b64encode(payload).decode("ascii"),
            "payloadType": payload_type,
            "signatures": [
                {
                    "keyid": key_id(raw_public_key(key)),
                    "sig": base64.b64encode(key.sign(encoding)).decode("ascii"),
                }
                for key in keys
            ],
        }
    )


def verify(envelope: bytes, *, payload_type: str, keys: Iterable[bytes], max_payload_bytes: int) -> Verified:
    """Return the payload of `envelope` once a signature of one of the raw public `keys` over it was verified.

    Raises: EnvelopeError FORMAT for anything but one well-formed envelope of `payload_type` with 1 to 16
    signatures and a payload of at most `max_payload_bytes`; SIGNATURE when no known key signed it.
    """
    payload, signatures = _open(envelope, payload_type, max_payload_bytes)
    known = {key_id(raw): raw for raw in keys}
    for named, signature in signatures:
        if named in known and _is_signed(payload, payload_type, signature, known[named]):
            return Verified(payload, named)
    raise EnvelopeError("SIGNATURE", "no known key signed this envelope")


def unverified_payload(envelope: bytes, *, payload_type: str, max_bytes: int) -> bytes:
    """Return the payload of `envelope`, which nobody has verified: to find in it which key to verify with, only.

    Raises: EnvelopeError FORMAT.
    """
    return _open(envelope, payload_type, max_bytes)[0]


def _open(envelope: bytes, payload_type: str, max_bytes: int) -> tuple[bytes, list[tuple[str, bytes]]]:
    try:
        fields = strict.load(envelope, max_bytes=max_bytes * 4 // 3 + 4096)
        if not isinstance(fields, dict) or set(fields) != {"payload", "payloadType", "signatures"}:
            raise EnvelopeError("FORMAT", "not an envelope")
        if fields["payloadType"] != payload_type:
            raise EnvelopeError("FORMAT", "an envelope of another type")
        payload = _base64(fields["payload"])
        signatures = [_signature(entry) for entry in _signature_list(fields["signatures"])]
    except strict.StrictError as error:
        raise EnvelopeError("FORMAT", f"not an envelope: {error}") from error
    if len(payload) > max_bytes:
        raise EnvelopeError("FORMAT", "the payload is too large")
    return payload, signatures


def _signature_list(entries: object) -> list[object]:
    if not isinstance(entries, list) or not 1 <= len(entries) <= MAX_SIGNATURES:
        raise EnvelopeError("FORMAT", f"an envelope has 1 to {MAX_SIGNATURES} signatures")
    return entries


def _signature(entry: object) -> tuple[str, bytes]:
    if not isinstance(entry, dict) or set(entry) != {"keyid", "sig"} or not isinstance(entry["keyid"], str):
        raise EnvelopeError("FORMAT", "a signature has the fields keyid and sig")
    return entry["keyid"], _base64(entry["sig"])


def _base64(text: object) -> bytes:
    if not isinstance(text, str):
        raise EnvelopeError("FORMAT", "base64 is expected as text")
    try:
        content = base64.b64decode(text.encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError) as error:
        raise EnvelopeError("FORMAT", "not base64") from error
    if base64.b64encode(content).decode("ascii") != text:
        raise EnvelopeError("FORMAT", "not canonical base64")
    return content


def _is_signed(payload: bytes, payload_type: str, signature: bytes, raw: bytes) -> bool:
    try:
        public_key(raw).verify(signature, _pre_authentication_encoding(payload_type, payload))
    except InvalidSignature:
        return False
    return True


def _pre_authentication_encoding(payload_type: str, payload: bytes) -> bytes:
    kind = payload_type.encode("utf-8")
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)
