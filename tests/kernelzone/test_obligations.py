"""Obligations, and whose a zone is as its readings prove it."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID, uuid4

import pytest

from kernelzone import strict
from kernelzone.facts import PlacementFacts, ReadingFacts, RecordFacts, RegionStatus
from kernelzone.ids import uuid7
from kernelzone.obligations import (
    MAX_OBLIGATIONS_BYTES,
    MOST_OBLIGATIONS,
    Obligation,
    ObligationError,
    Obligations,
    read_obligations,
    write_obligations,
)
from kernelzone.orders import ZoneRef
from kernelzone.standing import BY_HOST_DATA, BY_OBLIGATION, Held, Standing, may_run, standing, why_held
from kernelzone.words import HostId, ZoneName

HERE, THERE = HostId("848611d4"), HostId("83a0cc71")
ZONE = ZoneName("kzone1")
UUID_OF_ZONE = UUID(int=7)

RECORD = RecordFacts("installed", HERE, "global2", None, None, 1, (), "0" * 32, None, None, None, False)
READING = ReadingFacts(
    "0" * 32,
    ZONE,
    1,
    "dev:dsk/a",
    (),
    RegionStatus.CLEAN,
    5,
    UUID_OF_ZONE,
    None,
    None,
    RECORD,
    None,
    (),
    None,
    {},
    None,
)
PLACEMENT = PlacementFacts(ZONE, UUID_OF_ZONE, "installed", (), True, (), None, None)
OBLIGATION = Obligation(uuid7(), HERE, ZoneRef(ZONE, UUID_OF_ZONE), THERE, 5, uuid7(), 1)


def says(owner: HostId, state: str = "installed", **changes: object) -> ReadingFacts:
    record = replace(RECORD, owner_hostid=owner, state=state)
    return replace(READING, record=record, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("readings", "expected"),
    [
        ([says(HERE)], Standing.OWN),
        ([says(HERE), says(HERE)], Standing.OWN),
        ([says(THERE)], Standing.LOST),
        ([says(THERE), says(HostId("00000001"))], Standing.LOST),
        ([], Standing.UNPROVEN),
        ([says(HERE), says(THERE)], Standing.UNPROVEN),
        ([says(THERE), says(THERE, "free")], Standing.UNPROVEN),
        ([says(THERE, "free")], Standing.UNPROVEN),
        ([says(THERE), replace(READING, status=RegionStatus.NO_STORAGE, record=None)], Standing.UNPROVEN),
        *(([says(THERE, status=status)], Standing.UNPROVEN) for status in set(RegionStatus) - {RegionStatus.CLEAN}),
        *(([says(THERE, warning=name)], Standing.UNPROVEN) for name in ("ROLLBACK", "CLONE_SUSPECTED", "KEY_UNKNOWN")),
    ],
)
def test_only_whole_host_data_that_agrees_everywhere_proves_whose_a_zone_is(
    readings: list[ReadingFacts], expected: Standing
) -> None:
    assert standing(HERE, readings) is expected


@pytest.mark.parametrize(
    ("placement", "readings", "expected"),
    [
        (PLACEMENT, [says(THERE)], Held(BY_HOST_DATA, THERE)),
        (replace(PLACEMENT, state="running"), [says(THERE)], Held(BY_HOST_DATA, THERE)),
        (replace(PLACEMENT, state="unavailable"), [says(THERE)], Held(BY_HOST_DATA, THERE)),
        (replace(PLACEMENT, state="unavailable", autoboot=False), [says(THERE)], None),
        (replace(PLACEMENT, state="configured"), [says(THERE)], None),
        (replace(PLACEMENT, auxiliary=("migrating-out",)), [says(THERE)], None),
        (PLACEMENT, [says(HERE)], None),
        (PLACEMENT, [], None),
    ],
)
def test_what_a_host_had_and_another_has_taken_is_held(
    placement: PlacementFacts, readings: list[ReadingFacts], expected: Held | None
) -> None:
    assert why_held(placement, HERE, readings, None) == expected


@pytest.mark.parametrize(
    ("readings", "is_held"),
    [
        ([], True),
        ([says(THERE)], True),
        ([says(HERE, generation=5)], True),
        ([says(HERE, generation=6)], False),
        ([says(HERE, generation=6, warning="CLONE_SUSPECTED")], True),
        ([says(HERE, generation=6), says(THERE, generation=6)], True),
        ([says(HERE, "free", generation=6)], True),
        ([says(HERE, status=RegionStatus.IN_USE, generation=0, at=2)], False),
        ([says(HERE, status=RegionStatus.IN_USE, generation=0, at=1)], True),
        ([says(THERE, status=RegionStatus.IN_USE, generation=0, at=2)], True),
        ([replace(READING, status=RegionStatus.HIDDEN, record=None)], True),
    ],
)
def test_an_obligation_stands_until_newer_host_data_names_the_host_again(
    readings: list[ReadingFacts], is_held: bool
) -> None:
    expected = Held(BY_OBLIGATION, THERE) if is_held else None

    assert why_held(replace(PLACEMENT, state="configured"), HERE, readings, OBLIGATION) == expected


@pytest.mark.parametrize(
    ("state", "expected"),
    [("running", True), ("ready", True), ("unknown", True), ("installed", False), ("not-configured", False)],
)
def test_a_state_that_is_not_known_may_be_running(state: str, expected: bool) -> None:
    assert may_run(state) is expected


def test_obligations_are_read_as_they_were_written_and_in_no_other_form() -> None:
    whole = Obligations(1, uuid4(), uuid4(), 5, (OBLIGATION,))
    payload = write_obligations(whole)

    assert read_obligations(payload) == whole
    for wrong in (b"", b"[]", payload.replace(b'"v":1', b'"v":2'), payload.replace(b'"at":5', b'"at":"5"')):
        with pytest.raises(ObligationError):
            read_obligations(wrong)
    fields = strict.write(whole)
    with pytest.raises(ObligationError):
        read_obligations(strict.canonical({**fields, "more": 1}))


def test_as_many_obligations_as_are_signed_at_most_fit() -> None:
    longest = replace(OBLIGATION, zone=ZoneRef(ZoneName("z" * 64), UUID_OF_ZONE), generation=2**52)

    payload = write_obligations(Obligations(1, uuid4(), uuid4(), 2**40, (longest,) * MOST_OBLIGATIONS))

    assert len(payload) < MAX_OBLIGATIONS_BYTES
