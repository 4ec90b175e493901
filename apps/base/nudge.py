"""Waking a reconciler before its next beat."""

from __future__ import annotations

from typing import Final

import structlog
from celery import current_app
from django.db import transaction
from kombu.connection import Connection
from kombu.exceptions import OperationalError
from kombu.pools import producers

logger = structlog.get_logger(__name__)

# Celery's own would wait 6 s for a dead broker, in the request that nudges; the beat finds the row anyway.
_HASTE: Final = {
    "max_retries": 1,
    "interval_start": 0,
    "interval_step": 0,
    "interval_max": 0,
    "socket_connect_timeout": 0.3,
    "socket_timeout": 1,
}


def nudge(task_name: str) -> None:
    """Send the input-less task `task_name` once the current transaction has committed.

    A lost nudge costs time, never work: the beat runs the same task.
    """
    transaction.on_commit(lambda: _send(task_name), robust=True)


def _send(task_name: str) -> None:
    try:
        with producers[_connection()].acquire(block=True, timeout=1) as producer:
            current_app.send_task(task_name, retry=False, ignore_result=True, producer=producer)
    except (OperationalError, OSError) as fault:
        # The change is committed; an answer of 500 would say otherwise.
        logger.warning("nudge lost", task=task_name, fault=type(fault).__name__)


def _connection() -> Connection:
    # Only a description: `producers` keeps one pool of open connections for all that are equal.
    connection: Connection = current_app.connection_for_write(transport_options=_HASTE)
    return connection
