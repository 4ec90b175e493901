"""What an order must pass: every code, refused and passed from one setup. Refused means that nothing was touched."""

from __future__ import annotations

import dataclasses
import hashlib
import threading
from collections.abc import Callable
from uuid import uuid4

import pytest
from agent_lab import GLOBAL1, Deployment, host_data
from agent_process import rewrite
from agent_site import FORCED_ARGS, warrant_for

from kernelzone import orders, strict
from kernelzone.facts import RegionStatus
from kernelzone.hostdata import REGION_BYTES
from kernelzone.orders import Approver, ForcedArgs, Kind, Order, PolicyRef, ReadingRef, ZoneRef
from kernelzone.portable import verbs
from kzagent import checks
from kzagent.execution import execute
from kzagent.identity import load_settings
from kzagent.intents import OrderClaim

Change = Callable[[Deployment, Order], Order]


# --- 5: an order runs once ------------------------------------------------------------------------------------------


def test_the_same_order_again_is_answered_with_the_same_report(deployment: Deployment) -> None:
    order = deployment.takeover()
    deployment.run(order)
    after, reports = host_data(deployment), dict(deployment.site.reports)
    posts = deployment.site.posts

    deployment.run(order)

    assert deployment.site.posts > posts + 1, "the last report was not sent again"
    assert (host_data(deployment), deployment.site.reports) == (after, reports)


def test_an_order_id_with_other_bytes_raises_an_alarm_and_changes_nothing(deployment: Deployment) -> None:
    order = deployment.takeover()
    deployment.run(order)
    after = host_data(deployment)

    deployment.run(dataclasses.replace(order, not_after=order.not_after + 1))

    alarm = deployment.site.about(order.order)[-1]
    assert (alarm.state, alarm.code) == ("running", "REPLAY")
    assert deployment.site.final(order.order).code == "DONE"  # type: ignore[union-attr]
    assert host_data(deployment) == after
    # the alarm does not take the place of the result
    deployment.run(order)
    assert deployment.site.final(order.order).code == "DONE"  # type: ignore[union-attr]


def test_a_hundred_copies_to_many_threads_run_once(deployment: Deployment) -> None:
    order = deployment.takeover()
    text = deployment.authority.sign(order)
    ready = threading.Barrier(10)

    def carry() -> None:
        ready.wait()
        for _ in range(10):
            execute(deployment.agent, text)

    threads = [threading.Thread(target=carry) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    deployment.send()

    said = [report.progress.what for report in deployment.site.about(order.order) if report.progress]
    assert said.count("claiming host data") == 1
    assert deployment.result(order) == ("done", "DONE")


# --- 6 to 8 ---------------------------------------------------------------------------------------------------------


def refused(deployment: Deployment, order: Order) -> str:
    """Return the code with which `order` was refused; host data is as it was, and nothing is left open."""
    before = host_data(deployment)
    deployment.run(order)
    state, code = deployment.result(order)
    assert state == "refused"
    assert host_data(deployment) == before
    return code


def test_a_kind_that_the_agents_own_file_does_not_name_is_refused(deployment: Deployment) -> None:
    kinds = tuple(kind for kind in Kind if kind is not Kind.FORCE_TAKEOVER)
    rewrite(deployment.directory, load_settings(deployment.directory), kinds=kinds)
    deployment.agent.journal.close()
    deployment.start()
    deployment.send()

    order = deployment.takeover()
    assert refused(deployment, order) == "KIND"
    assert "add it to kinds in its agent.json" in deployment.site.about(order.order)[-1].lines[0]


def test_a_zone_that_is_not_here_is_refused(deployment: Deployment) -> None:
    assert refused(deployment, deployment.order(Kind.BOOT, "nowhere")) == "ZONE"


def test_a_zone_whose_uuid_is_another_is_refused(deployment: Deployment) -> None:
    deployment.inspected()
    right = deployment.fleet.global1.placement_facts("kzone2").zone_uuid
    order = deployment.order(Kind.READY, "kzone2")
    assert order.zone is not None

    wrong = dataclasses.replace(order, zone=ZoneRef(order.zone.name, uuid4()))
    assert refused(deployment, wrong) == "ZONE"

    named = dataclasses.replace(deployment.order(Kind.EXPORT, "kzone2"), zone=ZoneRef(order.zone.name, right))
    deployment.run(named)
    assert deployment.result(named) == ("done", "DONE")


@pytest.mark.parametrize(
    ("not_before_s", "not_after_s", "code"),
    [(121, 300, "EARLY"), (119, 300, None), (-300, -1, "EXPIRED"), (-300, 60, None)],
)
def test_an_order_outside_its_times_is_refused(
    deployment: Deployment, not_before_s: int, not_after_s: int, code: str | None
) -> None:
    now = deployment.clock.now()
    order = deployment.order(Kind.INSPECT, not_before=now + not_before_s, not_after=now + not_after_s)

    deployment.run(order)

    assert deployment.result(order) == (("refused", code) if code else ("done", "DONE"))


@pytest.mark.parametrize("moved_s", [-3600, -121, 121, 86_400])
def test_a_wall_clock_that_the_authority_contradicts_is_refused(deployment: Deployment, moved_s: int) -> None:
    deployment.clock.wall_s = moved_s

    assert refused(deployment, deployment.order(Kind.INSPECT, not_before=1, not_after=1000)) == "CLOCK"

    deployment.clock.wall_s = 0
    order = deployment.order(Kind.INSPECT)
    deployment.run(order)
    assert deployment.result(order) == ("done", "DONE")


def test_a_beacon_of_ten_minutes_ago_confirms_nothing(deployment: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "BEACON_WAIT_S", 0.0)
    deployment.site.beacon_shift_s = None
    deployment.clock.slept_ms = 601_000
    deployment.clock.wall_s = 601
    now = deployment.clock.now()
    order = deployment.order(Kind.INSPECT, not_before=now, not_after=now + 60)

    assert refused(deployment, order) == "CLOCK"


def test_an_order_that_comes_before_the_first_beacon_asks_for_one(deployment: Deployment) -> None:
    deployment.agent.journal.close()
    deployment.start()
    assert deployment.agent.authority.age_s() is None
    order = deployment.order(Kind.INSPECT)

    deployment.run(order)

    assert deployment.result(order) == ("done", "DONE")


# --- 9 to 15: forced kinds ------------------------------------------------------------------------------------------


def with_warrant(order: Order, **changes: object) -> Order:
    assert order.warrant is not None
    return dataclasses.replace(order, warrant=dataclasses.replace(order.warrant, **changes))  # type: ignore[arg-type]


def _reading(order: Order, **changes: object) -> Order:
    assert order.warrant is not None
    return with_warrant(order, reading=dataclasses.replace(order.warrant.reading, **changes))  # type: ignore[arg-type]


def _approvers(order: Order, *persons: object) -> Order:
    return with_warrant(order, approvers=tuple(Approver(person, 1, n) for n, person in enumerate(persons)))  # type: ignore[arg-type]


def _expect(order: Order, **changes: object) -> Order:
    assert order.warrant is not None
    return with_warrant(order, expect=dataclasses.replace(order.warrant.expect, **changes))  # type: ignore[arg-type]


def _requester(order: Order) -> object:
    assert order.warrant is not None
    return order.warrant.requester


ONE = uuid4()
UNWARRANTED: dict[str, tuple[str, Change]] = {
    "another epoch": ("EPOCH", lambda d, o: _reading(o, epoch="0" * 32)),
    "another start of the machine": ("EPOCH", lambda d, o: _reading(o, boot_id="other")),
    "a reading that is not mine": ("STALE_READING", lambda d, o: _reading(o, nonce="0" * 32)),
    "a reading of another zone": ("STALE_READING", lambda d, o: _reading(o, nonce=_nonce(d, "kzone2"))),
    "a reading too old": ("STALE_READING", lambda d, o: _aged(d, with_warrant(o, policy=PolicyRef("strict", 1, 60)))),
    "a reading that said otherwise": ("STALE_READING", lambda d, o: _expect(o, regions=_other_region(o))),
    "one approver": ("QUORUM", lambda d, o: _approvers(o, uuid4())),
    "the same approver twice": ("QUORUM", lambda d, o: _approvers(o, ONE, ONE)),
    "the same approver beside others": ("QUORUM", lambda d, o: _approvers(o, ONE, ONE, uuid4())),
    "the requester approves": ("QUORUM", lambda d, o: _approvers(o, _requester(o), uuid4())),
    "the requester beside others": ("QUORUM", lambda d, o: _approvers(o, _requester(o), uuid4(), uuid4())),
    "fewer than the quorum": ("QUORUM", lambda d, o: with_warrant(o, quorum=3)),
    "fewer than my own file": ("QUORUM", lambda d, o: with_warrant(_approvers(o, ONE), quorum=1)),
    "break-glass": ("QUORUM", lambda d, o: with_warrant(o, break_glass=True)),
    "another status": ("CHANGED", lambda d, o: _expect(o, status=RegionStatus.CLAIM)),
    "another generation": ("CHANGED", lambda d, o: _expect(o, generation=7)),
    "another record": ("CHANGED", lambda d, o: _expect(o, record_sha256="c" * 64)),
    "host data that moved on": ("CHANGED", lambda d, o: _owner_acts(o, d)),
    "older than what was seen": ("ROLLBACK", lambda d, o: with_warrant(o, high_water=99)),
    "a zone that is ready here": ("BUSY", lambda d, o: _ready_here(d)),
}


def _nonce(deployment: Deployment, zone: str) -> str:
    return warrant_for(deployment.inspected(), zone).reading.nonce


def _aged(deployment: Deployment, order: Order) -> Order:
    deployment.clock.slept_ms += 61_000
    deployment.clock.wall_s += 61
    deployment.site.beacon_shift_s = 61
    return order


def _other_region(order: Order) -> tuple[object, ...]:
    assert order.warrant is not None
    return tuple(dataclasses.replace(one, raw_sha256="d" * 64) for one in order.warrant.expect.regions)


def _owner_acts(order: Order, deployment: Deployment) -> Order:
    assert verbs.detach(deployment.fleet.global2, "kzone1").is_done
    return order


def _ready_here(deployment: Deployment) -> Order:
    assert verbs.ready(deployment.fleet.global1, "kzone2").is_done
    return deployment.takeover("kzone2")


@pytest.mark.parametrize("what", UNWARRANTED)
def test_a_takeover_that_is_not_fully_warranted_is_refused(deployment: Deployment, what: str) -> None:
    code, spoil = UNWARRANTED[what]
    order = spoil(deployment, deployment.takeover())

    assert refused(deployment, order) == code


def test_the_same_takeover_unspoiled_is_done(deployment: Deployment) -> None:
    order = deployment.takeover()

    deployment.run(order)

    assert deployment.result(order) == ("done", "DONE")


def test_a_journal_that_was_lost_closes_every_reading(deployment: Deployment) -> None:
    order = deployment.takeover()
    deployment.agent.journal.close()
    for path in deployment.directory.glob("journal.db*"):
        path.unlink()
    deployment.start()
    deployment.send()

    assert refused(deployment, order) == "EPOCH"


def test_storage_that_is_written_to_during_the_window_is_refused(deployment: Deployment) -> None:
    args = strict.write(ForcedArgs(quiet_window_s=2))
    quiet, active = (dataclasses.replace(deployment.takeover(), args=args) for _ in range(2))
    writer = threading.Timer(0.7, lambda: _write_a_block(deployment))
    writer.start()

    assert refused(deployment, active) == "STORAGE_ACTIVE"

    writer.join()
    deployment.run(quiet)
    assert deployment.result(quiet) == ("done", "DONE")
    watched = [one.progress.what for one in deployment.site.about(quiet.order) if one.progress]
    assert "watching boot storage, 1 of 2 s" in watched


def _write_a_block(deployment: Deployment) -> None:
    with deployment.fleet.image("kzone1").open("r+b") as image:
        image.seek(REGION_BYTES + 8192)
        image.write(b"a guest writes")


def test_a_window_longer_than_allowed_is_refused(deployment: Deployment) -> None:
    order = dataclasses.replace(deployment.takeover(), args=strict.write(ForcedArgs(quiet_window_s=601)))

    assert refused(deployment, order) == "FIELD"


# --- 17 and the moment before the first write -----------------------------------------------------------------------


def test_an_order_withdrawn_before_it_came_is_refused(deployment: Deployment) -> None:
    order = deployment.takeover()
    withdrawal = deployment.order(Kind.WITHDRAW, args={"order": str(order.order)})
    deployment.run(withdrawal)
    assert deployment.site.final(withdrawal.order).result == {"withdrawn": True}  # type: ignore[union-attr]

    assert refused(deployment, order) == "VETO"


def test_an_order_withdrawn_in_the_window_is_refused_at_intent(deployment: Deployment) -> None:
    order = dataclasses.replace(deployment.takeover(), args=strict.write(ForcedArgs(quiet_window_s=2)))
    deployment.site.withdrawn = (order.order,)
    threading.Timer(0.5, deployment.agent.link.ask).start()

    assert refused(deployment, order) == "VETO"


def test_a_withdrawal_after_the_act_comes_too_late(deployment: Deployment) -> None:
    order = deployment.takeover()
    deployment.run(order)
    withdrawal = deployment.order(Kind.WITHDRAW, args={"order": str(order.order)})

    deployment.run(withdrawal)

    report = deployment.site.final(withdrawal.order)
    assert report is not None
    assert (report.code, report.result) == ("TOO_LATE", {"withdrawn": False})
    assert deployment.result(order) == ("done", "DONE")


def test_a_full_disk_at_intent_refuses_before_shared_storage_is_touched(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = deployment.takeover()
    intent = OrderClaim.intent

    def intent_on_a_full_disk(self: OrderClaim, *images: bytes) -> None:
        limit(deployment, full=True)
        try:
            intent(self, *images)
        finally:
            limit(deployment, full=False)

    monkeypatch.setattr(OrderClaim, "intent", intent_on_a_full_disk)

    assert refused(deployment, order) == "JOURNAL"


def limit(deployment: Deployment, *, full: bool) -> None:
    """Let the journal's file grow no more, or again."""
    database = deployment.agent.journal.database
    (used,) = database.row("PRAGMA page_count")  # type: ignore[misc]
    database.row(f"PRAGMA max_page_count = {used if full else 1_000_000}")


def test_an_agent_paused_between_intent_and_the_first_write_does_not_write(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = deployment.takeover()
    intent, before = OrderClaim.intent, host_data(deployment)

    def then_sleep(self: OrderClaim, *images: bytes) -> None:
        intent(self, *images)
        deployment.clock.slept_ms += 600_000

    monkeypatch.setattr(OrderClaim, "intent", then_sleep)

    deployment.run(order)

    assert deployment.result(order) == ("not-applied", "EXPIRED")
    assert host_data(deployment) == before


# --- the table ------------------------------------------------------------------------------------------------------


def test_every_check_has_its_place_in_order() -> None:
    numbers = [check.number for check in (*checks.RECEIVING, *checks.EVERY_KIND, *checks.FORCED_KINDS)]

    assert numbers == [1, *range(3, 17)]  # 2 is verified together with 1, 17 is the claim's INTENT


def test_initialising_gives_a_zone_new_host_data_under_a_new_key(deployment: Deployment) -> None:
    old_key = deployment.fleet.global1.placement("kzone1").key()
    order = deployment.takeover(kind=Kind.INITIALIZE_HOSTDATA)

    deployment.run(order)

    assert deployment.result(order) == ("done", "DONE")
    record = deployment.fleet.global1.read("kzone1")[0].record
    assert record is not None
    assert (record.owner_hostid, record.flags) == (GLOBAL1, ("initialised",))
    assert deployment.fleet.global1.placement("kzone1").key() != old_key


def test_a_takeover_names_its_warrant_in_host_data(deployment: Deployment) -> None:
    order = deployment.takeover()
    payload = orders.write_order(order)

    deployment.run(order)

    record = deployment.fleet.global1.read("kzone1")[0].record
    assert record is not None
    assert record.warrant_sha256 == hashlib.sha256(payload).hexdigest()


def test_a_takeover_on_unchanged_arguments_has_the_window_of_the_agents_own_file(deployment: Deployment) -> None:
    rewrite(deployment.directory, load_settings(deployment.directory), quiet_window_min_s=1)
    deployment.agent.journal.close()
    deployment.start()
    deployment.send()
    order = deployment.takeover()
    assert order.args == FORCED_ARGS

    deployment.run(order)

    watched = [one.progress.of for one in deployment.site.about(order.order) if one.progress]
    assert deployment.result(order) == ("done", "DONE")
    assert 1 in watched


def test_reading_ref_names_the_machine_not_the_portable_host(deployment: Deployment) -> None:
    order = deployment.takeover()
    assert order.warrant is not None

    assert order.warrant.reading == ReadingRef(
        order.warrant.reading.nonce, deployment.agent.journal.epoch, deployment.clock.boot_id
    )
