"""Taking in what agents post: verified, put into the inbox in one insert, answered. Ingestion does the rest.

`seq` has no gaps within an epoch. What was stored once is never stored again, whatever is posted; what is missing is
asked for in the answer. An epoch that a newer one has replaced is not taken in any more: its journal is gone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import structlog
from django.db import transaction
from django.utils import timezone

from apps.base.nudge import nudge
from apps.fleet.agents import move_agent
from apps.fleet.models import Agent, Host
from apps.fleet.rotating import keys_of
from apps.fleet.workflow import Move
from apps.history.actors import agent as agent_actor
from apps.history.actors import part
from apps.history.services import append, events_last
from apps.jobs.models import ReportEnvelope, ReportSeen
from apps.jobs.services.doubles import Double, Posted, find_double, note_begin, note_digest
from kernelzone import envelope as dsse
from kernelzone import strict
from kernelzone.orders import MAX_REPORT_BYTES, REPORT_TYPE, OrderError, Report, read_heartbeat, read_report

logger = structlog.get_logger(__name__)

INGEST: Final = "apps.jobs.ingest_reports"
# so far beyond a gap reports are kept; a later one is sent again by its agent
MAX_AHEAD: Final = 1000
MAX_MISSING_NAMED: Final = 200
MAX_EPOCH_LENGTH: Final = 32
MAX_DOCUMENT_BYTES: Final = 64 * 1024
WEB: Final = part("web")


class Held(NamedTuple):
    """What the site holds of an epoch: all up to `seq`; `missing` below the highest; `wanted`: owner hostids."""

    epoch: str
    seq: int
    missing: list[int]
    wanted: list[str]


def open_posted(agent: Agent, envelope: bytes) -> Posted:
    """Return the envelope, opened. Raises: EnvelopeError FORMAT or SIGNATURE."""
    payload = dsse.verify(
        envelope,
        payload_type=REPORT_TYPE,
        keys=keys_of(agent),
        max_payload_bytes=MAX_REPORT_BYTES,
    ).payload
    try:
        report = read_report(payload)
    except OrderError:
        epoch, seq = _place(payload)
        return Posted(envelope, payload, epoch, seq, None)
    _demand_place(report.epoch, report.seq)
    return Posted(envelope, payload, report.epoch, report.seq, report)


@transaction.atomic(durable=True)
def store_reports(agent: Agent, posted: Sequence[Posted]) -> Held | None:
    """Return what is held of the epoch of the last report after all that were new are in the inbox.

    None: the agent is not trusted any more; it is suspended here when these reports prove that two places use its key.
    """
    agent = Agent.objects.select_for_update(no_key=True).get(pk=agent.pk)
    if agent.state != Agent.State.TRUSTED:
        return None
    epoch = posted[-1].epoch if posted else agent.epoch
    rows = ReportSeen.objects.filter(agent=agent, epoch__in={epoch, agent.epoch, *(one.epoch for one in posted)})
    seen = {row.epoch: row for row in rows}
    if double := find_double(posted, seen, agent.epoch):
        _suspend(agent, double)
        return None
    with events_last():
        _take(agent, posted, seen)
    if epoch not in seen:
        return Held(epoch, 0, [], [])
    return Held(epoch, seen[epoch].contiguous_seq, _missing(seen[epoch]), _wanted(agent, posted))


def _take(agent: Agent, posted: Sequence[Posted], seen: dict[str, ReportSeen]) -> None:
    """Put what is new into the inbox. seen: by epoch, added to."""
    stored = [row for one in dict.fromkeys(one.epoch for one in posted) for row in _store(agent, one, posted, seen)]
    ReportEnvelope.objects.bulk_create(stored)
    if posted:
        agent.last_report_at, agent.last_seq = timezone.now(), posted[-1].seq
        agent.save(update_fields=["last_report_at", "last_seq", "epoch"])
    if stored:
        nudge(INGEST)


def _store(agent: Agent, epoch: str, posted: Sequence[Posted], known: dict[str, ReportSeen]) -> list[ReportEnvelope]:
    """Return the rows to insert for this epoch, its bookkeeping done. The caller holds the agent's lock."""
    mine = [one for one in posted if one.epoch == epoch]
    seen = known.get(epoch)
    if seen is None:
        seen = known[epoch] = _begin_epoch(agent, mine[0])
    elif epoch != agent.epoch:
        logger.warning("reports of an epoch that was replaced are not taken in", agent=str(agent.pk))
        return []
    later = set(seen.later)
    rows = []
    for one in mine:
        if one.seq <= seen.contiguous_seq or one.seq in later:
            continue
        if one.seq > seen.contiguous_seq + MAX_AHEAD:
            break
        later.add(one.seq)
        note_digest(seen, one)
        rows.append(ReportEnvelope(agent=agent, epoch=epoch, seq=one.seq, payload=one.payload, envelope=one.envelope))
        while seen.contiguous_seq + 1 in later:
            seen.contiguous_seq += 1
            later.discard(seen.contiguous_seq)
    seen.later = sorted(later)
    seen.save(update_fields=["contiguous_seq", "later", "digests"])
    return rows


def _begin_epoch(agent: Agent, first: Posted) -> ReportSeen:
    if agent.epoch:
        data = {"from": agent.epoch, "to": first.epoch}
        append("agent.new-epoch", actor=agent_actor(agent), subjects=[("agent", str(agent.pk))], data=data)
    agent.epoch = first.epoch
    seen = ReportSeen(agent=agent, epoch=first.epoch)
    note_begin(seen, first)
    seen.save(force_insert=True)
    return seen


def _suspend(agent: Agent, double: Double) -> None:
    """Believe none of the places that use this key until somebody says which is the right one."""
    reason = f"Two places use the key of this agent: {double.why}. Its directory, or its machine, was copied."
    move_agent(agent, Move.SUSPEND, actor=WEB, reason=reason)
    data = {"why": double.why, "epoch": double.posted.epoch, "seq": double.posted.seq}
    # what proves it, where it is not a whole host's state
    documents = [double.posted.envelope] if len(double.posted.envelope) <= MAX_DOCUMENT_BYTES else []
    append("agent.speaks-twice", actor=WEB, subjects=[("agent", str(agent.pk))], data=data, documents=documents)


def _missing(seen: ReportSeen) -> list[int]:
    if not seen.later:
        return []
    there = set(seen.later)
    gap = (seq for seq in range(seen.contiguous_seq + 1, seen.later[-1]) if seq not in there)
    return [seq for seq, _ in zip(gap, range(MAX_MISSING_NAMED), strict=False)]


def _wanted(agent: Agent, posted: Sequence[Posted]) -> list[str]:
    """Return the hosts of this agent whose newest heartbeat tells of a state that the site does not have."""
    heard: dict[str, str] = {}
    for one in posted:
        if one.report is None or one.report.order is not None:
            continue
        if one.report.owner_hostid is None:
            heard |= _heartbeat(one.report)
        else:
            heard.pop(one.report.owner_hostid, None)
    if not heard:
        return []
    known = Host.objects.filter(agent=agent, owner_hostid__in=heard).values_list("owner_hostid", "state_sha256")
    return sorted(owner_hostid for owner_hostid, digest in known if heard[owner_hostid] != digest)


def _heartbeat(report: Report) -> dict[str, str]:
    try:
        return dict(read_heartbeat(report.result).hosts)
    except OrderError:
        return {}


def _place(payload: bytes) -> tuple[str, int]:
    """Return epoch and seq of a payload that is not a whole report. Raises: EnvelopeError FORMAT."""
    try:
        fields = strict.load(payload, max_bytes=MAX_REPORT_BYTES)
    except strict.StrictError as error:
        raise dsse.EnvelopeError("FORMAT", f"not a report: {error}") from error
    epoch, seq = (fields.get("epoch"), fields.get("seq")) if isinstance(fields, dict) else (None, None)
    _demand_place(epoch, seq)
    return str(epoch), int(seq or 0)


def _demand_place(epoch: object, seq: object) -> None:
    is_place = isinstance(epoch, str) and 1 <= len(epoch) <= MAX_EPOCH_LENGTH and epoch.isalnum() and epoch.isascii()
    if not is_place or type(seq) is not int or seq < 1:
        raise dsse.EnvelopeError("FORMAT", "a report without its place in an epoch")
