"""Pure: ages, sizes, ids, and the geometry of the ownership timeline."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from apps.base import wording
from apps.base.badges import FAMILIES, badge_of
from apps.conflicts.models import Conflict, EvidenceRow
from apps.forced_actions.workflow import State as ForcedState
from apps.jobs.workflow import State as JobState
from apps.zones import timeline as picture
from kernelzone.facts import RegionStatus
from kernelzone.ownership import Verdict
from kernelzone.states import ZoneState

NOW = datetime(2026, 10, 31, 10, 0, tzinfo=UTC)


@dataclass
class Stretch:
    owner_hostid: str
    since: datetime
    until: datetime | None = None
    state: str = "running"
    generation: int = 1
    is_forced: bool = False


@pytest.mark.parametrize(
    ("family", "words"),
    [
        ("verdict", Verdict),
        ("placement", ZoneState),
        ("region", RegionStatus),
        ("job", JobState),
        ("forced-action", ForcedState),
        ("conflict", Conflict.Kind),
        ("severity", Conflict.Severity),
        ("evidence", EvidenceRow.Word),
    ],
)
def test_every_word_of_ours_has_a_badge(family: str, words: type) -> None:
    assert {str(word.value) for word in words} <= set(FAMILIES[family])  # type: ignore[attr-defined]


def test_within_a_family_tone_and_shape_tell_more_than_tone_alone() -> None:
    for words in FAMILIES.values():
        bad = {badge.shape for badge in words.values() if badge.tone == "bad"}
        assert not bad & {badge.shape for badge in words.values() if badge.tone == "quiet"}


def test_a_word_nobody_listed_shows_as_itself() -> None:
    assert badge_of("job", "brand-new").label == "brand new"


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        (None, "never"),
        (NOW - timedelta(seconds=1), "just now"),
        (NOW - timedelta(seconds=59), "59 s ago"),
        (NOW - timedelta(minutes=41, seconds=59), "41 min ago"),
        (NOW - timedelta(hours=47), "1 d ago"),
        (NOW + timedelta(hours=3, seconds=1), "in 3 h"),
    ],
)
def test_ages_are_in_their_largest_whole_unit(moment: datetime | None, text: str) -> None:
    assert wording.ago(moment, NOW) == text


def test_a_uuid_is_shortened_to_its_end_and_a_digest_to_its_beginning() -> None:
    assert wording.short("019ac6f4-1111-7000-8000-0000deadbeef") == "…deadbeef"
    assert wording.short("ab" * 32) == "abababab…"
    assert wording.short("848611d4") == "848611d4"


@pytest.mark.parametrize(
    ("bytes_", "text"), [(0, "0 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (16 * 2**30, "16.0 GiB")]
)
def test_sizes_are_readable(bytes_: int, text: str) -> None:
    assert wording.size(bytes_) == text


def test_there_is_no_timeline_without_a_reading() -> None:
    assert picture.timeline([], {}, NOW) is None


def test_each_owner_has_one_band_in_the_order_of_ownership() -> None:
    day = timedelta(days=1)
    seen = [
        Stretch("a", NOW - 3 * day, NOW - 2 * day),
        Stretch("b", NOW - 2 * day, NOW - day, is_forced=True),
        Stretch("a", NOW - day),
    ]
    drawn = picture.timeline(seen, {"a": "global1"}, NOW)

    assert drawn is not None
    assert [band.name for band in drawn.bands] == ["global1", "b"]
    assert [len(band.bars) for band in drawn.bands] == [2, 1]
    assert drawn.bands[1].bars[0].kind == "forced"
    assert drawn.bands[0].bars[1].is_present


def test_a_moment_of_ownership_is_wide_enough_to_be_seen_and_stays_inside() -> None:
    seen = [
        Stretch("a", NOW - timedelta(days=300), NOW - timedelta(seconds=5)),
        Stretch("b", NOW - timedelta(seconds=5)),
    ]
    drawn = picture.timeline(seen, {}, NOW)

    assert drawn is not None
    bar = drawn.bands[1].bars[0]
    assert bar.width >= picture.MIN_BAR
    assert bar.x + bar.width <= picture.WIDTH - picture.RIGHT + 0.2


@pytest.mark.parametrize("days", [0, 0.1, 1, 9, 60, 800])
def test_there_are_a_few_ticks_whatever_the_span(days: float) -> None:
    drawn = picture.timeline([Stretch("a", NOW - timedelta(days=days))], {}, NOW)

    assert drawn is not None
    assert 1 <= len(drawn.ticks) <= 8
    assert all(picture.LEFT <= tick.x <= picture.WIDTH for tick in drawn.ticks)
