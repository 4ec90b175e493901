"""What proves each kind of conflict, and what comes close and does not."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from apps.conflicts.models import Conflict
from apps.conflicts.policy import RULES, SEVERITY, conflicts_of
from apps.conflicts.seen import ObligationSeen, PlacementSeen, SightingSeen, ZoneSeen
from kernelzone.facts import ReadingFacts, RecordFacts, RegionStatus
from kernelzone.words import Digest, HostId, ZoneName

NOW = datetime(2026, 11, 23, 6, 0, tzinfo=UTC)
OURS, THEIRS, THIRD = "83a0cc71", "848611d4", "84a1b2c3"
HOSTS = {OURS: 1, THEIRS: 2, THIRD: 3}
KEY, OTHER_KEY = "a" * 32, "b" * 32
WARRANT = "c" * 64
Kind = Conflict.Kind


def record(owner: str = THEIRS, state: str = "installed", **fields: Any) -> RecordFacts:
    values: dict[str, Any] = {
        "state": state,
        "owner_hostid": HostId(owner),
        "owner_hostname": "global2",
        "boot_environment": None,
        "boot_environment_uuid": None,
        "updated_at": 1,
        "flags": (),
        "incarnation": "1" * 32,
        "warrant_sha256": None,
        "previous_owner_hostid": None,
        "previous_owner_hostname": None,
        "is_suspended": False,
    }
    return RecordFacts(**values | fields)


def sighting(
    host: str = OURS, status: str = "CLEAN", says: RecordFacts | None = None, *, ago_s: int = 0, **facts: Any
) -> SightingSeen:
    """Return a sighting; what is not CLEAN has no record."""
    values: dict[str, Any] = {
        "nonce": "0" * 32,
        "zone": ZoneName("kzone1"),
        "at": 1,
        "device": "lu:luname.naa.600144f0",
        "device_ids": ("naa.600144f0",),
        "status": RegionStatus(status),
        "generation": 7,
        "zone_uuid": UUID(int=1),
        "raw_sha256": Digest("d" * 64),
        "record_sha256": None,
        "record": (says or record()) if status == "CLEAN" else None,
        "claim": None,
        "key_ids": (KEY, KEY),
        "configured_key_id": KEY,
        "slot_errors": {},
        "warning": None,
    }
    seen = ReadingFacts(**values | facts)
    return SightingSeen(HOSTS[host], 1, host, HOSTS[host], NOW - timedelta(seconds=ago_s), seen)


def placement(
    host: str, state: str, *words: str, is_silent: bool = False, since_s: int = 600, seen_s: int = 0, **fields: Any
) -> PlacementSeen:
    since, seen = (NOW - timedelta(seconds=ago) for ago in (since_s, seen_s))
    return PlacementSeen(HOSTS[host], host, state, words, since, seen, is_silent, **fields)


def obligation(loser: str = THEIRS, *, since_s: int = 300, is_silent: bool = False, **fields: Any) -> ObligationSeen:
    values = {"new_owner_hostid": OURS, "generation": 7, "since": NOW - timedelta(seconds=since_s)}
    return ObligationSeen(owner_hostid=loser, host=HOSTS.get(loser), is_silent=is_silent, **values | fields)


def found(*seen: Any, **fields: Any) -> dict[Conflict.Kind, Any]:
    """Return kind to what was found in a zone of these placements and sightings."""
    placements = tuple(one for one in seen if isinstance(one, PlacementSeen))
    sightings = tuple(one for one in seen if isinstance(one, SightingSeen))
    lost = tuple(one for one in seen if isinstance(one, ObligationSeen))
    collided = {hostid: others for one in seen if isinstance(one, dict) for hostid, others in one.items()}
    zone = ZoneSeen(uuid4(), placements, sightings, obligations=lost, collided=collided, **fields)
    return {one.kind: one for one in conflicts_of(zone)}


BOTH_KEYID = {"A": "HD_KEYID", "B": "HD_KEYID"}
HEALTHY = (placement(THEIRS, "installed"), sighting(THEIRS))
WRONG_KEY = sighting(
    OURS, "UNREADABLE", slot_errors=BOTH_KEYID, key_ids=(OTHER_KEY, OTHER_KEY), raw_sha256=Digest("e" * 64)
)
TAKEN = record(
    OURS, flags=("forced",), previous_owner_hostid=HostId(THEIRS), warrant_sha256=Digest(WARRANT), state="installed"
)
OWNED_HERE = (placement(OURS, "installed"), sighting(OURS, says=TAKEN))
BY_HAND = record(OURS, flags=("forced",), previous_owner_hostid=HostId(THEIRS))

CASES: dict[str, tuple[tuple[Any, ...], set[Conflict.Kind]]] = {
    "healthy": (HEALTHY, set()),
    "nothing known": ((), set()),
    # held-elsewhere
    "an attach was refused": ((placement(OURS, "unavailable"), sighting(OURS)), {Kind.HELD_ELSEWHERE}),
    "unavailable, but its own": ((placement(THEIRS, "unavailable"), sighting(THEIRS)), set()),
    "unavailable, but free": ((placement(OURS, "unavailable"), sighting(OURS, says=record(state="free"))), set()),
    "configured, its owner silent": (
        (placement(OURS, "configured"), placement(THEIRS, "installed", is_silent=True), sighting(OURS)),
        {Kind.HELD_ELSEWHERE},
    ),
    "configured, its owner never told us of it": (
        (placement(OURS, "configured"), sighting(OURS)),
        {Kind.HELD_ELSEWHERE},
    ),
    "a silent host wants nothing new": ((placement(OURS, "unavailable", is_silent=True), sighting(OURS)), set()),
    "running here though another owns it": ((placement(OURS, "running"), sighting(OURS)), set()),
    # stale-configuration
    "configured, its owner well": (
        (placement(OURS, "configured"), *HEALTHY),
        {Kind.STALE_CONFIGURATION},
    ),
    "only the owner configures it": ((placement(THEIRS, "configured"), sighting(THEIRS)), set()),
    # double-run
    "running at two places": (
        (placement(OURS, "running"), placement(THEIRS, "running"), sighting(THEIRS)),
        {Kind.DOUBLE_RUN},
    ),
    "ready here, running there": (
        (placement(OURS, "ready"), placement(THEIRS, "running"), sighting(THEIRS)),
        {Kind.DOUBLE_RUN},
    ),
    "running there when it was last seen, before it started here": (
        (placement(OURS, "running", since_s=60), placement(THEIRS, "running", seen_s=120), sighting(THEIRS)),
        set(),
    ),
    "last seen there in the very second it started here": (
        (placement(OURS, "running", since_s=60), placement(THEIRS, "running", seen_s=60), sighting(THEIRS)),
        {Kind.DOUBLE_RUN},
    ),
    "a live migration": (
        (placement(OURS, "running", "migrating-in"), placement(THEIRS, "running", "migrating-out"), sighting(THEIRS)),
        set(),
    ),
    "installed at two places": (
        (placement(OURS, "installed"), placement(THEIRS, "running"), sighting(THEIRS)),
        set(),
    ),
    # key-wrong, tampered, torn, and which of them one block is
    "both slots under another key": ((WRONG_KEY,), {Kind.KEY_WRONG}),
    "the key is unknown": ((sighting(OURS, "UNREADABLE", warning="KEY_UNKNOWN"),), {Kind.KEY_WRONG}),
    "one slot under another key": (
        (sighting(OURS, "UNREADABLE", slot_errors={"A": "HD_KEYID", "B": "HD_CRC"}),),
        {Kind.TORN},
    ),
    "a tag that does not verify": (
        (sighting(OURS, "UNREADABLE", slot_errors={"A": "HD_TAG", "B": "HD_CRC"}),),
        {Kind.TAMPERED},
    ),
    "a tag that does not verify beside a good slot": (
        (sighting(OURS, "SINGLE_B", slot_errors={"A": "HD_TAG"}),),
        {Kind.TAMPERED},
    ),
    "a rollback": ((sighting(OURS, warning="ROLLBACK"),), {Kind.TAMPERED}),
    **{
        f"the block is {status}": ((sighting(OURS, status, slot_errors={"A": "HD_CRC"}),), {Kind.TORN})
        for status in ("CLAIM", "SINGLE_A", "SINGLE_B", "SPLIT", "UNREADABLE")
    },
    **{f"the block is {status}": ((sighting(OURS, status),), set()) for status in ("BLANK", "UNSTABLE", "NO_STORAGE")},
    # forced-outside
    "a takeover typed by hand": ((placement(OURS, "installed"), sighting(OURS, says=BY_HAND)), {Kind.FORCED_OUTSIDE}),
    "host data begun anew by hand": (
        (placement(OURS, "installed"), sighting(OURS, says=record(OURS, flags=("initialised",)))),
        {Kind.FORCED_OUTSIDE},
    ),
    "host data repaired": (
        (placement(OURS, "installed"), sighting(OURS, says=record(OURS, flags=("repaired",)))),
        set(),
    ),
    "a warrant nobody of ours signed": (
        (sighting(OURS, says=dataclasses.replace(BY_HAND, warrant_sha256=Digest("f" * 64))),),
        {Kind.FORCED_OUTSIDE},
    ),
    # return-pending, and what else follows a takeover
    "taken, its loser away": ((*OWNED_HERE, obligation(is_silent=True)), set()),
    "taken, its loser back": (
        (*OWNED_HERE, placement(THEIRS, "installed"), obligation()),
        {Kind.RETURN_PENDING},
    ),
    "taken, its loser back without the zone": ((*OWNED_HERE, obligation()), {Kind.RETURN_PENDING}),
    "taken from a host nobody knows": ((*OWNED_HERE, obligation("00000001", is_silent=True)), set()),
    "taken, its loser back and running it": (
        (*OWNED_HERE, placement(THEIRS, "running"), obligation()),
        {Kind.RETURN_PENDING, Kind.DOUBLE_RUN},
    ),
    "taken, its loser running it when it was last seen, before that": (
        (*OWNED_HERE, placement(THEIRS, "running", is_silent=True, seen_s=400), obligation(is_silent=True)),
        set(),
    ),
    "taken, its loser held back for good": (
        (*OWNED_HERE, placement(THEIRS, "unavailable")),
        {Kind.STALE_CONFIGURATION},
    ),
    "taken, its loser held back, and the new owner gone": (
        (
            placement(OURS, "installed", is_silent=True),
            sighting(OURS, says=TAKEN),
            placement(THEIRS, "unavailable"),
        ),
        {Kind.HELD_ELSEWHERE},
    ),
    # storage-shared
    "two zones of one host on one boot storage": (
        (placement(THEIRS, "installed", name="a"), placement(THEIRS, "configured", name="b"), sighting(THEIRS)),
        {Kind.STORAGE_SHARED},
    ),
    "two zones of two hosts on one boot storage": (
        (
            placement(THEIRS, "installed", name="a", key_id=KEY),
            placement(OURS, "configured", name="b", key_id=OTHER_KEY),
            sighting(THEIRS),
        ),
        {Kind.STORAGE_SHARED},
    ),
    "another name and no key on the second host": (
        (placement(THEIRS, "installed", name="a", key_id=KEY), placement(OURS, "incomplete", name="b")),
        {Kind.STORAGE_SHARED},
    ),
    "one zone under two names, with one key": (
        (
            placement(THEIRS, "installed", name="a", key_id=KEY),
            placement(OURS, "incomplete", name="b", key_id=KEY),
        ),
        set(),
    ),
    "one zone under one name, its key not on the second host yet": (
        (placement(THEIRS, "installed", name="a", key_id=KEY), placement(OURS, "incomplete", name="a")),
        set(),
    ),
    "a second boot device that is another zone's": (
        (placement(THEIRS, "installed", name="a", also_on=("b",)), sighting(THEIRS)),
        {Kind.STORAGE_SHARED},
    ),
    # hostid-collision
    "somebody else answers as its host": ((*HEALTHY, {THEIRS: ("the agent b",)}), {Kind.HOSTID_COLLISION}),
    "somebody else answers as the owner, which configures nothing": (
        (sighting(OURS), {THEIRS: ("the agent b",)}),
        {Kind.HOSTID_COLLISION},
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_a_zone_has_exactly_the_conflicts_that_are_proved(case: str) -> None:
    seen, kinds = CASES[case]

    assert set(found(*seen, warranted=frozenset({WARRANT}))) == kinds


def test_every_kind_is_found_in_a_case_and_absent_in_another() -> None:
    for kind in Kind:
        assert {kind in kinds for _, kinds in CASES.values()} == {True, False}, kind
    assert set(SEVERITY) == set(Kind)
    assert len(RULES) == len(Kind)


def test_a_takeover_under_a_warrant_of_ours_is_no_conflict() -> None:
    by_us = sighting(OURS, says=dataclasses.replace(BY_HAND, warrant_sha256=Digest(WARRANT)))

    assert Kind.FORCED_OUTSIDE not in found(by_us, warranted=frozenset({WARRANT}))
    assert Kind.FORCED_OUTSIDE in found(by_us)


def test_a_claimant_that_fell_silent_has_not_stopped_wanting_the_zone() -> None:
    silent = (placement(OURS, "unavailable", is_silent=True), sighting(OURS))

    assert set(found(*silent, claimants=frozenset({OURS}))) == {Kind.HELD_ELSEWHERE}
    assert not found(*silent, claimants=frozenset({THIRD}))


@pytest.mark.parametrize("status", ["CLAIM", "UNREADABLE"])
def test_what_a_dead_host_saw_torn_is_repaired_once_another_read_it_whole(status: str) -> None:
    dead = sighting(THEIRS, status, ago_s=3600, slot_errors={"A": "HD_CRC"}, raw_sha256=Digest("e" * 64))
    whole = sighting(OURS, generation=9)

    assert not found(dead, whole, placement(OURS, "installed"))
    assert Kind.TORN in found(dead, whole._replace(confirmed_at=dead.confirmed_at))
    assert Kind.TORN in found(dead, whole._replace(storage=2))
    assert Kind.TORN in found(dead)


def test_a_key_is_wrong_until_host_data_is_under_that_key_whoever_else_can_read_it() -> None:
    wrong = WRONG_KEY._replace(confirmed_at=NOW - timedelta(hours=1))

    assert Kind.KEY_WRONG in found(wrong, sighting(THEIRS, key_ids=(OTHER_KEY, OTHER_KEY)))
    assert Kind.KEY_WRONG not in found(wrong, sighting(THEIRS, key_ids=(KEY, KEY)))


def test_a_rollback_is_not_forgiven_because_another_host_reads_the_old_record_whole() -> None:
    rolled_back = sighting(THEIRS, ago_s=60, warning="ROLLBACK", raw_sha256=Digest("e" * 64))

    assert Kind.TAMPERED in found(rolled_back, sighting(OURS))


def test_the_conflict_is_about_the_host_whose_attach_was_refused_and_names_all_who_want_it() -> None:
    only = found(placement(THIRD, "configured"), placement(OURS, "unavailable"), sighting(THIRD))[Kind.HELD_ELSEWHERE]

    assert (only.host, only.facts["claimants"], only.facts["owner_hostid"]) == (HOSTS[OURS], [OURS, THIRD], THEIRS)


def test_of_two_whole_readings_the_higher_generation_is_believed() -> None:
    old, new = sighting(OURS, says=record(OURS)), sighting(THIRD, generation=8, ago_s=60)
    claim = placement(OURS, "unavailable")

    assert Kind.HELD_ELSEWHERE in found(claim, old, new)
    assert Kind.HELD_ELSEWHERE not in found(claim, old)


def test_a_loser_that_fell_silent_again_has_not_confirmed_anything() -> None:
    silent = (*OWNED_HERE, obligation(is_silent=True))

    assert Kind.RETURN_PENDING in found(*silent, returned=frozenset({THEIRS}))


# --- Solaris: what an attach said is all there is --------------------------------------------------------------------


def attach_said(host: str, owner: str, at: int) -> SightingSeen:
    return sighting(host, "IN_USE", record=record(owner), generation=0, zone_uuid=None, at=at)


def test_a_refused_attach_proves_that_the_zone_is_held_elsewhere() -> None:
    seen = found(placement(OURS, "unavailable"), attach_said(OURS, THEIRS, 10), sighting(THEIRS, "HIDDEN"))

    assert list(seen) == [Kind.HELD_ELSEWHERE]
    assert seen[Kind.HELD_ELSEWHERE].facts["owner_hostid"] == THEIRS


def test_a_zone_that_nobody_can_read_is_no_conflict() -> None:
    assert found(placement(OURS, "installed"), sighting(OURS, "HIDDEN")) == {}


def test_the_newest_attach_is_believed() -> None:
    seen = (placement(OURS, "installed"), attach_said(OURS, OURS, 11), placement(THIRD, "unavailable"))

    assert found(*seen, attach_said(THIRD, THEIRS, 10))[Kind.HELD_ELSEWHERE].facts["owner_hostid"] == OURS


def test_a_refusal_is_over_once_the_owner_has_let_go() -> None:
    refusal = attach_said(OURS, THEIRS, int(NOW.timestamp()) - 60)
    wanting = placement(OURS, "unavailable")

    assert Kind.HELD_ELSEWHERE in found(wanting, refusal, placement(THEIRS, "configured", since_s=120))
    assert found(wanting, refusal, placement(THEIRS, "configured", since_s=30)) == {}
