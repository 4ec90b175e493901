"""Inspections that found what their order named: confirmed, and believed no further than that."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from signing_agent import inspection

from apps.fleet.models import Host
from apps.fleet.selectors import TAKE_ANYWAY
from apps.history.models import Event
from apps.jobs.models import Job
from apps.jobs.services.ingesting import ingest_reports
from apps.jobs.services.inspecting import insert_inspections

pytestmark = pytest.mark.django_db
HOSTID = "848611d4"
CONFIRMED: list[str] = []
TAKEN: list[str] = []


def keep_confirmed(hosts, now):
    """A hook of the settings."""
    CONFIRMED.extend(host.owner_hostid for host in hosts)


def keep_taken(taken):
    """A hook of the settings."""
    TAKEN.extend(one.host.owner_hostid for one in taken)


@pytest.fixture(autouse=True)
def hooks(settings):
    """Nobody but the tests is told of anything."""
    CONFIRMED.clear()
    TAKEN.clear()
    settings.JOB_RESULT = {"inspect": f"{__name__}.keep_taken"}
    settings.HOSTS_CONFIRMED = [f"{__name__}.keep_confirmed"]


@pytest.fixture
def take_in(client, signing_agent):
    """Return a function that posts envelopes and takes them in; what was told before is forgotten."""

    def take(*envelopes):
        CONFIRMED.clear()
        TAKEN.clear()
        assert signing_agent.post(client, *envelopes).status_code == 202
        return ingest_reports()

    return take


@pytest.fixture
def known(take_in, signing_agent, host):
    """The state of the host, taken in."""
    take_in(signing_agent.report(owner_hostid=HOSTID, result=inspection(HOSTID)))
    host.refresh_from_db()
    return host.state_sha256


def swept() -> Job:
    """Return the host's inspection of a new sweep, sent to its agent."""
    Job.objects.filter(kind="inspect").delete()
    insert_inspections()
    Job.objects.filter(kind="inspect").update(state="sent", envelope=b"{}")
    return Job.objects.select_related("host").get(host__owner_hostid=HOSTID)


def unchanged(agent: Any, job: Job) -> Any:
    return agent.answer(job, "done", code="UNCHANGED")


def test_the_sweep_names_the_state_that_the_site_has(known):
    assert swept().args == {"known_state": known}


def test_the_sweep_wants_a_state_whole_that_is_unknown_or_was_taken_in_long_ago(signing_agent, host, take_in):
    assert swept().args == {"known_state": None}
    take_in(signing_agent.report(owner_hostid=HOSTID, result=inspection(HOSTID)))
    Host.objects.update(state_taken_at=timezone.now() - TAKE_ANYWAY)
    assert swept().args == {"known_state": None}


def test_an_unchanged_host_is_confirmed_and_its_job_done(take_in, signing_agent, host, known):
    job = swept()
    take_in(unchanged(signing_agent, job))
    job.refresh_from_db()
    host.refresh_from_db()
    assert (CONFIRMED, TAKEN) == ([HOSTID], [])
    assert (job.state, job.code) == ("done", "UNCHANGED")
    assert host.inspected_at == host.last_heard_at == job.finished_at


def test_what_became_known_after_the_order_is_not_confirmed_by_it(take_in, signing_agent, host, known):
    job = swept()
    take_in(signing_agent.report(owner_hostid=HOSTID, result=inspection(HOSTID, "kzone1", "kzone2")))
    newest = Host.objects.get(owner_hostid=HOSTID).state_sha256
    take_in(unchanged(signing_agent, job))
    job.refresh_from_db()
    assert (CONFIRMED, TAKEN, job.state) == ([], [], "done")
    assert Host.objects.get(owner_hostid=HOSTID).state_sha256 == newest


def test_within_one_batch_news_before_it_count_more(take_in, signing_agent, host, known):
    job = swept()
    news = signing_agent.report(owner_hostid=HOSTID, result=inspection(HOSTID, "kzone1", "kzone2"))
    take_in(news, unchanged(signing_agent, job))
    assert (CONFIRMED, TAKEN) == ([], [HOSTID])


def test_after_a_verb_it_confirms_nothing(take_in, signing_agent, host, known):
    job = swept()
    Host.objects.update(state_sha256="")
    take_in(unchanged(signing_agent, job))
    assert (CONFIRMED, TAKEN) == ([], [])
    assert swept().args == {"known_state": None}


def test_a_state_known_for_too_long_when_the_order_was_made_is_not_confirmed(take_in, signing_agent, host, known):
    job = swept()
    Host.objects.update(state_taken_at=job.created_at - TAKE_ANYWAY)
    take_in(unchanged(signing_agent, job))
    assert CONFIRMED == []


def test_a_slow_answer_confirms_what_was_young_when_it_was_asked(take_in, signing_agent, host, known):
    job = swept()
    Host.objects.update(state_taken_at=job.created_at - TAKE_ANYWAY + timedelta(seconds=1))
    take_in(unchanged(signing_agent, job))
    assert CONFIRMED == [HOSTID]


@pytest.mark.parametrize("state", ["failed", "refused", "unknown"])
def test_an_inspection_that_did_not_come_to_its_end_confirms_nothing(take_in, signing_agent, host, known, state):
    job = swept()
    take_in(signing_agent.answer(job, state, code="UNCHANGED"))
    job.refresh_from_db()
    assert (CONFIRMED, TAKEN, job.state) == ([], [], state)


def test_unchanged_to_an_order_that_named_no_state_is_put_aside(take_in, signing_agent, host):
    job = swept()
    take_in(unchanged(signing_agent, job))
    job.refresh_from_db()
    assert (CONFIRMED, job.state) == ([], "sent")
    assert Event.objects.get(type="report.put-aside").record["data"]["code"] == "RESULT_FIELD"
