"""One slot: the known answers, and every way in which 4 096 bytes are not a slot of ours."""

import base64
import hashlib
import struct
from uuid import UUID

import pytest
from known_answers import (
    AGENT,
    OF_ZONE,
    RECORD_41,
    VECTORS,
    ZONE_KEY,
    ZONE_UUID,
    changed,
    images,
    mended,
    record,
    slot_image,
)

from kernelzone.hostdata import (
    HostDataError,
    Record,
    block,
    decode_slot,
    encode_slot,
    key_id,
    peek_header,
)

SLOT_A, SLOT_B = images("committed 41")


def code_of(image, *, slot=0, key=ZONE_KEY, zone_uuid=ZONE_UUID):
    """Return the code of the refusal, or None when the slot was accepted."""
    try:
        decode_slot(image, slot=slot, zone_key=key, zone_uuid=zone_uuid)
    except HostDataError as error:
        return error.code
    return None


@pytest.mark.parametrize("vector", VECTORS["slots"], ids=lambda vector: vector["name"])
def test_a_known_slot_comes_out_as_it_must(vector):
    image, want = base64.b64decode(vector["image"]), vector["want"]
    of_zone = {"zone_key": bytes.fromhex(vector["key"]), "zone_uuid": UUID(vector["zone_uuid"])}
    if "error" in want:
        assert (
            code_of(image, slot=vector["slot"], key=of_zone["zone_key"], zone_uuid=of_zone["zone_uuid"])
            == want["error"]
        )
    else:
        slot = decode_slot(image, slot=vector["slot"], **of_zone)
        assert want == {"generation": slot.generation, "record_digest": slot.record_digest.hex()}


def test_a_known_slot_is_written_byte_for_byte():
    known = VECTORS["slot_A_41"]
    written = encode_slot(
        Record.decode(RECORD_41),
        slot=0,
        generation=41,
        agent=AGENT,
        salt=bytes.fromhex(known["salt"]),
        nonce_random=bytes.fromhex(known["random"]),
        **OF_ZONE,
    )
    assert hashlib.sha256(written).hexdigest() == known["sha256"]
    assert written[:128].hex() == known["header"]
    assert written == SLOT_A
    assert key_id(ZONE_KEY).hex() == VECTORS["key_id"]


def test_a_slot_is_a_tuple_that_begins_with_generation_and_record():
    generation, found, *_ = decode_slot(SLOT_A, slot=0, **OF_ZONE)
    assert (generation, found) == (41, Record.decode(RECORD_41))


def test_two_writes_of_one_record_share_no_salt_and_no_ciphertext():
    first, second = (encode_slot(record(), slot=0, generation=1, agent=AGENT, **OF_ZONE) for _ in range(2))
    assert first[56:72] != second[56:72]
    assert first[128:2192] != second[128:2192]


def test_every_single_flipped_bit_is_refused():
    image = bytearray(SLOT_A)
    for offset in range(4096):
        for bit in range(8):
            image[offset] ^= 1 << bit
            assert code_of(bytes(image)) == ("HD_MAGIC" if offset < 8 else "HD_CHECKSUM")
            image[offset] ^= 1 << bit
    assert code_of(bytes(image)) is None


EXPECTED = [
    (range(8), {"HD_MAGIC"}),
    (range(8, 10), {"HD_SUITE"}),
    (range(10, 11), {"HD_SLOT"}),
    (range(11, 16), {"HD_SUITE"}),
    (range(16, 24), {"HD_HEADER"}),
    (range(24, 40), {"HD_ZONE"}),
    (range(40, 56), {"HD_KEYID"}),
    (range(56, 72), {"HD_TAG"}),
    (range(72, 81), {"HD_HEADER"}),
    (range(81, 85), {"HD_TAG"}),
    (range(85, 88), {"HD_HEADER"}),
    (range(88, 104), {"HD_TAG"}),
    (range(104, 128), {"HD_PADDING"}),
    (range(128, 2192), {"HD_TAG"}),
    (range(2192, 4064), {"HD_PADDING"}),
]


@pytest.mark.parametrize(("offsets", "codes"), EXPECTED, ids=lambda value: str(value)[:16])
def test_every_edited_byte_with_a_mended_checksum_is_refused_by_its_own_check(offsets, codes):
    for offset in offsets:
        edited = changed(SLOT_A, offset, bytes((SLOT_A[offset] ^ (1 << offset % 8),)))
        assert code_of(edited) in codes, offset


@pytest.mark.parametrize("size", [0, 511, 4095, 4097, 8192])
def test_an_image_of_another_length_is_refused(size):
    assert code_of((SLOT_A * 2)[:size]) == "HD_LENGTH"


@pytest.mark.parametrize(
    ("edits", "code"),
    [
        ([(0, b"X"), (8, b"\0\2")], "HD_MAGIC"),
        ([(8, b"\0\2"), (10, b"\1")], "HD_SUITE"),
        ([(10, b"\1"), (24, bytes(16))], "HD_SLOT"),
        ([(24, bytes(16)), (40, bytes(16))], "HD_ZONE"),
        ([(40, bytes(16)), (85, b"\0")], "HD_KEYID"),
        ([(85, b"\0"), (104, b"\1")], "HD_HEADER"),
        ([(104, b"\1"), (128, b"\0\0\0\0")], "HD_PADDING"),
    ],
)
def test_of_two_faults_the_earlier_check_names_the_error(edits, code):
    image = SLOT_A
    for offset, value in edits:
        image = changed(image, offset, value)
    assert code_of(image) == code


def test_a_broken_checksum_is_named_before_everything_but_length_and_magic():
    assert code_of(changed(SLOT_A, 8, b"\0\2")[:-1] + b"\0", slot=1) == "HD_CHECKSUM"


@pytest.mark.parametrize("generation", [0, 2**64 - 1])
def test_a_generation_that_contradicts_its_nonce_is_refused(generation):
    assert code_of(changed(SLOT_A, 16, struct.pack(">Q", generation))) == "HD_HEADER"


def test_generation_zero_is_refused_even_with_a_fitting_nonce():
    assert code_of(changed(changed(SLOT_A, 16, bytes(8)), 72, bytes(8))) == "HD_HEADER"


@pytest.mark.parametrize("generation", [0, -1, 2**64 - 1, 2**64])
def test_a_generation_at_its_limit_is_not_written(generation):
    with pytest.raises(HostDataError) as refused:
        encode_slot(record(), slot=0, generation=generation, agent=AGENT, **OF_ZONE)
    assert refused.value.code == "HD_HEADER"


def test_the_last_generation_that_may_be_written_is_read_back():
    image = slot_image(record(), slot=1, generation=2**64 - 2)
    assert decode_slot(image, slot=1, **OF_ZONE).generation == 2**64 - 2


def test_a_well_sealed_slot_with_a_bad_record_is_refused(monkeypatch):
    with monkeypatch.context() as patched:
        patched.setattr(Record, "encode", lambda self: RECORD_41[:-1] + b"\1")
        image = slot_image(record(), slot=0, generation=5)
    assert code_of(image) == "HD_RECORD"


@pytest.mark.parametrize("size", [0, 15, 17, 24, 32])
def test_a_zone_key_of_another_length_is_refused(size):
    assert code_of(SLOT_A, key=bytes(size)) == "KEY_LENGTH"
    with pytest.raises(HostDataError) as refused:
        key_id(bytes(size))
    assert refused.value.code == "KEY_LENGTH"


def test_no_plaintext_is_touched_before_the_tag_is_checked(monkeypatch):
    monkeypatch.setattr(block.Record, "decode", lambda plaintext: pytest.fail("a record was read"))
    assert code_of(changed(SLOT_A, 2176, bytes(16))) == "HD_TAG"


@pytest.mark.parametrize("slot", [-1, 2, 255])
def test_there_are_two_slots_only(slot):
    with pytest.raises(HostDataError):
        encode_slot(record(), slot=slot, generation=1, agent=AGENT, **OF_ZONE)


def test_a_host_without_the_zone_uuid_learns_it_from_the_header_and_proves_it_with_the_tag():
    header = peek_header(SLOT_B)
    assert header == (41, ZONE_UUID, key_id(ZONE_KEY), AGENT)
    assert decode_slot(SLOT_B, slot=1, zone_key=ZONE_KEY, zone_uuid=header.zone_uuid).generation == 41
    forged = peek_header(changed(SLOT_B, 24, bytes(16)))
    assert code_of(changed(SLOT_B, 24, bytes(16)), slot=1, zone_uuid=forged.zone_uuid) == "HD_TAG"


@pytest.mark.parametrize(
    ("image", "code"),
    [
        (b"", "HD_LENGTH"),
        (bytes(4096), "HD_MAGIC"),
        (SLOT_A[:-1] + b"\0", "HD_CHECKSUM"),
        (changed(SLOT_A, 11, b"\2"), "HD_SUITE"),
        (changed(SLOT_A, 10, b"\2"), "HD_SLOT"),
        (changed(SLOT_A, 85, b"\x08"), "HD_HEADER"),
        (changed(SLOT_A, 3000, b"\1"), "HD_PADDING"),
    ],
)
def test_a_header_is_not_shown_of_an_image_that_is_no_slot(image, code):
    with pytest.raises(HostDataError) as refused:
        peek_header(image)
    assert refused.value.code == code


def test_mending_a_checksum_mends_it():
    assert mended(SLOT_A) == SLOT_A  # else the tests above would show nothing
