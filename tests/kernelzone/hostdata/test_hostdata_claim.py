"""The compare-and-swap on storage that is well, and on storage that is not."""

from dataclasses import replace

import pytest
from fault_devices import CannotRead, FailsWrite, ListJournal, LosesWrite, MemoryDevice, Misdirects, StaleReads
from known_answers import AGENT, OF_ZONE, ZONE_KEY, changed, images, pair, record, slot_image

from kernelzone.hostdata import (
    Device,
    ExpectedRegion,
    FileJournal,
    HostDataError,
    HostDataState,
    Intent,
    change_host_data,
    decode_slot,
    initialise_host_data,
    raw_digest,
    read_region,
    recover_host_data,
    watch_host_data,
    zone_lock,
)

OLD = images("committed 41")
TRUTH = read_region(*OLD, **OF_ZONE)


@pytest.fixture
def journal():
    return ListJournal()


@pytest.fixture
def change(tmp_path, journal):
    """Return a function that takes the zone over on a device, as global1."""

    def taken_over(truth):
        usual = truth or record()
        return replace(usual, owner_hostid="83a0cc71", owner_hostname="global1", state=HostDataState.READY)

    def act(device, **more):
        usual = {"change": taken_over, "journal": journal, "lock_path": tmp_path / "lock", "agent": AGENT}
        return change_host_data(device, **{**usual, **OF_ZONE, **more})

    return act


def expected(slots, **more):
    region = read_region(*slots, **OF_ZONE)
    return ExpectedRegion(region.status, region.generation, region.record_digest, raw_digest(*slots), **more)


def after(device):
    return read_region(*device.slots, **OF_ZONE)


def code(action, *args, **more):
    with pytest.raises(HostDataError) as refused:
        action(*args, **more)
    return refused.value.code


# The ordinary way -------------------------------------------------------------------------------


def test_a_change_is_claimed_written_twice_and_journalled_around(change, journal):
    device = MemoryDevice(OLD)
    outcome = change(device)
    assert (outcome.outcome, outcome.generation, outcome.code) == ("CLAIMED", 42, None)
    assert journal.entries == ["intent", "committed"]
    assert journal.images == (*OLD, *outcome.images)
    now = after(device)
    assert now[:2] == ("CLEAN", 42)
    assert now.record == outcome.record
    assert now.record.previous_digest == TRUTH.record_digest
    assert (now.record_digest, raw_digest(*device.slots)) == (outcome.record_digest, outcome.raw_digest)


def test_nothing_is_written_before_the_intent_is_kept(change, journal):
    device = MemoryDevice(OLD)
    device.before_write = lambda count: journal.entries or pytest.fail("written before INTENT")
    assert change(device).outcome == "CLAIMED"


def test_a_journal_that_is_full_refuses_before_anything_is_written(change):
    """F9."""
    device = MemoryDevice(OLD)
    with pytest.raises(OSError, match="No space"):
        change(device, journal=ListJournal(fails_at="intent"))
    assert (device.writes, tuple(device.slots)) == (0, OLD)


def test_a_change_that_refuses_leaves_everything_alone(change, journal):
    device = MemoryDevice(OLD)

    def refuses(truth):
        raise PermissionError("not the owner")

    with pytest.raises(PermissionError):
        change(device, change=refuses)
    assert (device.writes, journal.entries) == (0, [])


@pytest.mark.parametrize("name", ["claim of 42 over 41", "A torn", "B torn", "both torn", "B ahead of A"])
def test_without_an_approval_only_clean_host_data_is_changed(change, journal, name):
    device = MemoryDevice(images(name))
    assert code(change, device) == "HD_NOT_CLEAN"
    assert (device.writes, journal.entries) == (0, [])


def test_a_second_action_on_the_same_zone_is_refused_while_the_first_holds_the_lock(change, tmp_path):
    device = MemoryDevice(OLD)
    with zone_lock(tmp_path / "lock"):
        assert code(change, device) == "HD_BUSY"
    assert device.writes == 0
    assert change(device).outcome == "CLAIMED"


def test_a_change_works_on_a_real_file(change, tmp_path):
    (tmp_path / "disk").touch()
    device = Device(tmp_path / "disk")
    device.initialise_region()
    for slot in (0, 1):
        device.write_slot(slot, OLD[slot])
    outcome = change(device, journal=FileJournal(tmp_path / "journal"))
    assert outcome.outcome == "CLAIMED"
    assert device.read_slots() == outcome.images
    assert FileJournal(tmp_path / "journal").open_intent() is None


def test_the_last_generation_is_not_followed_by_another(change):
    device = MemoryDevice(pair(record(), 2**64 - 2))
    assert code(change, device) == "HD_HEADER"
    assert device.writes == 0


# Others, time and age ---------------------------------------------------------------------------


def test_host_data_that_changes_between_reading_and_claim_is_left_alone(change, journal):
    device, other = MemoryDevice(OLD), pair(record(owner_hostname="other"), 42)
    device.before_read = lambda count: count == 1 and setattr(device, "slots", list(other))
    assert change(device).outcome == "CHANGED"
    assert (device.writes, journal.entries) == (0, ["intent", "closed CHANGED"])


@pytest.mark.parametrize("reading", [2, 3])
def test_a_claim_that_another_writer_crosses_is_lost_and_repairs_nothing(change, journal, reading):
    device, other = MemoryDevice(OLD), slot_image(record(owner_hostname="other"), slot=0, generation=42)
    device.before_read = lambda count: count == reading and device.store(0, other)
    assert change(device).outcome == "LOST"
    assert device.slots[0] == other
    assert (device.writes, journal.entries[-1]) == (reading - 1, "closed LOST")


def test_a_claim_is_lost_when_slot_b_is_no_longer_the_old_one(change):
    device, other = MemoryDevice(OLD), slot_image(record(owner_hostname="other"), slot=1, generation=42)
    device.before_read = lambda count: count == 2 and device.store(1, other)
    assert change(device).outcome == "LOST"
    assert device.slots[1] == other


def test_an_order_that_ran_out_directly_before_the_first_write_writes_nothing(change, journal):
    """F18: the agent was paused after its checks."""
    device = MemoryDevice(OLD)
    asked_after_reads = []

    def still_valid():
        asked_after_reads.append((device.reads, device.writes))
        return False

    assert change(device, still_valid=still_valid).outcome == "EXPIRED"
    assert asked_after_reads == [(2, 0)]  # the reading of W1 is behind, no write yet
    assert (tuple(device.slots), journal.entries) == (OLD, ["intent", "closed EXPIRED"])


def test_host_data_below_the_high_water_mark_is_refused_unless_that_was_approved(change):
    """F15."""
    device = MemoryDevice(OLD)
    assert code(change, device, high_water=50) == "ROLLBACK"
    assert code(change, device, high_water=50, expected=expected(OLD)) == "ROLLBACK"
    assert device.writes == 0
    accepted = change(device, high_water=50, expected=expected(OLD, accepts_rollback=True))
    assert (accepted.outcome, accepted.generation) == ("CLAIMED", 51)


# Approved changes of host data that is not well ---------------------------------------------------


@pytest.mark.parametrize(
    ("name", "generation", "follows_truth"),
    [
        ("committed 41", 42, True),
        ("claim of 42 over 41", 43, True),
        ("A torn", 42, True),
        ("B torn", 43, True),
        ("gap of two", 44, False),
        ("both torn", 1, False),
    ],
)
def test_an_approved_change_is_claimed_from_any_status(change, name, generation, follows_truth):
    device = MemoryDevice(images(name))
    truth = read_region(*images(name), **OF_ZONE).record_digest
    outcome = change(device, expected=expected(images(name)))
    assert (outcome.outcome, outcome.generation) == ("CLAIMED", generation)
    assert after(device)[:2] == ("CLEAN", generation)
    assert outcome.record.previous_digest == (truth if follows_truth else bytes(32))


def test_an_approved_change_goes_above_what_was_ever_seen(change):
    device = MemoryDevice(images("both torn"))
    assert change(device, expected=expected(images("both torn")), high_water=99).generation == 100


def test_a_forged_header_does_not_raise_the_generation(change):
    forged = (OLD[0], changed(changed(OLD[1], 16, b"\x7f"), 72, b"\x7f"))
    device = MemoryDevice(forged)
    assert change(device, expected=expected(forged)).generation == 42


@pytest.mark.parametrize("field", ["status", "generation", "record_digest", "raw_digest"])
def test_an_approved_change_is_void_when_anything_differs_from_what_was_approved(change, journal, field):
    wrong = {"status": "CLAIM", "generation": 40, "record_digest": bytes(32), "raw_digest": bytes(32)}
    device = MemoryDevice(OLD)
    outcome = change(device, expected=expected(OLD)._replace(**{field: wrong[field]}))
    assert (outcome.outcome, outcome.code) == ("CHANGED", "CHANGED")
    assert (device.writes, journal.entries) == (0, [])


# Initialising -----------------------------------------------------------------------------------


@pytest.fixture
def initialise(tmp_path, journal):
    def act(device, **more):
        usual = {"record": record(), "journal": journal, "lock_path": tmp_path / "lock", "agent": AGENT}
        return initialise_host_data(device, **{**usual, **OF_ZONE, **more})

    return act


def test_a_blank_region_gets_generation_one(initialise, journal):
    device = MemoryDevice((bytes(4096), bytes(4096)))
    assert initialise(device).outcome == "CLAIMED"
    assert after(device)[:2] == ("CLEAN", 1)
    assert after(device).record.previous_digest == bytes(32)
    assert journal.entries == ["intent", "committed"]


def test_install_never_writes_over_anything(initialise):
    for slots in (OLD, (bytes(4096), OLD[1]), (bytes(4095) + b"\1", bytes(4096)), (b"", b"")):
        device = MemoryDevice(slots)
        assert code(initialise, device) == "HD_NOT_BLANK"
        assert device.writes == 0


def test_an_approved_initialisation_puts_a_new_key_on_exactly_the_bytes_that_were_seen(initialise):
    device, fresh = MemoryDevice(OLD), bytes(range(50, 66))
    assert initialise(device, zone_key=fresh, expected_raw=bytes(32)).outcome == "CHANGED"
    assert device.writes == 0
    outcome = initialise(device, zone_key=fresh, expected_raw=raw_digest(*OLD), high_water=41)
    assert (outcome.outcome, outcome.generation) == ("CLAIMED", 42)
    assert read_region(*device.slots, zone_key=fresh, zone_uuid=OF_ZONE["zone_uuid"]).status == "CLEAN"
    assert after(device).slot_errors == ("HD_KEYID", "HD_KEYID")


# Storage that misbehaves ------------------------------------------------------------------------


def test_a_lost_write_is_found_by_the_next_reading(change, journal):
    """F12."""
    outcome = change(LosesWrite(OLD, lost=0))
    assert (outcome.outcome, outcome.code) == ("LOST_WRITE", "HD_LOST_WRITE")
    assert journal.entries == ["intent"]


def test_a_lost_write_of_slot_b_is_taken_back_by_the_recovery(change, journal, tmp_path):
    """F12: the half that was kept must not leave the zone to a person."""
    device = LosesWrite(OLD, lost=1)
    lost = change(device)
    assert lost.code == "HD_LOST_WRITE"
    assert after(device)[:2] == ("CLAIM", 41)
    assert journal.entries == ["intent"]  # stays open for the recovery

    intent = Intent(OLD, lost.images)
    ended = recover_host_data(device, intent, journal=journal, lock_path=tmp_path / "lock", order_still_valid=True)

    assert (ended, device.read_slots()) == ("NOT_APPLIED", OLD)
    assert journal.entries == ["intent", "closed NOT_APPLIED"]


def test_a_misdirected_write_is_an_invalid_slot_and_no_success(change):
    """F13."""
    device = Misdirects(OLD)
    assert change(device).outcome == "LOST"
    assert after(device)[:2] == ("SINGLE_A", 41)
    assert after(device).slot_errors == (None, "HD_SLOT")


@pytest.mark.parametrize(
    ("failed", "kept", "outcome", "status"),
    [
        (0, 0, "NOT_APPLIED", "CLEAN"),
        (0, 3, "UNKNOWN", "SINGLE_B"),
        (0, 8, "CLAIMED", "CLEAN"),
        (1, 0, "UNKNOWN", "CLAIM"),
        (1, 3, "UNKNOWN", "SINGLE_A"),
        (1, 8, "CLAIMED", "CLEAN"),
    ],
)
def test_after_an_io_error_the_next_reading_decides(change, journal, failed, kept, outcome, status):
    """F11. The write is not tried again."""
    device = FailsWrite(OLD, failed, kept)
    assert change(device).outcome == outcome
    assert after(device).status == status
    assert ("committed" in journal.entries) == (outcome == "CLAIMED")


@pytest.mark.parametrize("failed", [0, 1])
def test_after_an_io_error_a_reading_through_the_page_cache_proves_nothing(change, journal, failed):
    device = FailsWrite(OLD, failed, kept=8, direct=False)
    assert change(device).outcome == "UNKNOWN"
    assert journal.entries == ["intent"]  # stays open for the recovery


@pytest.mark.parametrize(("first", "outcome"), [(1, "NOT_APPLIED"), (2, "UNKNOWN"), (3, "UNKNOWN")])
@pytest.mark.parametrize("fault", ["HD_IO", "HD_UNSTABLE"])
def test_storage_that_stops_being_readable_gives_no_success(change, journal, first, outcome, fault):
    """F28."""
    assert change(CannotRead(OLD, first, fault)).outcome == outcome
    assert "committed" not in journal.entries


def test_storage_with_stale_reads_gives_no_success(change, journal):
    """F28."""
    assert change(StaleReads(OLD)).outcome == "LOST_WRITE"
    assert "committed" not in journal.entries


def test_the_slots_of_a_change_are_sealed_under_the_zones_key_alone(change):
    device = MemoryDevice(OLD)
    change(device)
    for slot, image in enumerate(device.slots):
        assert b"global1" not in image
        assert ZONE_KEY not in image
        assert decode_slot(image, slot=slot, **OF_ZONE).agent == AGENT


def test_a_delayed_write_of_a_loser_is_split_and_the_winner_mends_it(change, tmp_path):
    """F17."""
    device, losers = MemoryDevice(OLD), slot_image(record(owner_hostname="other"), slot=1, generation=42)
    won = change(device)
    device.store(1, losers)
    assert after(device).status == "SPLIT"
    assert watch_host_data(device, won.images, lock_path=tmp_path / "lock", **OF_ZONE) == "CLAIMED"
    assert after(device)[:2] == ("CLEAN", 42)
