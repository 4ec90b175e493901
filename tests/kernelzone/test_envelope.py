"""DSSE: what is signed is verified as exact bytes; whatever else comes is refused with one of two codes."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from kernelzone import envelope
from kernelzone.envelope import EnvelopeError

TYPE = "application/vnd.kzfleet.order+json"
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
RAW = envelope.raw_public_key(KEY)
OTHER = envelope.raw_public_key(Ed25519PrivateKey.from_private_bytes(bytes(32)))
PAYLOAD = b'{"v":1}'
SIGNED = envelope.sign(PAYLOAD, payload_type=TYPE, key=KEY)
WYCHEPROOF = Path(__file__).parents[1] / "data" / "wycheproof" / "ed25519_test.json"
ORDER_L = 2**252 + 27742317777372353535851937790883648493
PRIME = 2**255 - 19


def verified(content: bytes, *keys: bytes) -> bytes:
    return envelope.verify(content, payload_type=TYPE, keys=keys or (RAW,), max_payload_bytes=64 * 1024).payload


def refusal(content: bytes, *keys: bytes) -> str:
    with pytest.raises(EnvelopeError) as refused:
        verified(content, *keys)
    return refused.value.code


def changed(**fields: Any) -> bytes:
    return json.dumps(json.loads(SIGNED) | fields).encode()


def test_what_was_signed_is_returned_byte_for_byte() -> None:
    found = envelope.verify(SIGNED, payload_type=TYPE, keys=[OTHER, RAW], max_payload_bytes=100)

    assert found == (PAYLOAD, envelope.key_id(RAW))


def test_the_encoding_that_is_signed_is_that_of_dsse() -> None:
    # The example of the DSSE 1.0 protocol.
    found = envelope._pre_authentication_encoding("http://example.com/HelloWorld", b"hello world")

    assert found == b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"


@given(st.binary(max_size=300))
def test_any_bytes_can_be_signed(payload: bytes) -> None:
    assert verified(envelope.sign(payload, payload_type=TYPE, key=KEY)) == payload


def test_every_changed_bit_of_an_envelope_is_refused() -> None:
    for place in range(len(SIGNED) * 8):
        content = bytearray(SIGNED)
        content[place // 8] ^= 1 << place % 8
        with pytest.raises(EnvelopeError):
            verified(bytes(content))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"null",
        b"[]",
        b"\xff",
        b"{}",
        SIGNED[:-1],
        SIGNED[:-1] + b',"payload":""}',
        b"[" * 10_000 + b"]" * 10_000,
        changed(payloadType="application/vnd.kzfleet.report+json"),
        changed(payloadType=None),
        changed(signatures=[]),
        changed(signatures=None),
        changed(signatures=json.loads(SIGNED)["signatures"] * 17),
        changed(signatures=[{"sig": "AA=="}]),
        changed(signatures=[{"keyid": 1, "sig": "AA=="}]),
        changed(signatures=[{"keyid": "a", "sig": "%"}]),
        changed(payload="*"),
        changed(payload="QQ"),
        changed(payload="QR=="),
        changed(payload="Qü=="),
        changed(payload=7),
        changed(payload=base64.b64encode(bytes(64 * 1024 + 1)).decode()),
        changed(payload=base64.b64encode(bytes(1024 * 1024)).decode()),
        changed(more=1),
    ],
    ids=range(24),
)
def test_what_is_no_envelope_is_refused_as_format(content: bytes) -> None:
    assert refusal(content) == "FORMAT"


def test_only_a_known_key_counts() -> None:
    assert refusal(SIGNED, OTHER) == "SIGNATURE"
    assert verified(SIGNED, OTHER, RAW) == PAYLOAD


def test_a_key_id_says_nothing_without_its_signature() -> None:
    (entry,) = json.loads(SIGNED)["signatures"]
    forged = {"keyid": entry["keyid"], "sig": base64.b64encode(bytes(64)).decode()}

    assert refusal(changed(signatures=[forged])) == "SIGNATURE"
    assert verified(changed(signatures=[forged, entry])) == PAYLOAD


def test_a_signature_over_another_type_does_not_count() -> None:
    report = json.loads(envelope.sign(PAYLOAD, payload_type="application/vnd.kzfleet.report+json", key=KEY))

    assert refusal(json.dumps(report | {"payloadType": TYPE}).encode()) == "SIGNATURE"


def test_a_signature_with_s_not_reduced_is_refused() -> None:
    (entry,) = json.loads(SIGNED)["signatures"]
    signature = base64.b64decode(entry["sig"])
    larger = (int.from_bytes(signature[32:], "little") + ORDER_L).to_bytes(32, "little")
    malleable = entry | {"sig": base64.b64encode(signature[:32] + larger).decode()}

    assert refusal(changed(signatures=[malleable])) == "SIGNATURE"


SMALL_ORDER = [
    0,
    1,
    PRIME - 1,
    2707385501144840649318225287225658788936804267575313519463743609750303402022,
    55188659117513257062467267217118295137698188065244968500265048394206261417927,
]


@pytest.mark.parametrize("y", SMALL_ORDER)
@pytest.mark.parametrize("sign_bit", [0, 1])
def test_a_key_of_small_order_is_refused(y: int, sign_bit: int) -> None:
    with pytest.raises(EnvelopeError) as refused:
        envelope.public_key((y | sign_bit << 255).to_bytes(32, "little"))

    assert refused.value.code == "SIGNATURE"


@pytest.mark.parametrize("y", [PRIME, PRIME + 1, 2**255 - 1])
def test_a_key_that_is_not_canonical_is_refused(y: int) -> None:
    with pytest.raises(EnvelopeError):
        envelope.public_key(y.to_bytes(32, "little"))


@pytest.mark.parametrize("length", [0, 31, 33])
def test_a_key_of_another_length_is_refused(length: int) -> None:
    with pytest.raises(EnvelopeError):
        envelope.public_key(bytes([3] * length))


def test_a_known_key_of_small_order_proves_nothing() -> None:
    small = (1).to_bytes(32, "little")
    entry = {"keyid": envelope.key_id(small), "sig": base64.b64encode(small + bytes(32)).decode()}

    assert refusal(changed(signatures=[entry]), small) == "SIGNATURE"


def _wycheproof() -> list[Any]:
    groups = json.loads(WYCHEPROOF.read_bytes())["testGroups"]
    return [
        pytest.param(group["publicKey"]["pk"], case, id=f"{case['tcId']}-{case['result']}")
        for group in groups
        for case in group["tests"]
    ]


@pytest.mark.parametrize(("key", "case"), _wycheproof())
def test_wycheproof_ed25519_through_the_envelope(
    key: str, case: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Their signatures are over the bare message; the rest of the way is ours.
    monkeypatch.setattr(envelope, "_pre_authentication_encoding", lambda kind, payload: payload)
    raw, message = bytes.fromhex(key), bytes.fromhex(case["msg"])
    content = json.dumps(
        {
            "payload": base64.b64encode(message).decode(),
            "payloadType": TYPE,
            "signatures": [
                {"keyid": envelope.key_id(raw), "sig": base64.b64encode(bytes.fromhex(case["sig"])).decode()}
            ],
        }
    ).encode()

    if case["result"] == "valid":
        assert verified(content, raw) == message
    else:
        assert refusal(content, raw) == "SIGNATURE"
