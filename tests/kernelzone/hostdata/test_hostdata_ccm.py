"""AES-128-CCM against Wycheproof, through our parameters only (tests/data/wycheproof, with its licence)."""

import json

import pytest
from known_answers import DATA

from kernelzone.hostdata import ccm

GROUPS = json.loads((DATA / "wycheproof" / "aes_ccm_test.json").read_text())["testGroups"]
CASES = [((group["keySize"], group["ivSize"], group["tagSize"]), case) for group in GROUPS for case in group["tests"]]
OURS = (128, 104, 128)
OUR_CASES = [case for sizes, case in CASES if sizes == OURS]
OTHER_CASES = [case for sizes, case in CASES if sizes != OURS]
# key, nonce, tag, content: one of them wrong in each
WRONG_LENGTHS = [
    *((key, 13, 16, 0) for key in (15, 17, 24, 32)),
    *((16, nonce, 16, 0) for nonce in (6, 12, 14)),
    *((16, 13, tag, 0) for tag in (3, 5, 15, 17)),
    *((16, 13, 16, content) for content in (65536, 65537)),
]


def fields(case):
    return {name: bytes.fromhex(case[name]) for name in ("key", "iv", "aad", "msg", "ct", "tag")}


class Explodes:
    def __init__(self, *args):
        raise AssertionError("the library was called with a length that is not ours")


def test_the_set_holds_cases_of_both_kinds():
    assert len(OUR_CASES) >= 6
    assert len(OTHER_CASES) > 500


@pytest.mark.parametrize("case", OUR_CASES, ids=lambda case: f"tc{case['tcId']}")
def test_a_wycheproof_case_of_our_sizes_comes_out_as_it_must(case):
    given = fields(case)
    opened = ccm.unseal(given["key"], given["iv"], given["ct"], given["tag"], given["aad"])
    assert opened == (given["msg"] if case["result"] == "valid" else None)
    if case["result"] == "valid":
        sealed = ccm.seal(given["key"], given["iv"], given["msg"], given["aad"])
        assert sealed == (given["ct"], given["tag"])


@pytest.mark.parametrize("case", OUR_CASES, ids=lambda case: f"tc{case['tcId']}")
def test_every_flipped_bit_of_a_tag_is_refused(case):
    given = fields(case)
    for bit in range(128):
        tag = (int.from_bytes(given["tag"], "big") ^ (1 << bit)).to_bytes(16, "big")
        assert ccm.unseal(given["key"], given["iv"], given["ct"], tag, given["aad"]) is None


def test_every_wycheproof_case_of_other_sizes_is_refused_before_the_library(monkeypatch):
    monkeypatch.setattr(ccm, "AESCCM", Explodes)
    for case in OTHER_CASES:
        given = fields(case)
        with pytest.raises(ValueError, match="AES-128-CCM"):
            ccm.unseal(given["key"], given["iv"], given["ct"], given["tag"], given["aad"])


@pytest.mark.parametrize(
    ("key", "nonce", "tag", "content"),
    WRONG_LENGTHS,
)
def test_a_length_that_is_not_ours_is_a_value_error_of_our_own(monkeypatch, key, nonce, tag, content):
    monkeypatch.setattr(ccm, "AESCCM", Explodes)
    with pytest.raises(ValueError, match="AES-128-CCM"):
        ccm.unseal(bytes(key), bytes(nonce), bytes(content), bytes(tag), b"")
    if tag == 16:
        with pytest.raises(ValueError, match="AES-128-CCM"):
            ccm.seal(bytes(key), bytes(nonce), bytes(content), b"")


def test_the_longest_content_that_the_nonce_allows_is_sealed_and_opened():
    content = bytes(65535)
    ciphertext, tag = ccm.seal(bytes(16), bytes(13), content, b"aad")
    assert ccm.unseal(bytes(16), bytes(13), ciphertext, tag, b"aad") == content
