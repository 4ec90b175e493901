"""Inspections: one order per host, never one per zone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from apps.accounts.models import User
from apps.base.ids import uuid7
from apps.fleet.models import Agent, Host
from apps.fleet.selectors import host_for_update, hosts_present, known_state
from apps.jobs.models import Job
from apps.jobs.services.inserting import insert_job, wake_signer
from apps.jobs.workflow import ACTIVE
from kernelzone.orders import Kind

# an inspection nobody answered is given up soon: the next one says more
VALID_FOR_INTERVALS: Final = 2
KEEP_ROUTINE_JOBS: Final = timedelta(hours=6)
FORGET_AT_ONCE: Final = 1000
# the args of an inspection whose result somebody waits for: the state of the host, whatever it is
WHOLE: Final = {"known_state": None}


@transaction.atomic(durable=True)
def inspect_now(owner_hostid: str, *, actor: User) -> Job:
    """Return the open inspection of this host that `actor` asked for; a new one if there is none.

    Raises: NotFound, NotAllowed, AgentMissing, HostRetired.
    """
    host = host_for_update(owner_hostid, actor=actor, permission="fleet.inspect")
    asked = Job.objects.filter(host=host, kind=Kind.INSPECT, state__in=ACTIVE, requested_by=actor, subject_kind="host")
    return asked.select_related("host", "agent").first() or insert_job(
        key=f"inspect:{owner_hostid}:{uuid7()}",
        kind=Kind.INSPECT,
        host=host,
        args=WHOLE,
        subject_kind="host",
        subject_id=owner_hostid,
        requested_by=actor,
    )


@transaction.atomic(durable=True)
def insert_inspections(now: datetime | None = None) -> int:
    """Return how many hosts were given an inspection: each one that has a trusted agent and none open.

    The key names the host and the stretch of time, so that two who insert at once insert one.
    """
    now = now or timezone.now()
    slot = int(now.timestamp()) // settings.INSPECT_EVERY_S
    jobs = [_inspection(host, slot, now) for host in _hosts_to_inspect(slot)]
    if not jobs:
        return 0
    before = Job.objects.filter(key__in=[job.key for job in jobs]).count()
    Job.objects.bulk_create(jobs, ignore_conflicts=True, batch_size=500)
    wake_signer()
    return len(jobs) - before


def _hosts_to_inspect(slot: int) -> list[Host]:
    """Return the hosts without an inspection of the sweep that is open, or was inserted in this stretch of time."""
    since = datetime.fromtimestamp(slot * settings.INSPECT_EVERY_S, UTC)
    of_sweep = Job.objects.filter(kind=Kind.INSPECT, requested_by=None, subject_kind="")
    asked = of_sweep.filter(Q(state__in=ACTIVE) | Q(created_at__gte=since)).values("host")
    hosts = hosts_present().filter(agent__state=Agent.State.TRUSTED)
    return list(hosts.exclude(pk__in=asked).select_related("agent"))


def _inspection(host: Host, slot: int, now: datetime) -> Job:
    return Job(
        key=f"inspect:{host.owner_hostid}:{slot}",
        kind=Kind.INSPECT.value,
        host=host,
        agent=host.agent,
        args={"known_state": known_state(host, now)},
        not_before=now,
        not_after=now + timedelta(seconds=VALID_FOR_INTERVALS * settings.INSPECT_EVERY_S),
    )


@transaction.atomic(durable=True)
def forget_routine_jobs(now: datetime | None = None) -> int:
    """Return how many ended inspections of old sweeps were deleted: no event names them, and readings stay."""
    before = (now or timezone.now()) - KEEP_ROUTINE_JOBS
    old = Job.objects.filter(kind=Kind.INSPECT, requested_by=None, subject_kind="", created_at__lt=before)
    ids = list(old.exclude(state__in=ACTIVE).values_list("pk", flat=True)[:FORGET_AT_ONCE])
    Job.objects.filter(pk__in=ids, lines=None).delete()
    return len(ids)
