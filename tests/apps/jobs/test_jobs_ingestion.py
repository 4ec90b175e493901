"""Reports taken in: what moves a job, what never does, and that one bad report stops nothing."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest
from django.db import OperationalError, transaction
from django.utils import timezone
from signing_agent import SigningAgent, inspection, progress

from apps.fleet.agents import revoke_agent
from apps.fleet.models import Host
from apps.fleet.selectors import TAKE_ANYWAY
from apps.fleet.services import HostName, trust_agent
from apps.history.models import Event, EventDocument
from apps.jobs.models import Job, ReportEnvelope
from apps.jobs.services import WHOLE, insert_job, taking
from apps.jobs.services.ingesting import ingest_reports
from apps.jobs.services.inspecting import insert_inspections
from apps.jobs.workflow import FINISHED_BY_REPORT
from kernelzone import strict
from kernelzone.host_state import state_digest
from kernelzone.orders import InspectResult

pytestmark = pytest.mark.django_db

CALLS: list[tuple[str, object]] = []


def keep_results(taken):
    """A hook of the settings: what it was given is looked at by the tests."""
    CALLS.append(("result", taken))


def keep_confirmed(hosts, now):
    """A hook of the settings."""
    CALLS.append(("confirmed", sorted(host.owner_hostid for host in hosts)))


def keep_moved(job):
    """A hook of the settings."""
    CALLS.append(("moved", str(job.state)))


def fail_for_global1(taken):
    """A hook with a bug."""
    CALLS.append(("result", taken))
    if any(one.host.owner_hostid == "848611d5" for one in taken):
        raise KeyError("a bug of the app above")


@pytest.fixture(autouse=True)
def hooks(settings):
    """The two hooks, for every kind used here."""
    CALLS.clear()
    settings.JOB_RESULT = {"inspect": f"{__name__}.keep_results", "boot": f"{__name__}.keep_results"}
    settings.HOSTS_CONFIRMED = [f"{__name__}.keep_confirmed"]
    settings.JOB_MOVED = {"zone": f"{__name__}.keep_moved"}
    return CALLS


@pytest.fixture
def take_in(client, signing_agent):
    """Return a function that posts envelopes and takes them in."""

    def take(*envelopes, agent=signing_agent):
        assert agent.post(client, *envelopes).status_code == 202
        return ingest_reports()

    return take


def _put_aside():
    events = Event.objects.filter(type="report.put-aside").order_by("seq")
    return [event.record["data"]["code"] for event in events]


def _verb_result():
    outcome = {"verb": "boot", "is_done": True, "exit_code": 0, "code": "DONE", "lines": []}
    return {"outcome": outcome, "placement": None, "readings": [], "in_use": None}


def test_a_job_starts_grows_and_ends_as_its_agent_says(take_in, signing_agent, make_job):
    job = make_job("sent")
    take_in(
        signing_agent.answer(job, "running", progress=progress(1, 3, "checking"), lines=("one", "two")),
        signing_agent.answer(job, "running", progress=progress(2, 3, "attaching"), lines=("three",)),
    )
    job.refresh_from_db()
    assert (job.state, job.progress_done, job.progress_what) == ("running", 2, "attaching")

    last = signing_agent.answer(job, "done", lines=("four",), result=_verb_result())
    take_in(last)
    job.refresh_from_db()
    assert (job.state, job.code, job.finished_at is not None) == ("done", "DONE", True)
    assert bytes(job.final_report).decode() == last
    assert [(line.number, line.text) for line in job.lines.all()] == list(enumerate(["one", "two", "three", "four"], 1))
    assert not ReportEnvelope.objects.exists()
    assert [event.type for event in Event.objects.filter(type__startswith="job.").order_by("seq")] == [
        "job.insert",
        "job.start",
        "job.finish-done",
    ]


def test_a_result_is_taken_in_before_the_one_who_waits_is_told(take_in, signing_agent, make_job):
    job = make_job("running")
    take_in(signing_agent.answer(job, "done", result=_verb_result()))

    assert [name for name, _ in CALLS] == ["result", "moved"]
    (taken,) = CALLS[0][1]
    assert (taken.job.pk, taken.host.owner_hostid, taken.result.outcome.verb) == (job.pk, "848611d4", "boot")


@pytest.mark.parametrize("state", sorted(FINISHED_BY_REPORT))
def test_every_end_an_agent_may_report_is_the_state_of_the_job(take_in, signing_agent, make_job, state):
    job = make_job("sent")
    take_in(signing_agent.answer(job, state, code="CODE"))
    job.refresh_from_db()
    assert (job.state, job.code) == (state, "CODE")


def test_a_report_is_faster_than_the_row_that_says_sent(take_in, signing_agent, make_job):
    job = make_job("signed")
    take_in(signing_agent.answer(job, "running"))
    job.refresh_from_db()
    assert job.state == "running"


def test_an_expired_job_learns_the_truth_when_the_report_comes(take_in, signing_agent, make_job):
    job = make_job("expired")
    take_in(signing_agent.answer(job, "running"), signing_agent.answer(job, "done"))
    job.refresh_from_db()
    assert job.state == "done"


def test_a_cancelled_job_stays_so_when_nothing_was_done_and_else_says_what_was(take_in, signing_agent, make_job):
    untouched, too_late = make_job("cancelled"), make_job("cancelled")
    take_in(signing_agent.answer(untouched, "refused", code="WITHDRAWN"), signing_agent.answer(too_late, "done"))
    untouched.refresh_from_db()
    too_late.refresh_from_db()
    assert (untouched.state, untouched.code, too_late.state) == ("cancelled", "WITHDRAWN", "done")
    assert _put_aside() == []


def test_an_end_that_is_said_again_changes_nothing(take_in, signing_agent, make_job):
    job = make_job("sent")
    take_in(signing_agent.answer(job, "done"))
    CALLS.clear()
    take_in(signing_agent.answer(job, "done"), signing_agent.answer(job, "running"))
    job.refresh_from_db()
    assert (job.state, CALLS, _put_aside()) == ("done", [], [])


@pytest.mark.parametrize("state", ["done", "refused", "failed", "not-applied", "lost"])
def test_another_end_than_the_first_is_put_aside(take_in, signing_agent, make_job, state):
    job = make_job(state)
    other = "failed" if state == "done" else "done"
    take_in(signing_agent.answer(job, other))
    job.refresh_from_db()
    assert (job.state, _put_aside()) == (state, ["RESULT_STATE"])


def test_a_job_that_was_never_signed_is_not_moved_by_a_report(take_in, signing_agent, make_job):
    job = make_job("new")
    take_in(signing_agent.answer(job, "done"))
    job.refresh_from_db()
    assert (job.state, _put_aside()) == ("new", ["RESULT_STATE"])


def test_the_report_of_another_agent_never_moves_a_job(take_in, signing_agent, make_job):
    other = SigningAgent(signing_agent.deployment)
    trust_agent(uuid=other.uuid, key_hex=other.key_hex, name="west")
    job = make_job("running")
    take_in(other.answer(job, "done"), agent=other)
    job.refresh_from_db()
    assert (job.state, _put_aside(), CALLS) == ("running", ["RESULT_AGENT"], [])


def test_the_state_of_a_host_of_another_agent_is_not_believed(take_in, signing_agent, host):
    other = SigningAgent(signing_agent.deployment)
    trust_agent(uuid=other.uuid, key_hex=other.key_hex, name="west")
    take_in(other.report(owner_hostid="848611d4", result=inspection("848611d4")), agent=other)
    host.refresh_from_db()
    assert (host.state_sha256, host.last_heard_at, _put_aside(), CALLS) == ("", None, ["RESULT_AGENT"], [])


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"order": uuid4()}, "RESULT_JOB"),
        ({"owner_hostid": "11111111", "result": inspection("11111111")}, "RESULT_HOST"),
        ({"owner_hostid": "848611d4", "result": inspection("848611d5")}, "RESULT_HOST"),
        ({"owner_hostid": "848611d4", "result": {"host": {}}}, "RESULT_FIELD"),
        ({"owner_hostid": "848611d4"}, "RESULT_FIELD"),
        ({"result": {"hosts": {"848611d4": "short"}}}, "RESULT_FIELD"),
        ({"deployment": uuid4()}, "RESULT_AUDIENCE"),
        ({"agent": uuid4()}, "RESULT_AUDIENCE"),
    ],
)
def test_what_is_about_nothing_of_ours_is_put_aside(take_in, signing_agent, host, fields, code):
    assert take_in(signing_agent.report(**fields)) == 1
    host.refresh_from_db()
    assert (_put_aside(), CALLS, host.state_sha256) == ([code], [], "")


def test_an_answer_about_another_host_than_the_orders_is_put_aside(take_in, signing_agent, make_job):
    job = make_job("running")
    take_in(signing_agent.report("done", order=job.pk, owner_hostid="848611d5"))
    job.refresh_from_db()
    assert (job.state, _put_aside()) == ("running", ["RESULT_HOST"])


def test_a_signed_report_without_its_fields_is_kept_in_the_history_with_its_bytes(take_in, signing_agent):
    text = signing_agent.sign(b'{"epoch":"%s","seq":1}' % (b"a" * 32))
    take_in(text)
    assert _put_aside() == ["RESULT_FIELD"]
    assert [bytes(document.content).decode() for document in EventDocument.objects.all()] == [text]


def test_one_bad_report_stops_no_other(take_in, signing_agent, make_job):
    before, after = make_job("sent"), make_job("sent")
    bad = signing_agent.report(seq=2, order=uuid4())
    signing_agent.seq = 0
    first = signing_agent.answer(before, "done")
    take_in(first, bad, signing_agent.answer(after, "done", seq=3))
    assert sorted(Job.objects.values_list("state", flat=True)) == ["done", "done"]
    assert _put_aside() == ["RESULT_JOB"]


def test_a_bug_in_an_app_above_costs_one_report_and_not_the_batch(take_in, signing_agent, settings):
    settings.JOB_RESULT = {"inspect": f"{__name__}.fail_for_global1"}
    good = signing_agent.report(owner_hostid="848611d4", result=inspection("848611d4"))
    bad = signing_agent.report(owner_hostid="848611d5", result=inspection("848611d5"))
    assert take_in(good, bad, signing_agent.heartbeat(h848611d4="a")) == 3
    digests = dict(Host.objects.values_list("owner_hostid", "state_sha256"))
    assert digests["848611d4"] != ""
    assert digests["848611d5"] == ""
    assert _put_aside() == ["RESULT_BUG"]


def test_a_fault_of_the_database_keeps_the_reports_for_later(take_in, signing_agent, make_job, monkeypatch):
    job = make_job("sent")

    def fail(*_, **__):
        raise OperationalError("deadlock detected")

    with monkeypatch.context() as patch:
        patch.setattr(taking, "move_job", fail)
        assert take_in(signing_agent.answer(job, "done")) == 0
    assert (ReportEnvelope.objects.count(), _put_aside()) == (1, [])

    assert ingest_reports() == 1
    job.refresh_from_db()
    assert job.state == "done"


def test_a_heartbeat_says_which_hosts_were_heard(take_in, signing_agent):
    other = SigningAgent(signing_agent.deployment)
    trust_agent(uuid=other.uuid, key_hex=other.key_hex, name="west")
    take_in(other.heartbeat(h848611d5="a"), agent=other)
    take_in(signing_agent.heartbeat(h848611d4="a"))
    heard = {host.owner_hostid: host.last_heard_at is not None for host in Host.objects.all()}
    assert heard == {"848611d4": True, "848611d5": False}


def test_the_sweep_is_taken_in_by_as_many_queries_for_one_report_as_for_twenty(
    take_in, signing_agent, client, django_assert_max_num_queries
):
    with django_assert_max_num_queries(40) as few:
        take_in(signing_agent.report(owner_hostid="848611d4", result=inspection()))
    many = [signing_agent.report(owner_hostid="848611d4", result=inspection()) for _ in range(20)]
    with django_assert_max_num_queries(len(few)):
        take_in(*many)


def test_an_inspection_of_the_sweep_ends_without_events_and_its_digest_is_kept(take_in, signing_agent, host):
    insert_inspections()
    Job.objects.update(state="sent", envelope=b"{}")
    before = Event.objects.count()
    job = Job.objects.select_related("host").get(host=host)
    result = inspection()
    take_in(signing_agent.answer(job, "running"), signing_agent.answer(job, "done", result=result))
    job.refresh_from_db()
    host.refresh_from_db()
    assert (job.state, Event.objects.count()) == ("done", before)
    assert _digest_of_agent(result) == host.state_sha256
    assert len(CALLS) == 1


def _digest_of_agent(result):
    """The digest as the agent computes it."""
    return state_digest(strict.read(InspectResult, result))


def test_a_report_past_a_gap_waits_for_the_missing_one_and_then_no_longer(client, signing_agent, make_job):
    job = make_job("sent")
    missing = signing_agent.answer(job, "running", lines=("first",))
    signing_agent.post(client, signing_agent.answer(job, "done", lines=("second",)))
    assert ingest_reports() == 0
    job.refresh_from_db()
    assert job.state == "sent"

    signing_agent.post(client, missing)
    assert ingest_reports() == 2
    assert [line.text for line in job.lines.all()] == ["first", "second"]


def test_what_never_comes_is_waited_for_a_minute(client, signing_agent, make_job):
    job = make_job("sent")
    signing_agent.post(client, signing_agent.answer(job, "done", seq=2))
    ReportEnvelope.objects.update(received_at=timezone.now() - timedelta(seconds=61))
    assert ingest_reports() == 1
    job.refresh_from_db()
    assert job.state == "done"


def test_a_line_is_cut_and_cleaned(take_in, signing_agent, make_job):
    job = make_job("running")
    take_in(signing_agent.answer(job, "running", lines=("\x1b[2J" + "x" * 5000,)))
    (line,) = job.lines.all()
    assert (line.text[:4], len(line.text)) == ("?[2J", 1024)


def test_a_final_report_of_an_asked_for_inspection_is_an_event(take_in, signing_agent, host, olga):
    with transaction.atomic():
        job = insert_job(key="k", kind="inspect", host=host, args=WHOLE, subject_kind="host", requested_by=olga)
    Job.objects.update(state="sent", envelope=b"{}")
    take_in(signing_agent.answer(job, "done", result=inspection()))
    event = Event.objects.latest("seq")
    assert (event.type, event.actor_kind) == ("job.finish-done", "agent")
    assert event.record["data"] == {"kind": "inspect", "from": "sent", "to": "done", "code": "DONE"}


def _state(agent, *zones, hostname="global2"):
    return agent.report(owner_hostid="848611d4", result=inspection("848611d4", *zones, hostname=hostname))


def _names():
    return [name for name, _ in CALLS]


def test_a_state_that_is_known_is_confirmed_and_not_taken_in_again(take_in, signing_agent, host):
    take_in(_state(signing_agent))
    take_in(_state(signing_agent))
    assert CALLS[1:] == [("confirmed", ["848611d4"])]
    host.refresh_from_db()
    assert host.inspected_at == host.last_heard_at > host.state_taken_at


def test_another_state_is_taken_in_and_so_is_the_first_when_it_comes_back(take_in, signing_agent, host):
    for zones in (("kzone1",), ("kzone1", "kzone2"), ("kzone1",)):
        take_in(_state(signing_agent, *zones))
    assert _names() == ["result"] * 3


def test_within_one_batch_a_state_that_comes_back_is_taken_in(take_in, signing_agent, host):
    take_in(_state(signing_agent, "kzone1"))
    take_in(_state(signing_agent, "kzone1", "kzone2"), _state(signing_agent, "kzone1"))
    last = CALLS[-1][1][-1]
    assert [placement.zone for placement in last.result.placements] == ["kzone1"]
    assert _names() == ["result", "result"]


def test_after_a_verb_the_state_from_before_it_is_news_again(take_in, signing_agent, make_job, host):
    take_in(_state(signing_agent))
    take_in(signing_agent.answer(make_job("running"), "done", result=_verb_result()))
    take_in(_state(signing_agent))
    assert [name for name in _names() if name != "moved"] == ["result"] * 3


def test_a_known_state_is_taken_in_again_after_a_while(take_in, signing_agent, host):
    take_in(_state(signing_agent))
    Host.objects.update(state_taken_at=timezone.now() - TAKE_ANYWAY)
    take_in(_state(signing_agent))
    assert _names() == ["result", "result"]


def test_an_inspection_somebody_asked_for_is_always_taken_in(take_in, signing_agent, host, olga):
    take_in(_state(signing_agent))
    with transaction.atomic():
        job = insert_job(key="k", kind="inspect", host=host, args=WHOLE, subject_kind="host", requested_by=olga)
    Job.objects.update(state="sent", envelope=b"{}")
    take_in(signing_agent.answer(job, "done", result=inspection()))
    assert _names() == ["result", "result"]


def test_a_host_that_is_given_to_another_agent_begins_anew(take_in, signing_agent, host):
    take_in(_state(signing_agent))
    revoke_agent(signing_agent.uuid)
    other = SigningAgent(signing_agent.deployment)
    trust_agent(uuid=other.uuid, key_hex=other.key_hex, name="west", hosts=[HostName("848611d4")])
    take_in(_state(other), agent=other)
    assert _names() == ["result", "result"]
