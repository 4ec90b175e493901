"""How a job comes to be: a row, inserted in the transaction of whoever needs it. The signer finds it there."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from django.db import IntegrityError, connection, transaction
from django.db.transaction import TransactionManagementError
from django.utils import timezone

from apps.accounts.models import User
from apps.base.errors import InvalidInput
from apps.base.nudge import nudge
from apps.fleet.errors import AgentMissing, HostRetired
from apps.fleet.models import Agent, Host
from apps.history.actors import SYSTEM, person
from apps.history.services import append
from apps.jobs.errors import KeyTaken
from apps.jobs.models import Job
from apps.jobs.services.moving import is_routine, subjects_of
from kernelzone import strict
from kernelzone.orders import KINDS, MAX_ORDER_VALIDITY_S, MAX_WARRANT_VALIDITY_S, Effect, Kind
from kernelzone.words import WordError, zone_name

VALIDITY: Final = timedelta(minutes=10)
DISPATCH: Final = "apps.jobs.dispatch_jobs"
# the signer tells nobody by the broker; on PostgreSQL it may listen to this channel
NEW_JOB_CHANNEL: Final = "kzfleet_new_job"


def insert_job(  # noqa: PLR0913 - one argument for each field of the row that is not ours to choose
    *,
    key: str,
    kind: str,
    host: Host,
    zone_name: str = "",
    zone_uuid: UUID | None = None,
    args: dict[str, Any] | None = None,
    warrant: dict[str, Any] | None = None,
    subject_kind: str = "",
    subject_id: str = "",
    requested_by: User | None = None,
    validity: timedelta = VALIDITY,
    not_before: datetime | None = None,
) -> Job:
    """Return the job of this `key`: a new one in state `new`, or the one that was inserted under it before.

    In the caller's transaction. kind: of kernelzone.orders.Kind; args: the JSON of that kind's args.
    validity: from `not_before` (default: now) on, cut to what the kind allows.
    Raises: AgentMissing, HostRetired, InvalidInput zone_name or args, KeyTaken.
    """
    if not connection.in_atomic_block:
        raise TransactionManagementError("a job is inserted in the transaction of the change that needs it")
    start = not_before or timezone.now()
    job = Job(
        key=key,
        kind=Kind(kind).value,
        host=host,
        agent=_trusted_agent(host),
        zone_name=_clean_zone(Kind(kind), zone_name),
        zone_uuid=zone_uuid,
        args=_clean_args(Kind(kind), args),
        warrant=_clean_warrant(Kind(kind), warrant),
        subject_kind=subject_kind,
        subject_id=subject_id,
        requested_by=requested_by,
        not_before=start,
        not_after=start + min(validity, _longest(Kind(kind))),
    )
    return _insert_once(job)


def _insert_once(job: Job) -> Job:
    try:
        with transaction.atomic():
            job.save(force_insert=True)
    except IntegrityError:
        there = Job.objects.select_related("host", "agent").filter(key=job.key).first()
        if there is None:
            raise
        if (there.kind, there.host_id, there.zone_name, there.args) != (job.kind, job.host_id, job.zone_name, job.args):
            raise KeyTaken(key=job.key) from None
        return there
    if not is_routine(job):
        actor = person(job.requested_by) if job.requested_by is not None else SYSTEM
        data = {"kind": job.kind, "zone": job.zone_name or None}
        append("job.insert", actor=actor, subjects=subjects_of(job), data=data)
    wake_signer()
    return job


def wake_signer() -> None:
    """Once this transaction commits, a signer that listens wakes, and a dispatcher waits for what it signs.

    A signer that polls finds the row a moment later.
    """
    nudge(DISPATCH)
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_notify(%s, '')", [NEW_JOB_CHANNEL])


def _trusted_agent(host: Host) -> Agent:
    if host.retired_at is not None:
        raise HostRetired(owner_hostid=host.owner_hostid)
    if host.agent is None or host.agent.state != Agent.State.TRUSTED:
        raise AgentMissing(owner_hostid=host.owner_hostid)
    return host.agent


def _clean_zone(kind: Kind, name: str) -> str:
    if not name and not KINDS[kind].needs_zone:
        return ""
    try:
        return zone_name(name)
    except WordError as error:
        hint = "Take the name from the list of zones."
        raise InvalidInput(code=error.code, field="zone", message=error.message, hint=hint) from None


def _clean_args(kind: Kind, args: dict[str, Any] | None) -> dict[str, Any]:
    try:
        found: Any = strict.read(KINDS[kind].args, strict.write(args or {}), "args")
    except strict.StrictError as error:
        raise InvalidInput(code="ARGS", field="args", message=str(error)) from None
    written: dict[str, Any] = strict.write(found)
    return written


def _clean_warrant(kind: Kind, warrant: dict[str, Any] | None) -> dict[str, Any] | None:
    if (warrant is not None) != (KINDS[kind].effect is Effect.FORCED):
        raise ValueError("a warrant belongs to forced kinds, and to each of them")
    return warrant


def _longest(kind: Kind) -> timedelta:
    is_forced = KINDS[kind].effect is Effect.FORCED
    return timedelta(seconds=MAX_WARRANT_VALIDITY_S if is_forced else MAX_ORDER_VALIDITY_S)
