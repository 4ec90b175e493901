"""The inbox, taken in: bulk for what is routine, one transaction each for what somebody waits for.

One ingestion runs at a time (a lock of the transaction on PostgreSQL, the write lock on SQLite), so the reports of an
agent are taken in their order and no report twice. One that cannot be taken in is put aside with an event, and the
others go on. A report past a gap waits a while for what is missing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from itertools import takewhile
from typing import Final

import structlog
from django.db import OperationalError, connection, transaction
from django.utils import timezone

from apps.fleet.collisions import note_claims
from apps.fleet.models import Agent
from apps.history.actors import agent as agent_actor
from apps.history.services import append, events_last
from apps.jobs.models import ReportEnvelope, ReportSeen
from apps.jobs.services.claiming import claim_in
from apps.jobs.services.reading_reports import REFUSALS, Item, ReportRefused, read_rows
from apps.jobs.services.taking import take_answer, take_routine

logger = structlog.get_logger(__name__)

BATCH: Final = 200
MAX_PER_CALL: Final = 5000
GAP_MAY_CLOSE: Final = timedelta(seconds=60)
MAX_GAPS_WAITED_FOR: Final = 50
# any number that no other part of ours locks
_ONE_AT_A_TIME: Final = 0x6B7A_0001
_MAX_DOCUMENT_BYTES: Final = 64 * 1024


def ingest_reports() -> int:
    """Return how many reports were taken in or put aside; what a fault stopped waits for the next call."""
    count = 0
    try:
        while count < MAX_PER_CALL and ReportEnvelope.objects.exists():
            taken = _ingest_batch()
            if not taken:
                break
            count += taken
    except OperationalError as fault:
        logger.warning("ingestion waits", fault=str(fault))
    return count


def _ingest_batch() -> int:
    try:
        return _ingest(BATCH)
    except OperationalError:
        raise
    except Exception:
        # one bad report must not stop the others: each by itself, and it is seen which one it is
        logger.exception("a batch of reports could not be taken in")
        return _ingest_one_by_one()


@transaction.atomic(durable=True)
def _ingest(limit: int, only: int | None = None) -> int:
    """Return how many reports this transaction took in; 0 when there is none, or somebody else is at it."""
    if not _alone():
        return 0
    now = timezone.now()
    rows = _next_rows(limit, only, now)
    if not rows:
        return 0
    items = _leading(read_rows(rows, Agent.objects.in_bulk({row.agent_id for row in rows})))
    with events_last():
        _take_in(items, now)
    ReportEnvelope.objects.filter(pk__in=[item.row.pk for item in items]).delete()
    return len(items)


def _take_in(items: list[Item], now: datetime) -> None:
    note_claims((claim for item in items if (claim := claim_in(item)) is not None), now)
    if items[0].is_routine:
        take_routine(items, now)
    elif items[0].refused is None:
        _take_or_refuse(items[0], now)
    for item in items:
        if item.refused is not None:
            _put_aside(item.row, item.agent, item.refused, item)


def _ingest_one_by_one() -> int:
    taken = 0
    for pk in list(ReportEnvelope.objects.order_by("pk").values_list("pk", flat=True)[:BATCH]):
        try:
            taken += _ingest(1, only=pk)
        except OperationalError:
            raise
        except Exception:
            # the loop of a reconciler: whatever is wrong with this row stays with this row
            logger.exception("a report could not be taken in", report=pk)
            taken += _put_aside_alone(pk)
    return taken


def _alone() -> bool:
    if connection.vendor != "postgresql":
        return True
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [_ONE_AT_A_TIME])
        return bool(cursor.fetchone()[0])


def _next_rows(limit: int, only: int | None, now: datetime) -> list[ReportEnvelope]:
    rows = ReportEnvelope.objects.order_by("pk")
    if only is not None:
        return list(rows.filter(pk=only))
    for seen in ReportSeen.objects.exclude(later=[]).order_by("pk")[:MAX_GAPS_WAITED_FOR]:
        beyond = {"agent": seen.agent_id, "epoch": seen.epoch, "seq__gt": seen.contiguous_seq}
        rows = rows.exclude(**beyond, received_at__gt=now - GAP_MAY_CLOSE)
    return _in_order(rows.defer("envelope")[:limit])


def _in_order(rows: Iterable[ReportEnvelope]) -> list[ReportEnvelope]:
    """Return the rows by epoch as each first came, within it by number: what closes a gap came last."""
    epochs: dict[tuple[object, str], list[ReportEnvelope]] = {}
    for row in rows:
        epochs.setdefault((row.agent_id, row.epoch), []).append(row)
    return [row for one in epochs.values() for row in sorted(one, key=lambda row: row.seq)]


def _leading(items: list[Item]) -> list[Item]:
    """Return the routine items before the first other one; or that one alone."""
    return list(takewhile(lambda item: item.is_routine, items)) or items[:1]


def _take_or_refuse(item: Item, now: datetime) -> None:
    try:
        # what a refused report said meanwhile goes with its savepoint
        with transaction.atomic(), events_last():
            take_answer(item, now)
    except ReportRefused as refused:
        item.refused = refused


@transaction.atomic(durable=True)
def _put_aside_alone(pk: int) -> int:
    row = ReportEnvelope.objects.select_related("agent").filter(pk=pk).first()
    if row is None:
        return 0
    _put_aside(row, row.agent, ReportRefused("RESULT_BUG", REFUSALS["RESULT_BUG"]), None)
    row.delete()
    return 1


def _put_aside(row: ReportEnvelope, agent: Agent, refused: ReportRefused, item: Item | None) -> None:
    """The report is in the history, with its exact bytes where they are not too many, and changed nothing else."""
    subjects = [("agent", str(agent.pk))]
    if item is not None and item.report is not None and item.report.order is not None:
        subjects.append(("job", str(item.report.order)))
    data = {"code": refused.code, "why": refused.message, "epoch": row.epoch, "seq": row.seq}
    append("report.put-aside", actor=agent_actor(agent), subjects=subjects, data=data, documents=_document(row))


def _document(row: ReportEnvelope) -> Sequence[bytes]:
    envelope = bytes(row.envelope)
    return [envelope] if len(envelope) <= _MAX_DOCUMENT_BYTES else []
