"""Two places that speak with one agent's key: found by what one agent alone cannot have said, and then not believed."""

from __future__ import annotations

import copy

import pytest
from django.db import transaction

from apps.fleet.agents import resume_agent
from apps.fleet.errors import AgentMissing
from apps.fleet.models import Agent
from apps.history.models import Event
from apps.jobs.models import ReportEnvelope, ReportSeen
from apps.jobs.services import insert_job
from apps.jobs.services.doubles import KEPT
from apps.jobs.services.ingesting import ingest_reports

pytestmark = pytest.mark.django_db


def _state() -> str:
    return Agent.objects.get().state


def _refused(answer) -> bool:
    return (answer.status_code, answer.json()["code"]) == (403, "report_agent")


def test_one_number_for_two_reports_suspends_the_agent(client, signing_agent, host):
    signing_agent.post(client, signing_agent.report())
    copied = copy.copy(signing_agent)
    assert signing_agent.post(client, signing_agent.report(lines=("here",))).status_code == 202

    assert _refused(copied.post(client, copied.report(lines=("there",))))

    assert _state() == "suspended"
    assert "Two places use the key" in Agent.objects.get().state_reason
    proof = Event.objects.get(type="agent.speaks-twice")
    assert (proof.record["data"]["seq"], len(proof.record["docs"])) == (2, 1)
    assert ReportEnvelope.objects.count() == 2
    host.agent.refresh_from_db()
    with pytest.raises(AgentMissing), transaction.atomic():
        insert_job(key="k", kind="boot", host=host, zone_name="kzone1")


def test_the_same_report_again_proves_nothing(client, signing_agent):
    text = signing_agent.report()
    for _ in range(3):
        assert signing_agent.post(client, text).status_code == 202
    assert (_state(), ReportEnvelope.objects.count()) == ("trusted", 1)


def test_one_number_twice_is_seen_beyond_a_gap_and_inside_one_batch_of_many(client, signing_agent):
    signing_agent.post(client, signing_agent.report(seq=3))
    assert _refused(signing_agent.post(client, signing_agent.report(seq=1), signing_agent.report(seq=3, code="OTHER")))
    assert _state() == "suspended"


def test_what_is_too_long_ago_to_be_remembered_is_not_called_another(client, signing_agent):
    first = signing_agent.report()
    signing_agent.post(client, first)
    for _ in range(3):
        signing_agent.post(client, *(signing_agent.report() for _ in range(100)))
    assert signing_agent.seq > KEPT
    assert signing_agent.post(client, first).status_code == 202
    assert signing_agent.post(client, signing_agent.report(seq=2, code="OTHER")).status_code == 202
    assert _state() == "trusted"
    assert len(ReportSeen.objects.get().digests) < 4096


def _begun(client, agent, **fields):
    """A copy that has begun an epoch of its own, its first report made at 5 s of the machine's clock."""
    copied = copy.copy(agent)
    copied.epoch, copied.seq = "b" * 32, 0
    values = {"monotonic_ms": 5000, "at": 1_800_000_000} | fields
    assert copied.post(client, copied.report(**values)).status_code == 202
    return copied


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"monotonic_ms": 4999}, "trusted"),
        ({"monotonic_ms": 5001}, "suspended"),
        ({"boot_id": "boot-2", "at": 1_800_000_120}, "trusted"),
        ({"boot_id": "boot-2", "at": 1_800_000_121}, "suspended"),
    ],
)
def test_an_epoch_that_goes_on_after_it_was_replaced_is_a_second_place(client, signing_agent, fields, expected):
    signing_agent.post(client, signing_agent.report())
    _begun(client, signing_agent)
    answer = signing_agent.post(client, signing_agent.report(**fields))
    assert _state() == expected
    assert answer.status_code == (202 if expected == "trusted" else 403)
    assert ReportEnvelope.objects.count() == 2


def test_a_report_of_the_old_epoch_that_was_held_already_proves_nothing(client, signing_agent):
    text = signing_agent.report(monotonic_ms=9000)
    signing_agent.post(client, text)
    _begun(client, signing_agent)
    assert signing_agent.post(client, text).status_code == 202
    assert _state() == "trusted"


def test_what_waited_in_the_inbox_is_kept_out_of_the_truth(client, signing_agent, make_job):
    job = make_job("sent")
    signing_agent.post(client, signing_agent.answer(job, "done"))
    copied = copy.copy(signing_agent)
    copied.seq -= 1
    copied.post(client, copied.report(code="OTHER"))

    ingest_reports()

    job.refresh_from_db()
    assert job.state == "sent"
    assert Event.objects.get(type="report.put-aside").record["data"]["code"] == "RESULT_TRUST"


def test_a_resumed_agent_is_heard_again_and_a_second_double_suspends_it_again(client, signing_agent, ines):
    signing_agent.post(client, signing_agent.report())
    copied = copy.copy(signing_agent)
    signing_agent.post(client, signing_agent.report())
    copied.post(client, copied.report(code="OTHER"))
    resume_agent(signing_agent.uuid, actor=ines, reason="The copy was found and switched off.")
    assert signing_agent.post(client, signing_agent.report()).status_code == 202
    assert _refused(copied.post(client, copied.report(code="OTHER")))
    assert _state() == "suspended"
