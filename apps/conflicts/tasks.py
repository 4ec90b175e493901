"""What the beat and the nudges wake. Tasks take no input: the rows are the work list."""

from __future__ import annotations

from uuid import UUID

import structlog
from celery import shared_task
from django.db import transaction
from django.utils import timezone

from apps.conflicts.evidence import complete_evidence_sheet, gathering_sheets
from apps.conflicts.evidence.gathering import COMPLETE
from apps.conflicts.services import contradict_words

logger = structlog.get_logger(__name__)


@shared_task(name=COMPLETE, acks_late=True, ignore_result=True, time_limit=60)  # type: ignore[untyped-decorator]
def complete_evidence_sheets() -> int:
    """Freeze every sheet whose questions are answered or too late; return how many were frozen."""
    with transaction.atomic(durable=True):
        contradict_words()
    return sum(_complete(sheet_id) for sheet_id in gathering_sheets())


def _complete(sheet_id: UUID) -> bool:
    try:
        with transaction.atomic(durable=True):
            return complete_evidence_sheet(sheet_id, now=timezone.now())
    # a reconciler's loop: one sheet that fails must not stop the others
    except Exception:
        logger.exception("evidence sheet", sheet=str(sheet_id))
        return False
