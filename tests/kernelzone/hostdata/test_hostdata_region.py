"""Two slots: what they prove together."""

import base64
from dataclasses import replace

import pytest
from known_answers import (
    OF_ZONE,
    VECTORS,
    ZONE_KEY,
    ZONE_UUID,
    changed,
    images,
    pair,
    record,
    slot_image,
)

from kernelzone.hostdata import (
    HostDataError,
    RegionStatus,
    decode_slot,
    doubts,
    raw_digest,
    read_region,
    verified_generation,
)

A, B = images("committed 41")
ZERO = bytes(4096)


def status_of(a, b):
    return read_region(a, b, **OF_ZONE).status


@pytest.mark.parametrize("vector", VECTORS["regions"], ids=lambda vector: vector["name"])
def test_a_known_region_comes_out_as_it_must(vector):
    region = read_region(base64.b64decode(vector["A"]), base64.b64decode(vector["B"]), **OF_ZONE)
    digest = region.record_digest.hex() if region.record_digest else None
    assert vector["want"] == {
        "status": region.status,
        "generation": region.generation,
        "record_digest": digest,
    }
    assert (region.record is None) == (digest is None)


def test_the_raw_digest_names_both_images():
    assert raw_digest(A, B).hex() == VECTORS["raw_digest_41"]


def test_a_clean_region_says_one_record_and_no_claim():
    region = read_region(A, B, **OF_ZONE)
    assert region[:2] == (RegionStatus.CLEAN, 41)
    assert (region.record.owner_hostname, region.claim, region.slot_errors) == ("global2", None, (None, None))
    assert region.zone_uuid == ZONE_UUID


def test_a_claim_keeps_the_old_truth_and_shows_who_claims():
    region = read_region(*images("claim of 42 over 41"), **OF_ZONE)
    assert region[:2] == (RegionStatus.CLAIM, 41)
    assert (region.record.owner_hostname, region.claim.owner_hostname) == ("global2", "global1")


def test_two_zero_slots_are_blank_and_nothing_else_is():
    blank = read_region(ZERO, ZERO, **OF_ZONE)
    assert blank[:4] == (RegionStatus.BLANK, 0, None, None)
    assert status_of(ZERO, bytes(4095) + b"\1") == RegionStatus.UNREADABLE
    assert status_of(b"\1" + bytes(4095), ZERO) == RegionStatus.UNREADABLE
    assert status_of(bytes(4095), ZERO) == RegionStatus.UNREADABLE
    assert status_of(b"", b"") == RegionStatus.UNREADABLE
    assert status_of(A, ZERO) == RegionStatus.SINGLE_A
    assert status_of(ZERO, B) == RegionStatus.SINGLE_B


def test_a_region_under_another_key_is_unreadable_not_free():
    region = read_region(A, B, zone_key=bytes(16), zone_uuid=ZONE_UUID)
    assert region[:5] == (RegionStatus.UNREADABLE, 0, None, None, ("HD_KEYID", "HD_KEYID"))
    assert doubts(region) == ("KEY_UNKNOWN",)


def test_a_key_of_another_length_is_refused_whatever_the_slots_hold():
    with pytest.raises(HostDataError) as refused:
        read_region(ZERO, ZERO, zone_key=bytes(15), zone_uuid=ZONE_UUID)
    assert refused.value.code == "KEY_LENGTH"


def test_swapped_slots_prove_nothing():
    assert read_region(B, A, **OF_ZONE).slot_errors == ("HD_SLOT", "HD_SLOT")


@pytest.mark.parametrize(("offset", "code"), [(24, "HD_ZONE"), (40, "HD_KEYID"), (104, "HD_PADDING"), (200, "HD_TAG")])
def test_one_bad_slot_leaves_the_other_alone_and_says_why(offset, code):
    region = read_region(A, changed(B, offset, b"\xa5"), **OF_ZONE)
    assert region[:2] == (RegionStatus.SINGLE_A, 41)
    assert region.slot_errors == (None, code)


def test_equal_generations_with_another_record_are_split():
    twin = slot_image(record(owner_hostname="other"), slot=1, generation=41)
    assert read_region(A, twin, **OF_ZONE)[:3] == (RegionStatus.SPLIT, 41, None)


def test_one_record_at_two_generations_is_split():
    one = record()
    assert status_of(slot_image(one, slot=0, generation=8), slot_image(one, slot=1, generation=7)) == "SPLIT"


def test_a_claim_needs_the_digest_of_the_record_it_follows():
    old = pair(record(), 7)
    digest = decode_slot(old[1], slot=1, **OF_ZONE).record_digest
    claim = record(owner_hostname="global1", previous_digest=digest)
    assert status_of(slot_image(claim, slot=0, generation=8), old[1]) == "CLAIM"
    assert status_of(slot_image(claim, slot=0, generation=9), old[1]) == "SPLIT"
    unlinked = replace(claim, previous_digest=bytes(32))
    assert status_of(slot_image(unlinked, slot=0, generation=8), old[1]) == "SPLIT"
    assert status_of(old[0], slot_image(claim, slot=1, generation=8)) == "SPLIT"


def test_every_torn_sector_subset_shows_the_truth_before_or_after():
    """F3, F5: of slot A never the new owner, of slot B never a third thing."""
    old = images("committed 41")
    new = images("committed 42")
    for subset in range(256):
        a = read_region(torn(old[0], new[0], subset), old[1], **OF_ZONE)
        assert a.status in ("CLEAN", "SINGLE_B", "CLAIM")
        assert (a.generation, a.record.owner_hostname) == (41, "global2")
        b = read_region(new[0], torn(old[1], new[1], subset), **OF_ZONE)
        assert b.status in ("CLAIM", "SINGLE_A", "CLEAN")
        owner = "global2" if b.status == "CLAIM" else "global1"
        assert b.record.owner_hostname == owner
    assert status_of(torn(old[0], new[0], 1), old[1]) == "SINGLE_B"  # tearing does tear


def torn(old, new, subset):
    """Return `old` with those of its 8 sectors replaced by `new`'s that `subset` has a bit for."""
    return b"".join((new if subset >> sector & 1 else old)[sector * 512 : sector * 512 + 512] for sector in range(8))


def test_what_was_seen_before_makes_older_host_data_doubtful():
    region = read_region(A, B, **OF_ZONE)
    assert doubts(region, high_water=41, device_guid="naa.600144f00abbccdd") == ()
    assert doubts(region, high_water=42) == ("ROLLBACK",)
    assert doubts(region, device_guid="naa.another") == ("CLONE_SUSPECTED",)


def test_only_a_verified_tag_counts_for_the_generation_that_was_seen():
    forged = changed(changed(B, 16, b"\x7f"), 72, b"\x7f")
    assert verified_generation(A, forged, **OF_ZONE) == 41
    assert verified_generation(forged, forged, **OF_ZONE) == 0
    assert verified_generation(A, B, zone_key=ZONE_KEY[::-1], zone_uuid=ZONE_UUID) == 0
