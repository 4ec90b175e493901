"""Reconcilers: no input, the rows are the work list. Running one twice, or two at once, changes nothing."""

from __future__ import annotations

from pathlib import Path

from celery import shared_task
from django.conf import settings

from apps.fleet.broker_file import write_broker_users as write_file
from apps.fleet.broker_users import WRITE_BROKER_USERS


@shared_task(name=WRITE_BROKER_USERS, acks_late=True, ignore_result=True, time_limit=60)  # type: ignore[untyped-decorator]
def write_broker_users() -> int:
    """Bring the broker's users up to date with the agents; return how many users there are, 0 where no file is named.

    An agent that is suspended or revoked loses its connection at once, not only its orders.
    """
    if not settings.BROKER_USERS_FILE:
        return 0
    return write_file(Path(settings.BROKER_USERS_FILE)).users
