from dataclasses import replace
from datetime import UTC, datetime
from typing import NamedTuple
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernelzone.facts import ReadingFacts, RecordFacts, RegionStatus
from kernelzone.ownership import USABLE, Verdict, is_over, owner_of, verdict

OURS, OTHER = "848611d4", "0a0b0c0d"
ZONE_UUID = UUID("69ed2e6a-e25a-6d36-e022-ed7261ed8899")
RECORD = RecordFacts(
    state="installed",
    owner_hostid=OURS,
    owner_hostname="global2",
    boot_environment=None,
    boot_environment_uuid=None,
    updated_at=0,
    flags=(),
    incarnation="0" * 32,
    warrant_sha256=None,
    previous_owner_hostid=None,
    previous_owner_hostname=None,
    is_suspended=False,
)


def reading(owner=OURS, *, state="installed", status=RegionStatus.CLEAN, generation=5, raw="a", **changes):
    record = replace(RECORD, owner_hostid=owner, state=state)
    seen = ReadingFacts(
        nonce="0" * 32,
        zone="kzone1",
        at=0,
        device="file:///boot",
        device_ids=(),
        status=status,
        generation=generation,
        zone_uuid=ZONE_UUID,
        raw_sha256=raw * 64,
        record_sha256=f"{owner}{state}",
        record=record if status in (RegionStatus.CLEAN, RegionStatus.CLAIM) else None,
        claim=None,
        key_ids=(),
        configured_key_id=None,
        slot_errors={},
        warning=None,
    )
    return replace(seen, **changes)


def nothing(status, **changes):
    return reading(status=status, generation=0, raw="n", zone_uuid=None, record_sha256=None, **changes)


@pytest.mark.parametrize(
    ("readings", "expected"),
    [
        ([], Verdict.UNKNOWN),
        ([reading(OURS)], Verdict.OURS),
        ([reading(OURS.upper())], Verdict.OURS),
        ([reading(OTHER)], Verdict.HELD_ELSEWHERE),
        ([reading(OTHER, state="suspended")], Verdict.HELD_ELSEWHERE),
        ([reading(OTHER, state="free")], Verdict.FREE),
        ([reading(OURS, status=RegionStatus.CLAIM)], Verdict.UNKNOWN),
        ([reading(OURS, status=RegionStatus.SINGLE_A)], Verdict.UNKNOWN),
        ([reading(OURS, status=RegionStatus.SINGLE_B)], Verdict.UNKNOWN),
        ([reading(OURS, status=RegionStatus.SPLIT)], Verdict.CONTRADICTORY),
        ([nothing(RegionStatus.UNREADABLE)], Verdict.UNREADABLE),
        ([nothing(RegionStatus.BLANK)], Verdict.UNKNOWN),
        ([nothing(RegionStatus.UNSTABLE)], Verdict.UNKNOWN),
        ([nothing(RegionStatus.NO_STORAGE)], Verdict.UNKNOWN),
        ([reading(OURS, record=None)], Verdict.UNKNOWN),
    ],
)
def test_what_one_reading_proves(readings, expected):
    assert verdict(readings, OURS) is expected


@pytest.mark.parametrize(
    ("warning", "expected"),
    [
        ("ROLLBACK", Verdict.CONTRADICTORY),
        ("CLONE_SUSPECTED", Verdict.CONTRADICTORY),
        ("KEY_UNKNOWN", Verdict.UNREADABLE),
        ("A_LATER_WARNING", Verdict.UNKNOWN),
    ],
)
def test_a_warning_takes_the_certainty_away_even_from_clean_host_data(warning, expected):
    assert verdict([reading(OURS, warning=warning)], OURS) is expected
    assert verdict([reading(OTHER, state="free", warning=warning)], OURS) is expected


def test_the_higher_generation_counts_whichever_was_reported_last():
    old, new = reading(OTHER, generation=5), reading(OURS, generation=6, raw="b")

    assert verdict([old, new], OURS) is verdict([new, old], OURS) is Verdict.OURS


def test_two_records_of_one_generation_contradict_each_other():
    assert verdict([reading(OURS), reading(OTHER, raw="b")], OURS) is Verdict.CONTRADICTORY
    assert verdict([reading(OURS), reading(OURS, state="running", raw="b")], OURS) is Verdict.CONTRADICTORY


def test_a_rollback_seen_by_one_reader_is_not_outvoted_by_the_higher_generation_of_another():
    rolled_back = reading(OTHER, generation=4, raw="b", warning="ROLLBACK")

    assert verdict([rolled_back, reading(OURS, generation=6)], OURS) is Verdict.CONTRADICTORY


def test_a_reader_without_the_key_who_saw_the_same_bytes_takes_nothing_away():
    without_key = replace(nothing(RegionStatus.UNREADABLE), raw_sha256="a" * 64)

    assert verdict([reading(OTHER), without_key], OURS) is Verdict.HELD_ELSEWHERE


@pytest.mark.parametrize("status", [RegionStatus.UNREADABLE, RegionStatus.BLANK])
def test_a_reader_who_saw_other_bytes_and_no_record_contradicts(status):
    assert verdict([reading(OURS), nothing(status)], OURS) is Verdict.CONTRADICTORY


def test_a_claim_over_the_newest_record_makes_it_unknown_and_an_older_one_does_not():
    clean = reading(OURS, generation=6)

    claim = reading(OURS, status=RegionStatus.CLAIM, raw="b")

    assert verdict([clean, replace(claim, generation=6)], OURS) is Verdict.UNKNOWN
    assert verdict([clean, replace(claim, generation=5)], OURS) is Verdict.OURS


def test_a_reader_that_could_not_reach_the_storage_takes_nothing_away():
    assert verdict([reading(OURS), nothing(RegionStatus.NO_STORAGE)], OURS) is Verdict.OURS


def test_boot_storages_of_one_zone_must_agree():
    mirror = {"device": "file:///mirror", "raw": "m"}

    assert verdict([reading(OURS), reading(OURS, **mirror)], OURS) is Verdict.OURS
    assert verdict([reading(OURS), reading(OTHER, **mirror)], OURS) is Verdict.CONTRADICTORY
    assert verdict([reading(OURS), reading(OTHER, state="free", **mirror)], OURS) is Verdict.CONTRADICTORY
    assert verdict([reading(OTHER), reading("11111111", **mirror)], OURS) is Verdict.CONTRADICTORY


def test_a_copy_that_cannot_be_read_makes_a_zone_unusable_but_not_less_held():
    lost = nothing(RegionStatus.NO_STORAGE, device="file:///mirror")
    damaged = nothing(RegionStatus.UNREADABLE, device="file:///mirror")

    assert verdict([reading(OURS), lost], OURS) is Verdict.UNKNOWN
    assert verdict([reading(OTHER, state="free"), lost], OURS) is Verdict.UNKNOWN
    assert verdict([reading(OTHER), lost], OURS) is Verdict.HELD_ELSEWHERE
    assert verdict([reading(OURS), damaged], OURS) is Verdict.UNREADABLE


def test_one_storage_under_two_uris_is_one_by_its_device_id():
    ids = ("naa.600144f0dbf8af190000520a55c20001",)
    one = reading(OTHER, generation=5, device="iscsi://h/x", device_ids=ids)
    other = reading(OURS, generation=6, raw="b", device="lu:x", device_ids=ids)

    assert verdict([one, other], OURS) is Verdict.OURS


def test_host_data_of_another_zone_on_the_storage_contradicts():
    strange = reading(OURS, device="file:///mirror", zone_uuid=UUID(int=1))

    assert verdict([reading(OURS), strange], OURS) is Verdict.CONTRADICTORY


def test_an_owner_is_named_only_by_clean_host_data():
    assert owner_of(reading(OTHER)) == OTHER
    assert owner_of(reading(OTHER, state="free")) is None
    assert owner_of(reading(OTHER, status=RegionStatus.CLAIM)) is None
    assert owner_of(reading(OTHER, warning="ROLLBACK")) is None


ANY_READING = st.builds(
    reading,
    st.sampled_from([OURS, OTHER]),
    state=st.sampled_from(["free", "installed", "running"]),
    status=st.sampled_from(RegionStatus),
    generation=st.integers(0, 3),
    raw=st.sampled_from("abc"),
    device=st.sampled_from(["x", "y"]),
    warning=st.sampled_from([None, None, None, "ROLLBACK", "KEY_UNKNOWN"]),
)


@given(st.lists(ANY_READING, max_size=5), st.randoms())
def test_the_order_of_readings_changes_nothing_and_usable_needs_clean_host_data(readings, random):
    found = verdict(readings, OURS)

    shuffled = random.sample(readings, len(readings))
    assert verdict(shuffled, OURS) is found
    if found in USABLE:
        newest = {}
        for seen in readings:
            if seen.status is not RegionStatus.NO_STORAGE:
                newest.setdefault(seen.device, []).append(seen)
        assert newest
        assert all(any(s.status is RegionStatus.CLEAN for s in group) for group in newest.values())
        assert not any(s.warning == "ROLLBACK" and s.status is RegionStatus.CLEAN for s in readings)


# --- Solaris: nobody reads host data, an attach says something at most -----------------------------------------------


def said(owner, at, **changes):
    return reading(
        owner, status=RegionStatus.IN_USE, generation=0, at=at, record=replace(RECORD, owner_hostid=owner), **changes
    )


HIDDEN = nothing(RegionStatus.HIDDEN)


@pytest.mark.parametrize(
    ("readings", "expected"),
    [
        ([HIDDEN], Verdict.HIDDEN),
        ([HIDDEN, nothing(RegionStatus.NO_STORAGE)], Verdict.HIDDEN),
        ([HIDDEN, reading(OTHER)], Verdict.HELD_ELSEWHERE),
        ([HIDDEN, reading(OTHER, state="free")], Verdict.FREE),
        ([HIDDEN, nothing(RegionStatus.BLANK)], Verdict.UNKNOWN),
        ([HIDDEN, replace(HIDDEN, device="file:///second")], Verdict.HIDDEN),
        ([HIDDEN, reading(OURS, device="file:///second")], Verdict.UNKNOWN),
        ([HIDDEN, said(OTHER, 1)], Verdict.HELD_ELSEWHERE),
        ([said(OURS, 1)], Verdict.OURS),
        ([said(OTHER, 1), said(OURS, 2)], Verdict.OURS),
        ([said(OURS, 1), said(OTHER, 2)], Verdict.HELD_ELSEWHERE),
        ([said(OURS, 1), said(OTHER, 1)], Verdict.CONTRADICTORY),
        ([said(OURS, 9), reading(OTHER)], Verdict.HELD_ELSEWHERE),
        ([replace(said(OURS, 1), record=None)], Verdict.UNKNOWN),
    ],
)
def test_where_nobody_can_read_the_newest_attach_counts_and_nothing_becomes_free(readings, expected):
    assert verdict(readings, OURS) is expected
    assert verdict(reversed(readings), OURS) is expected


class Placed(NamedTuple):
    owner_hostid: str
    state: str
    state_since: datetime


@pytest.mark.parametrize(
    ("placed", "expected"),
    [
        ((OTHER, "configured", 11), True),
        ((OTHER, "configured", 9), False),
        ((OTHER, "installed", 11), False),
        ((OURS, "configured", 11), False),
    ],
)
def test_what_an_attach_said_is_over_once_the_host_it_named_has_let_go(placed, expected):
    owner, state, since = placed
    placement = Placed(owner, state, datetime.fromtimestamp(since, UTC))

    assert is_over(said(OTHER, 10), [placement]) is expected
    assert not is_over(reading(OTHER, at=10), [placement])
