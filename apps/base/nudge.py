"""Waking a reconciler before its next beat."""

from __future__ import annotations

import structlog
from celery import current_app
from django.db import transaction
from kombu.exceptions import OperationalError

logger = structlog.get_logger(__name__)


def nudge(task_name: str) -> None:
    """Send the input-less task `task_name` once the current transaction has committed.

    A lost nudge costs time, never work: the beat runs the same task.
    """
    transaction.on_commit(lambda: _send(task_name), robust=True)


def _send(task_name: str) -> None:
    try:
        current_app.send_task(task_name, retry=False, ignore_result=True)
    except (OperationalError, OSError) as fault:
        # The change is committed; an answer of 500 would say otherwise.
        logger.warning("nudge lost", task=task_name, fault=type(fault).__name__)
