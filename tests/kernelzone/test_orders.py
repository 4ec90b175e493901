"""Orders, warrants, reports and beacons: exactly their fields, and no rule that only one side knows."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest

from kernelzone import orders, strict
from kernelzone.facts import RegionStatus
from kernelzone.orders import (
    KINDS,
    MAX_ORDER_VALIDITY_S,
    MAX_WARRANT_VALIDITY_S,
    Approver,
    Beacon,
    Effect,
    Expectation,
    Heartbeat,
    Kind,
    Order,
    OrderError,
    PolicyRef,
    ReadingRef,
    RegionDigest,
    Report,
    ReportState,
    Warrant,
    ZoneRef,
)
from kernelzone.words import Digest, HostId, ZoneName

NOW = int(time.time())
DIGEST = Digest("a" * 64)
ARGS: dict[type, dict[str, Any]] = {
    orders.NoArgs: {},
    orders.InspectArgs: {"known_state": None},
    orders.ProbeArgs: {"window_s": 60},
    orders.ConfigureArgs: {"text": "create -b"},
    orders.MigrateArgs: {"target": "ssh://a", "target_hostid": "848611d4", "dry_run": True, "live_only": False},
    orders.EvacuateArgs: {"dry_run": False, "every_zone": True, "is_return": False},
    orders.WithdrawArgs: {"order": str(uuid4())},
    orders.ForcedArgs: {"quiet_window_s": 10},
}
WARRANT = Warrant(
    id=uuid4(),
    attempt=0,
    requester=uuid4(),
    approvers=(Approver(uuid4(), NOW, 1),),
    quorum=1,
    break_glass=False,
    policy=PolicyRef("strict", 1, 1800),
    evidence_sha256=DIGEST,
    reason_sha256=DIGEST,
    reading=ReadingRef("0" * 32, "1" * 32, "boot"),
    expect=Expectation(RegionStatus.CLEAN, 3, DIGEST, (RegionDigest("dev:///dev/x", DIGEST),), None),
    high_water=3,
    checkpoint=None,
    proofs=None,
    fence=None,
)


def order_of(kind: Kind) -> Order:
    rules = KINDS[kind]
    return Order(
        v=1,
        deployment=uuid4(),
        order=uuid4(),
        kind=kind,
        agent=uuid4(),
        owner_hostid=HostId("848611d4"),
        zone=ZoneRef(ZoneName("kzone1"), None) if rules.needs_zone else None,
        not_before=NOW,
        not_after=NOW + 300,
        args=ARGS[rules.args],
        warrant=WARRANT if rules.effect is Effect.FORCED else None,
    )


REPORT = Report(
    v=1,
    deployment=uuid4(),
    agent=uuid4(),
    owner_hostid=HostId("848611d4"),
    epoch="0" * 32,
    seq=1,
    order=None,
    at=NOW,
    monotonic_ms=5,
    boot_id="boot",
    state=ReportState.DONE,
    progress=None,
    code="DONE",
    lines=(),
    result=None,
    high_water={},
)


@pytest.mark.parametrize("kind", Kind)
def test_an_order_of_every_kind_is_read_as_it_was_written(kind: Kind) -> None:
    order = order_of(kind)

    read = orders.read_order(orders.write_order(order))

    assert read == order
    assert isinstance(read.read_args(), KINDS[kind].args)


@pytest.mark.parametrize("kind", Kind)
def test_a_warrant_belongs_to_forced_kinds_and_to_no_other(kind: Kind) -> None:
    order = order_of(kind)

    with pytest.raises(OrderError):
        orders.write_order(replace(order, warrant=None if order.warrant else WARRANT))


@pytest.mark.parametrize("kind", [kind for kind in Kind if KINDS[kind].needs_zone])
def test_a_kind_about_a_zone_names_one(kind: Kind) -> None:
    with pytest.raises(OrderError):
        orders.write_order(replace(order_of(kind), zone=None))


@pytest.mark.parametrize("kind", Kind)
def test_arguments_of_no_kind_are_refused(kind: Kind) -> None:
    with pytest.raises(OrderError):
        orders.write_order(replace(order_of(kind), args={"force": True}))


@pytest.mark.parametrize(
    ("kind", "longest_s"),
    [(Kind.BOOT, MAX_ORDER_VALIDITY_S), (Kind.FORCE_TAKEOVER, MAX_WARRANT_VALIDITY_S)],
)
def test_an_order_is_valid_for_a_limited_time(kind: Kind, longest_s: int) -> None:
    order = order_of(kind)
    orders.write_order(replace(order, not_after=NOW + longest_s))

    for not_after in (NOW + longest_s + 1, NOW, NOW - 1):
        with pytest.raises(OrderError):
            orders.write_order(replace(order, not_after=not_after))


@pytest.mark.parametrize(
    "wrong",
    [
        {"attempt": -1},
        {"attempt": 3},
        {"quorum": 0},
        {"quorum": -1},
        {"policy": PolicyRef("strict", 1, 0)},
        {"expect": replace(WARRANT.expect, regions=())},
    ],
    ids=lambda wrong: next(iter(wrong)),
)
def test_a_warrant_that_no_policy_gives_is_refused(wrong: dict[str, Any]) -> None:
    order = replace(order_of(Kind.FORCE_TAKEOVER), warrant=replace(WARRANT, **wrong))

    with pytest.raises(OrderError) as refused:
        orders.write_order(order)

    assert refused.value.code == "FIELD"


@pytest.mark.parametrize("field", list(strict.write(order_of(Kind.BOOT))))
def test_an_order_lacks_no_field(field: str) -> None:
    fields = strict.write(order_of(Kind.BOOT))
    del fields[field]

    with pytest.raises(OrderError):
        orders.read_order(strict.canonical(fields))


def test_an_order_of_another_version_is_refused() -> None:
    with pytest.raises(OrderError):
        orders.write_order(replace(order_of(Kind.BOOT), v=2))


@pytest.mark.parametrize("content", [b"", b"[]", b"null", b"{}", b"\xff", b"{" * 10_000, b'{"v":1.0}'])
def test_what_is_no_order_is_refused(content: bytes) -> None:
    for read in (orders.read_order, orders.read_report, orders.read_beacon):
        with pytest.raises(OrderError):
            read(content)


def test_a_report_is_read_as_it_was_written() -> None:
    assert orders.read_report(orders.write_report(REPORT)) == REPORT


@pytest.mark.parametrize("wrong", [{"v": 2}, {"seq": 0}, {"seq": -1}])
def test_a_report_without_its_place_is_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(OrderError):
        orders.read_report(orders.write_report(replace(REPORT, **wrong)))


def test_a_beacon_and_a_heartbeat_are_read_as_they_were_written() -> None:
    beacon = Beacon(1, uuid4(), NOW, (uuid4(), uuid4()))
    heartbeat = Heartbeat({"848611d4": DIGEST})

    assert orders.read_beacon(orders.write_beacon(beacon)) == beacon
    assert orders.read_heartbeat(strict.write(heartbeat)) == heartbeat


@pytest.mark.parametrize("result", [None, [], {}, {"hosts": {"848611d4": "no digest"}}, {"hosts": {}, "more": 1}])
def test_what_is_no_heartbeat_is_refused(result: Any) -> None:
    with pytest.raises(OrderError):
        orders.read_heartbeat(result)


def test_a_result_of_another_kind_is_refused() -> None:
    withdrawn = {"withdrawn": True}

    assert orders.read_result(Kind.WITHDRAW, withdrawn).withdrawn
    assert orders.read_result(Kind.WITHDRAW, None) is None
    with pytest.raises(OrderError):
        orders.read_result(Kind.INSPECT, withdrawn)
