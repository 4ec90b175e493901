"""Orders on their way: published once, again when unanswered, given up in time, taken back."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest
from django.db import transaction
from django.utils import timezone
from kombu.exceptions import OperationalError
from signing_agent import SigningAgent

from apps.base.errors import InvalidInput, NotAllowed
from apps.fleet.errors import AgentMissing
from apps.fleet.models import Agent, Host
from apps.fleet.services import HostName, trust_agent
from apps.history.actors import SYSTEM
from apps.history.models import Event
from apps.jobs.errors import KeyTaken, OrderFinished
from apps.jobs.models import Job
from apps.jobs.selectors import withdrawn_orders
from apps.jobs.services import cancel_job, dispatching, insert_job, inspect_now, withdraw_job
from apps.jobs.services.dispatching import PAUSES, dispatch_jobs, dispatch_while_signing
from apps.jobs.services.expiring import LONG_SILENCE, REPORTS_ON_THE_WAY, expire_jobs
from apps.jobs.services.inspecting import forget_routine_jobs, insert_inspections
from kernelzone.orders import MOST_ORDERS_A_MESSAGE

pytestmark = pytest.mark.django_db
OF_A_SWEEP = {"kind": "inspect", "args": {"known_state": None}, "zone_name": "", "subject_kind": "", "subject_id": ""}


class Broker:
    """What was published; it can be made to fail after some orders."""

    def __init__(self) -> None:
        self.orders: list = []
        self.messages: list = []
        self.takes = 10_000

    def send(self, _producer, jobs) -> None:
        if len(self.orders) + len(jobs) > self.takes:
            raise OperationalError("connection refused")
        self.orders += [job.pk for job in jobs]
        self.messages.append(jobs)


@pytest.fixture(autouse=True)
def broker(monkeypatch):
    """No broker is reached: orders are kept in a list."""
    found = Broker()
    monkeypatch.setattr(dispatching, "send_orders", found.send)
    return found


def _later(job, **changes):
    Job.objects.filter(pk=job.pk).update(**changes)
    job.refresh_from_db()


def test_a_signed_order_is_published_once_and_is_then_sent(make_job, broker):
    job = make_job("signed")
    assert (dispatch_jobs(), dispatch_jobs()) == (1, 0)
    job.refresh_from_db()
    assert (job.state, job.sent_count, broker.orders) == ("sent", 1, [job.pk])
    assert job.sent_at is not None


def test_the_orders_of_a_sweep_go_together_and_what_somebody_waits_for_goes_first_and_alone(make_job, broker):
    swept = [make_job("signed", **OF_A_SWEEP) for _ in range(MOST_ORDERS_A_MESSAGE + 1)]
    wanted = [make_job("signed"), make_job("signed")]

    assert dispatch_jobs() == len(swept) + len(wanted)

    assert [len(jobs) for jobs in broker.messages] == [1, 1, MOST_ORDERS_A_MESSAGE, 1]
    assert broker.orders == [job.pk for job in (*wanted, *swept)]


def test_orders_go_together_to_one_agent_only(make_job, broker, host):
    west = SigningAgent(uuid4())
    trust_agent(uuid=west.uuid, key_hex=west.key_hex, name="west", hosts=[HostName("848611d6")])
    other = Host.objects.select_related("agent").get(owner_hostid="848611d6")
    for one in (host, other, host, other):
        make_job("signed", **{**OF_A_SWEEP, "host": one})

    dispatch_jobs()

    assert [[job.host.owner_hostid for job in jobs] for jobs in broker.messages] == [
        ["848611d4", "848611d4"],
        ["848611d6", "848611d6"],
    ]


def test_what_nobody_answers_is_published_again_after_growing_pauses(make_job, broker):
    job = make_job("signed")
    pauses = []
    for _ in range(6):
        assert dispatch_jobs() == 1
        job.refresh_from_db()
        pauses.append(job.send_again_at - timezone.now())
        _later(job, send_again_at=timezone.now())

    assert broker.orders == [job.pk] * 6
    for pause, promised in zip(pauses, [*PAUSES, PAUSES[-1]], strict=True):
        assert promised - timedelta(seconds=2) < pause <= promised
    assert Event.objects.filter(type="job.publish").count() == 1


def test_a_broken_broker_costs_time_and_no_order(make_job, broker):
    jobs = [make_job("signed") for _ in range(3)]
    broker.takes = 1
    assert dispatch_jobs() == 1
    assert sorted(Job.objects.values_list("state", flat=True)) == ["sent", "signed", "signed"]

    broker.takes = 10
    Job.objects.update(send_again_at=timezone.now())
    assert dispatch_jobs() == 3
    assert set(broker.orders) == {job.pk for job in jobs}


@pytest.mark.parametrize("state", ["new", "done", "cancelled", "expired", "failed"])
def test_nothing_else_is_published(make_job, broker, state):
    make_job(state)
    Job.objects.update(send_again_at=None)
    assert (dispatch_jobs(), broker.orders) == (0, [])


def test_orders_of_an_agent_that_is_not_trusted_any_more_stay_here(make_job, broker):
    make_job("signed")
    Agent.objects.update(state="revoked")
    assert (dispatch_jobs(), broker.orders) == (0, [])


def test_an_order_is_not_sent_before_its_time_nor_after(make_job, broker):
    early, late = make_job("signed"), make_job("signed")
    _later(early, not_before=timezone.now() + timedelta(minutes=1))
    _later(late, not_after=timezone.now() - timedelta(seconds=1))
    assert (dispatch_jobs(), broker.orders) == (0, [])


def test_an_order_of_unknown_outcome_is_asked_about_even_after_its_time(make_job, broker):
    job = make_job("unknown")
    _later(job, send_again_at=None, not_after=timezone.now() - timedelta(hours=1))
    assert dispatch_jobs() == 1
    _later(job, send_again_at=None, not_after=timezone.now() - timedelta(days=2))
    assert dispatch_jobs() == 0


def test_a_process_that_died_after_it_claimed_an_order_only_delayed_it(make_job, broker, monkeypatch):
    job = make_job("signed")
    with monkeypatch.context() as patch:
        patch.setattr(dispatching, "_publish", lambda _jobs: (_ for _ in ()).throw(SystemExit))
        with pytest.raises(SystemExit):
            dispatch_jobs()
    job.refresh_from_db()
    assert (job.state, dispatch_jobs()) == ("signed", 0)

    _later(job, send_again_at=timezone.now())
    assert (dispatch_jobs(), broker.orders) == (1, [job.pk])


@pytest.mark.parametrize(
    ("kind", "state", "grace", "after"),
    [
        ("boot", "new", timedelta(0), "expired"),
        ("boot", "signed", timedelta(0), "expired"),
        ("inspect", "sent", REPORTS_ON_THE_WAY, "expired"),
        ("inspect", "running", REPORTS_ON_THE_WAY, "expired"),
        ("boot", "sent", REPORTS_ON_THE_WAY, "expired"),
        ("boot", "running", LONG_SILENCE, "unknown"),
        ("force-takeover", "new", timedelta(0), "expired"),
        ("force-takeover", "sent", LONG_SILENCE, "unknown"),
        ("force-takeover", "running", LONG_SILENCE, "unknown"),
    ],
)
def test_silence_ends_a_job_in_its_own_time_and_never_as_failed(make_job, kind, state, grace, after):
    known = {
        "force-takeover": {"args": {"quiet_window_s": 5}, "warrant": {}},
        "inspect": {"args": {"known_state": None}},
    }
    fields = known.get(kind, {})
    job = make_job(state, kind=kind, **fields)
    if state == "signed":
        _later(job, send_again_at=None)

    assert expire_jobs(job.not_after + grace - timedelta(seconds=1)) == 0
    assert expire_jobs(job.not_after + grace + timedelta(seconds=1)) == 1
    job.refresh_from_db()
    assert (job.state, job.code) == (after, "NO_ANSWER")


def test_an_order_that_was_about_to_be_sent_counts_as_sent(make_job):
    job = make_job("signed", kind="force-takeover", args={"quiet_window_s": 5}, warrant={})
    _later(job, send_again_at=timezone.now())
    assert expire_jobs(job.not_after + timedelta(seconds=1)) == 0
    assert expire_jobs(job.not_after + LONG_SILENCE) == 1
    job.refresh_from_db()
    assert job.state == "unknown"


@pytest.mark.parametrize("state", ["done", "unknown", "expired", "cancelled"])
def test_what_has_ended_does_not_expire(make_job, state):
    job = make_job(state)
    assert expire_jobs(job.not_after + timedelta(days=1)) == 0


@pytest.mark.parametrize(("state", "withdrawals"), [("new", 0), ("sent", 1)])
def test_a_waiting_job_is_cancelled_and_withdrawn_where_it_was_sent(make_job, olga, state, withdrawals):
    job = cancel_job(make_job(state).pk, actor=olga)
    withdrawal = Job.objects.filter(kind="withdraw")
    assert (job.state, withdrawal.count()) == ("cancelled", withdrawals)
    assert withdrawn_orders() == [job.pk] * withdrawals
    assert all(row.args == {"order": str(job.pk)} for row in withdrawal)


def test_an_order_cancelled_while_it_was_being_sent_is_withdrawn(make_job, olga, broker):
    job = make_job("signed")
    _later(job, send_again_at=timezone.now() + timedelta(seconds=5))
    cancel_job(job.pk, actor=olga)
    assert Job.objects.filter(kind="withdraw").count() == 1


def test_a_running_job_goes_on_and_its_agent_is_asked_to_stop(make_job, olga):
    job = cancel_job(make_job("running").pk, actor=olga)
    assert (job.state, withdrawn_orders()) == ("running", [job.pk])
    assert Event.objects.latest("seq").type == "job.withdraw"


def test_to_withdraw_twice_is_to_withdraw_once(make_job):
    job = make_job("running")
    for _ in range(2):
        with transaction.atomic():
            withdraw_job(job, actor=SYSTEM)
    assert Job.objects.filter(kind="withdraw").count() == 1


@pytest.mark.parametrize("state", ["done", "failed", "cancelled", "expired"])
def test_what_has_ended_cannot_be_cancelled(make_job, olga, state):
    job = make_job(state)
    with pytest.raises(OrderFinished):
        cancel_job(job.pk, actor=olga)
    job.refresh_from_db()
    assert job.state == state


def test_a_viewer_cancels_nothing(make_job, vera):
    job = make_job("new")
    with pytest.raises(NotAllowed):
        cancel_job(job.pk, actor=vera)
    job.refresh_from_db()
    assert job.state == "new"


def _insert(host, **fields):
    with transaction.atomic():
        return insert_job(**{"key": str(uuid4()), "kind": "boot", "host": host, "zone_name": "kzone1", **fields})


def test_the_same_key_is_the_same_job_and_never_another(host):
    first = _insert(host, key="k")
    assert _insert(host, key="k").pk == first.pk
    with pytest.raises(KeyTaken):
        _insert(host, key="k", zone_name="kzone2")
    assert Job.objects.count() == 1


@pytest.mark.parametrize("name", ["-z", "a b", "../x", "kz;reboot", "z" * 65, "", "GLOBAL", "global", "kz\u043ene1"])
def test_a_name_that_is_none_is_ordered_nowhere(host, name):
    with pytest.raises(InvalidInput) as refused:
        _insert(host, zone_name=name)
    assert refused.value.stable_code == "zone_name"
    assert Job.objects.count() == 0


@pytest.mark.parametrize("args", [{"more": 1}, {"window_s": "60"}, {"window_s": 60, "more": 1}, {}])
def test_args_that_are_not_the_kinds_are_refused(host, args):
    with pytest.raises(InvalidInput) as refused:
        _insert(host, kind="probe", args=args)
    assert refused.value.stable_code == "args"


def test_a_forced_kind_needs_a_warrant_and_no_other_takes_one(host):
    with pytest.raises(ValueError, match="warrant"):
        _insert(host, kind="force-takeover", args={"quiet_window_s": 5})
    with pytest.raises(ValueError, match="warrant"):
        _insert(host, warrant={})


def test_an_order_is_valid_no_longer_than_its_kind_allows(host):
    day = _insert(host, validity=timedelta(days=7))
    forced = _insert(host, kind="force-takeover", args={"quiet_window_s": 5}, warrant={}, validity=timedelta(hours=1))
    assert day.not_after - day.not_before == timedelta(days=1)
    assert forced.not_after - forced.not_before == timedelta(minutes=10)


def test_a_host_without_a_trusted_agent_is_ordered_nothing(host):
    Agent.objects.update(state="suspended")
    with pytest.raises(AgentMissing):
        _insert(Host.objects.get(pk=host.pk))


def test_the_sweep_gives_each_host_one_inspection_at_a_time(host, settings):
    now = timezone.now()
    assert (insert_inspections(now), insert_inspections(now)) == (2, 0)
    later = now + timedelta(seconds=settings.INSPECT_EVERY_S)
    assert insert_inspections(later) == 0

    Job.objects.update(state="done", envelope=b"{}", created_at=now - timedelta(seconds=settings.INSPECT_EVERY_S))
    assert insert_inspections(later) == 2
    assert Event.objects.filter(type__startswith="job.").count() == 0


def test_the_sweep_leaves_out_who_cannot_answer(host):
    Host.objects.filter(owner_hostid="848611d5").update(retired_at=timezone.now())
    assert insert_inspections() == 1
    Agent.objects.update(state="revoked")
    Job.objects.all().delete()
    assert insert_inspections() == 0


def test_to_inspect_now_twice_is_one_open_inspection(host, olga):
    first, second = inspect_now("848611d4", actor=olga), inspect_now("848611d4", actor=olga)
    assert first.pk == second.pk
    assert Event.objects.filter(type="job.insert").count() == 1


def test_old_inspections_of_the_sweep_are_forgotten_and_nothing_else(host, olga, make_job):
    insert_inspections()
    asked, boot = inspect_now("848611d4", actor=olga), make_job("done")
    Job.objects.update(state="done", envelope=b"{}", created_at=timezone.now() - timedelta(hours=7))
    assert forget_routine_jobs() == 2
    assert set(Job.objects.values_list("pk", flat=True)) == {asked.pk, boot.pk}


def test_who_was_woken_for_a_new_order_waits_until_it_is_signed(make_job, broker, monkeypatch):
    job = make_job("new")
    naps = []

    def sign_after_three(_seconds):
        naps.append(None)
        if len(naps) == 3:
            _later(job, state="signed", envelope=b"{}")

    monkeypatch.setattr(dispatching.time, "sleep", sign_after_three)
    assert dispatch_while_signing() == 1
    assert (len(naps), broker.orders) == (3, [job.pk])


def test_a_signer_that_does_not_run_is_not_waited_for(make_job, broker, monkeypatch):
    job = make_job("new")
    aged = timezone.now() - timedelta(seconds=4)
    monkeypatch.setattr(dispatching.time, "sleep", lambda _seconds: _later(job, created_at=aged))
    assert (dispatch_while_signing(), broker.orders) == (0, [])
