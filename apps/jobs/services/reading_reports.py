"""From rows of the inbox to reports that are known to be about something of ours; each other one names its code."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.utils import timezone

from apps.fleet.models import Agent, Host
from apps.fleet.selectors import deployment_uuid, hosts_by_owner_hostid, known_state
from apps.jobs.models import Job, ReportEnvelope
from apps.jobs.services.moving import is_routine
from apps.jobs.workflow import State
from kernelzone import strict
from kernelzone.host_state import state_digest_of_json
from kernelzone.orders import (
    FINAL_REPORT_STATES,
    UNCHANGED,
    InspectResult,
    Kind,
    OrderError,
    Report,
    ReportState,
    read_heartbeat,
    read_report,
    read_result,
)
from kernelzone.words import shown


class ReportRefused(Exception):
    """A signed report that changes nothing. `code` is one of REFUSALS."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


REFUSALS: Final = {
    "RESULT_TRUST": "its agent was not trusted any more when it was taken in",
    "RESULT_FIELD": "its fields are not those of a report, or its result not that of the order's kind",
    "RESULT_AUDIENCE": "it is of another deployment, agent, epoch or number than its envelope",
    "RESULT_AGENT": "the order was another agent's, or the host is",
    "RESULT_JOB": "there is no such order",
    "RESULT_HOST": "it is about another host than the order, or one nobody knows",
    "RESULT_STATE": "the job has ended in another way, or was never signed",
    "RESULT_BUG": "taking it in failed; the diagnostics say how",
}


@dataclass(slots=True)
class Item:
    """One row of the inbox and what is known of it. `refused` is None while nothing is wrong.

    `state_sha256`: when the result is the whole state of the host, its digest. `is_known`: that state was taken in
    before and of late; then `result` is not read.
    """

    row: ReportEnvelope
    agent: Agent
    report: Report | None = None
    job: Job | None = None
    host: Host | None = None
    result: Any = None
    refused: ReportRefused | None = None
    state_sha256: str = ""
    is_known: bool = False

    @property
    def said(self) -> Report:
        """The report, which was read."""
        if self.report is None:
            raise TypeError("a report that could not be read says nothing")
        return self.report

    @property
    def is_final(self) -> bool:
        """True when it ends an order."""
        return self.job is not None and self.said.state in FINAL_REPORT_STATES

    @property
    def is_routine(self) -> bool:
        """True when no event can follow from the job itself, so that many are taken in by one transaction."""
        return self.refused is None and (self.job is None or is_routine(self.job))


def read_rows(rows: Sequence[ReportEnvelope], agents: dict[UUID, Agent]) -> list[Item]:
    """Return one item per row, in order, with job and host in a fixed number of queries."""
    items = [Item(row, agents[row.agent_id]) for row in rows]
    deployment = deployment_uuid()
    for item in items:
        _run(item, lambda item: _read(item, deployment))
    jobs = _jobs(item.report.order for item in items if item.report and item.report.order)
    hosts = hosts_by_owner_hostid(str(item.report.owner_hostid) for item in items if item.report)
    news: set[int] = set()
    for item in items:
        _run(item, lambda item: _place(item, jobs, hosts, news))
    return items


def _run(item: Item, step: Any) -> None:
    if item.refused is not None:
        return
    try:
        step(item)
    except ReportRefused as refused:
        item.refused = refused
    except OrderError as error:
        item.refused = ReportRefused("RESULT_FIELD", shown(str(error), 200))


def _read(item: Item, deployment: UUID) -> None:
    if item.agent.state != Agent.State.TRUSTED:
        raise ReportRefused("RESULT_TRUST", REFUSALS["RESULT_TRUST"])
    report = read_report(bytes(item.row.payload))
    place = (report.deployment, report.agent, report.epoch, report.seq)
    if place != (deployment, item.row.agent_id, item.row.epoch, item.row.seq):
        raise ReportRefused("RESULT_AUDIENCE", REFUSALS["RESULT_AUDIENCE"])
    item.report = report


def _jobs(order_ids: Iterable[UUID]) -> dict[UUID, Job]:
    rows = Job.objects.filter(pk__in=set(order_ids)).select_related("host", "host__agent", "requested_by")
    return {job.pk: job for job in rows.defer("envelope", "final_report")}


def _place(item: Item, jobs: dict[UUID, Job], hosts: dict[str, Host], news: set[int]) -> None:
    """Find job, host and result. news: the hosts of which this batch tells something new, added to."""
    report = item.said
    if report.order is not None:
        _place_answer(item, jobs.get(report.order), news)
    elif report.owner_hostid is not None:
        item.host = hosts.get(report.owner_hostid)
        if item.host is None:
            raise ReportRefused("RESULT_HOST", REFUSALS["RESULT_HOST"])
        if item.host.agent_id != item.agent.pk:
            raise ReportRefused("RESULT_AGENT", REFUSALS["RESULT_AGENT"])
        _read_result(item, Kind.INSPECT, news)
        if item.result is None and not item.is_known:
            raise ReportRefused("RESULT_FIELD", "an unasked report without the state of its host")
    else:
        item.result = read_heartbeat(report.result)


def _place_answer(item: Item, job: Job | None, news: set[int]) -> None:
    if job is None:
        raise ReportRefused("RESULT_JOB", REFUSALS["RESULT_JOB"])
    # an agent that spoke for the host when it was asked, and does not any more, is not believed about it
    if (job.agent_id, job.host.agent_id) != (item.agent.pk, item.agent.pk):
        raise ReportRefused("RESULT_AGENT", REFUSALS["RESULT_AGENT"])
    if item.said.owner_hostid not in (None, job.host.owner_hostid):
        raise ReportRefused("RESULT_HOST", REFUSALS["RESULT_HOST"])
    if job.state == State.NEW:
        raise ReportRefused("RESULT_STATE", REFUSALS["RESULT_STATE"])
    item.job, item.host = job, job.host
    if item.is_final:
        _read_result(item, Kind(job.kind), news)


def _read_result(item: Item, kind: Kind, news: set[int]) -> None:
    """Read the result, unless it is a state that is known: its digest is that of one that was read and taken in."""
    if item.host is None:
        return
    if item.said.result is None:
        _read_unchanged(item, kind, news)
        return
    if kind is Kind.INSPECT:
        item.state_sha256 = _digest(item.said.result)
        item.is_known = _is_known(item, news, timezone.now())
    if not item.is_known:
        news.add(item.host.pk)
        item.result = _result(item, kind)


def _digest(result: dict[str, Any]) -> str:
    try:
        return state_digest_of_json(result)
    except (KeyError, TypeError, AttributeError, strict.StrictError):
        return ""  # not of the form: reading it strictly says where


def _read_unchanged(item: Item, kind: Kind, news: set[int]) -> None:
    """An inspection that found what its order named says no more; what became known meanwhile counts more than it."""
    is_said = (item.said.state, item.said.code) == (ReportState.DONE, UNCHANGED)
    if kind is not Kind.INSPECT or item.job is None or not is_said:
        return
    item.state_sha256 = item.job.args["known_state"] or ""
    if not item.state_sha256:
        raise ReportRefused("RESULT_FIELD", "a state that the order did not name is said to be unchanged")
    item.is_known = _is_known(item, news, item.job.created_at)


def _is_known(item: Item, news: set[int], at: datetime) -> bool:
    """Return whether this very state had been taken in of late at that time, and nothing newer came before it."""
    host = item.host
    if host is None or not item.is_routine or host.pk in news:
        return False
    return item.state_sha256 == known_state(host, at)


def _result(item: Item, kind: Kind) -> Any:
    result = read_result(kind, item.said.result)
    if isinstance(result, InspectResult) and item.host and result.host.owner_hostid != item.host.owner_hostid:
        raise ReportRefused("RESULT_HOST", REFUSALS["RESULT_HOST"])
    return result
