"""What is settled after a crash, and what the winner of a claim repairs."""

from dataclasses import replace

import pytest
from fault_devices import CannotRead, ListJournal, MemoryDevice
from known_answers import OF_ZONE, changed, images, pair, record

from kernelzone.hostdata import (
    FileJournal,
    HostDataError,
    Intent,
    Outcome,
    read_region,
    recover_host_data,
    repairable_slot,
    watch_host_data,
)

OLD = images("committed 41")
TRUTH = read_region(*OLD, **OF_ZONE)


@pytest.fixture
def journal():
    return ListJournal()


# After a crash (agent.md) ------------------------------------------------------------------------

MINE = pair(replace(TRUTH.record, owner_hostname="global1", previous_digest=TRUTH.record_digest), 42)
OTHERS = pair(replace(TRUTH.record, owner_hostname="other", previous_digest=TRUTH.record_digest), 42)
HALF_A = MINE[0][:2048] + OLD[0][2048:]
HALF_B = MINE[1][:2048] + OLD[1][2048:]
ROT = OLD[0][:300] + b"\xff" + OLD[0][301:]


@pytest.mark.parametrize(
    ("found", "valid", "outcome", "left"),
    [
        (OLD, True, "NOT_APPLIED", OLD),
        ((HALF_A, OLD[1]), True, "NOT_APPLIED", OLD),
        ((MINE[0], OLD[1]), True, "NOT_APPLIED", OLD),
        ((MINE[0], HALF_B), True, "CLAIMED", MINE),
        ((MINE[0], HALF_B), False, "UNKNOWN", (MINE[0], HALF_B)),
        (MINE, False, "CLAIMED", MINE),
        ((ROT, OLD[1]), True, "UNKNOWN", (ROT, OLD[1])),
        ((MINE[0], ROT), True, "UNKNOWN", (MINE[0], ROT)),
        ((OTHERS[0], OLD[1]), True, "LOST", (OTHERS[0], OLD[1])),
        ((OTHERS[0], MINE[1]), True, "LOST", (OTHERS[0], MINE[1])),
        ((MINE[0], OTHERS[1]), True, "LOST", (MINE[0], OTHERS[1])),
        (OTHERS, True, "LOST", OTHERS),
        ((HALF_A, HALF_B), True, "UNKNOWN", (HALF_A, HALF_B)),
        ((bytes(4096), bytes(4096)), True, "UNKNOWN", (bytes(4096), bytes(4096))),
    ],
)
def test_recovery_does_what_the_crash_table_says(tmp_path, journal, found, valid, outcome, left):
    device = MemoryDevice(found)
    settled = recover_host_data(
        device, Intent(OLD, MINE), journal=journal, lock_path=tmp_path / "lock", order_still_valid=valid
    )
    assert settled == outcome
    assert tuple(device.slots) == left
    assert journal.entries == ["committed" if outcome == "CLAIMED" else f"closed {outcome}"]


def recovered(found, tmp_path):
    device = MemoryDevice(found)
    how = {"journal": ListJournal(), "lock_path": tmp_path / "lock", "order_still_valid": True}
    return recover_host_data(device, Intent(OLD, MINE), **how), tuple(device.slots)


def test_recovery_from_every_torn_sector_subset(tmp_path):
    """F3, F5: out of slot A always back, out of slot B always on, nothing in between."""
    for subset in range(256):
        a, b = (mixed(OLD[slot], MINE[slot], subset) for slot in (0, 1))
        assert recovered((a, OLD[1]), tmp_path) == ("NOT_APPLIED", OLD)
        forward = ("NOT_APPLIED", OLD) if b == OLD[1] else ("CLAIMED", MINE)
        assert recovered((MINE[0], b), tmp_path) == forward


def mixed(old, new, subset):
    parts = (slice(sector * 512, sector * 512 + 512) for sector in range(8))
    return b"".join((new if subset >> n & 1 else old)[part] for n, part in enumerate(parts))


def test_an_unreadable_device_leaves_the_intent_open(tmp_path, journal):
    how = {"journal": journal, "lock_path": tmp_path / "lock", "order_still_valid": True}
    with pytest.raises(HostDataError) as refused:
        recover_host_data(CannotRead(OLD, 0), Intent(OLD, MINE), **how)
    assert refused.value.code == "HD_IO"
    assert journal.entries == []


def test_the_file_journal_gives_an_open_intent_back(tmp_path):
    kept = FileJournal(tmp_path / "journal")
    assert kept.open_intent() is None
    kept.intent(*OLD, *MINE)
    assert FileJournal(tmp_path / "journal").open_intent() == Intent(OLD, MINE)
    kept.closed(Outcome.LOST)
    assert kept.open_intent() is None


# The winner's watch -------------------------------------------------------------------------------

NEWER = pair(record(owner_hostname="newer"), 43)


@pytest.mark.parametrize(
    ("seen", "slot"),
    [
        (MINE, None),
        ((MINE[0], HALF_B), 1),
        ((HALF_A, MINE[1]), 0),
        ((MINE[0], bytes(4096)), 1),
        ((MINE[0], MINE[0]), 1),
        ((MINE[0], OTHERS[1]), 1),
        ((OTHERS[0], MINE[1]), 0),
        ((NEWER[0], MINE[1]), None),
        ((MINE[0], NEWER[1]), None),
        ((MINE[0], OLD[1]), None),
        (NEWER, None),
        ((HALF_A, HALF_B), None),
        ((MINE[0], changed(NEWER[1], 40, bytes(16))), None),
        ((MINE[0], changed(NEWER[1], 24, bytes(16))), None),
    ],
)
def test_the_winner_repairs_its_own_record_only_against_damage_and_losers(tmp_path, seen, slot):
    assert repairable_slot(seen, MINE, **OF_ZONE) == slot
    device = MemoryDevice(seen)
    outcome = watch_host_data(device, MINE, lock_path=tmp_path / "lock", **OF_ZONE)
    assert outcome == ("CLAIMED" if slot is not None or seen == MINE else "LOST")
    assert tuple(device.slots) == (MINE if slot is not None else seen)


def test_rot_in_either_slot_never_changes_the_truth():
    """F14."""
    for slot in (0, 1):
        for offset in range(0, 4096, 37):
            rotten = list(OLD)
            rotten[slot] = OLD[slot][:offset] + bytes((OLD[slot][offset] ^ 16,)) + OLD[slot][offset + 1 :]
            region = read_region(*rotten, **OF_ZONE)
            assert region[:3] == (("SINGLE_B", "SINGLE_A")[slot], 41, TRUTH.record)


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "{",
        '{"state": "intent"}',
        '{"state": "intent", "images": ["*", "", "", ""]}',
        '{"state": "intent", "images": [1]}',
    ],
)
def test_a_damaged_journal_of_a_claim_is_named_and_not_taken_for_an_empty_one(tmp_path, content):
    (tmp_path / "journal").write_text(content)
    with pytest.raises(HostDataError, match="journal") as refused:
        FileJournal(tmp_path / "journal").open_intent()
    assert refused.value.code == "HD_JOURNAL"
