"""Two at once, with real transactions: ingestion, dispatch, sweep, and cancel against a report."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection, transaction
from signing_agent import SigningAgent

from apps.base.errors import DomainError
from apps.fleet.models import Host
from apps.fleet.selectors import deployment_uuid
from apps.fleet.services import HostName, trust_agent
from apps.history.models import Event
from apps.jobs.models import Job, JobLine, ReportEnvelope
from apps.jobs.services import cancel_job, dispatching, inbox, ingesting, insert_job, taking
from apps.jobs.services.dispatching import dispatch_jobs
from apps.jobs.services.inbox import open_posted, store_reports
from apps.jobs.services.ingesting import ingest_reports
from apps.jobs.services.inspecting import insert_inspections

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True)]


def at_once(*functions: Callable[[], Any]) -> list[Any]:
    """Return what each function returned or raised, all of them begun at the same moment, each in its own thread."""
    start = threading.Barrier(len(functions))
    found: list[Any] = [None] * len(functions)

    def run(number: int, function: Callable[[], Any]) -> None:
        start.wait()
        try:
            found[number] = function()
        except Exception as error:  # noqa: BLE001 - what a thread raises is looked at by the test
            found[number] = error
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=one) for one in enumerate(functions)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    return found


@pytest.fixture
def agent(transactional_db: None) -> SigningAgent:
    """An agent the site trusts for one host."""
    agent = SigningAgent(deployment_uuid())
    trust_agent(uuid=agent.uuid, key_hex=agent.key_hex, name="east", hosts=[HostName("848611d4", "global2")])
    return agent


def _job(number: int, state: str = "sent") -> Job:
    host = Host.objects.select_related("agent").get()
    with transaction.atomic():
        job = insert_job(key=str(number), kind="boot", host=host, zone_name="kzone1", subject_kind="zone")
    Job.objects.filter(pk=job.pk).update(state=state, envelope=b"{}")
    return Job.objects.select_related("host").get(pk=job.pk)


def _post(agent: SigningAgent, *envelopes: str) -> Any:
    row = Host.objects.select_related("agent").get().agent
    assert row is not None
    return store_reports(row, [open_posted(row, text.encode()) for text in envelopes])


def _fill_inbox(agent: SigningAgent, count: int) -> None:
    jobs = [_job(number) for number in range(count)]
    _post(agent, *[agent.answer(job, "done", lines=("only once",)) for job in jobs])


def _slowly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Between reading the inbox and acting on it there is time for the other one."""
    read = ingesting.read_rows

    def read_slowly(*arguments: Any) -> Any:
        time.sleep(0.05)
        return read(*arguments)

    monkeypatch.setattr(ingesting, "read_rows", read_slowly)


def _took_twice() -> bool:
    lines = JobLine.objects.count()
    ends = Event.objects.filter(type="job.finish-done").count()
    return (lines, ends, Event.objects.filter(type="report.put-aside").count()) != (6, 6, 0)


def test_two_ingestions_at_once_take_each_report_once(agent, monkeypatch):
    _slowly(monkeypatch)
    _fill_inbox(agent, 6)
    at_once(ingest_reports, ingest_reports)
    ingest_reports()
    assert not _took_twice()
    assert (ReportEnvelope.objects.count(), Job.objects.filter(state="done").count()) == (0, 6)


def test_without_its_lock_ingestion_takes_reports_twice(agent, monkeypatch):
    """What the lock is for: this is how it fails without."""
    _slowly(monkeypatch)
    monkeypatch.setattr(ingesting, "_alone", lambda: True)
    _fill_inbox(agent, 6)
    at_once(ingest_reports, ingest_reports)
    assert _took_twice()


def _published(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    published: list[Any] = []
    monkeypatch.setattr(dispatching, "send_orders", lambda _producer, jobs: published.extend(job.pk for job in jobs))
    return published


def test_two_dispatchers_publish_each_order_once(agent, monkeypatch):
    published = _published(monkeypatch)
    jobs = [_job(number, "signed") for number in range(20)]
    counts = at_once(dispatch_jobs, dispatch_jobs)
    assert (sum(counts), sorted(published)) == (20, sorted(job.pk for job in jobs))


def test_two_posts_of_the_same_reports_store_each_once(agent, monkeypatch):
    _post(agent, agent.report())
    store = inbox._store

    def store_slowly(*arguments: Any) -> Any:
        rows = store(*arguments)
        time.sleep(0.05)
        return rows

    monkeypatch.setattr(inbox, "_store", store_slowly)
    batch = [agent.report() for _ in range(20)]
    held = at_once(lambda: _post(agent, *batch), lambda: _post(agent, *batch))
    assert [getattr(one, "seq", one) for one in held] == [21, 21]
    assert ReportEnvelope.objects.count() == 21


def test_two_sweeps_insert_each_inspection_once(agent):
    at_once(insert_inspections, insert_inspections)
    assert Job.objects.filter(kind="inspect").count() == 1


def test_a_cancel_and_a_report_at_once_leave_one_truth(agent, make_person, monkeypatch):
    olga = make_person("olga", "operator")
    failed: list[str] = []
    note = taking._note_heard
    monkeypatch.setattr(taking, "_note_heard", lambda *arguments: (time.sleep(0.05), note(*arguments)))
    monkeypatch.setattr(ingesting.logger, "exception", lambda event, **_: failed.append(event))
    for number in range(5):
        job = _job(number)
        _post(agent, agent.answer(job, "done"))
        cancelled, taken = at_once(lambda job=job: cancel_job(job.pk, actor=olga), ingest_reports)
        job.refresh_from_db()
        assert (taken, job.state) == (1, "done")
        assert isinstance(cancelled, Job | DomainError), cancelled
    assert (failed, Event.objects.filter(type="report.put-aside").count()) == ([], 0)


def test_of_two_places_that_use_one_number_at_once_one_is_held_and_both_are_suspended(agent):
    first = agent.report(lines=("here",))
    agent.seq -= 1
    second = agent.report(lines=("there",))
    found = at_once(lambda: _post(agent, first), lambda: _post(agent, second))
    assert sorted(one is None for one in found) == [False, True]
    assert ReportEnvelope.objects.count() == 1
    assert Host.objects.select_related("agent").get().agent.state == "suspended"
