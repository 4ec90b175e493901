"""The signer: the only process that holds the authority key. It re-checks the rows, then signs.

A plain loop on the database, without a broker connection: a stock worker can be killed by one malformed message.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Final
from uuid import UUID

import structlog
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.db import InterfaceError, OperationalError, close_old_connections, transaction
from django.utils import timezone

from apps.base.bulk import update_each
from apps.fleet.authority import is_replaced, statements
from apps.fleet.selectors import deployment_uuid
from apps.forced_actions.obligations import sign_obligations
from apps.forced_actions.release import (
    Refused,
    check_plain,
    check_release,
    lock_release,
    note_quorum,
    note_signed,
)
from apps.forced_actions.services.advancing import void
from apps.forced_actions.workflow import State as ActionState
from apps.history.actors import Actor, part
from apps.jobs.models import Job, SignedBeacon
from apps.jobs.selectors import withdrawn_orders
from apps.jobs.services import move_job
from apps.jobs.services.moving import is_routine
from apps.jobs.workflow import Move, State
from kernelzone import envelope, strict
from kernelzone.orders import (
    BEACON_TYPE,
    KINDS,
    ORDER_TYPE,
    Beacon,
    Effect,
    Kind,
    Order,
    OrderError,
    Warrant,
    ZoneRef,
    write_beacon,
    write_order,
)
from kernelzone.words import HostId, ZoneName

logger = structlog.get_logger(__name__)

SIGNER: Final[Actor] = part("signer")
BEACON_EVERY: Final = timedelta(seconds=5)
POLL_S: Final = 0.05
BATCH: Final = 500
# a beacon names at most so many withdrawn orders: it is bounded, and they expire
MOST_WITHDRAWN: Final = 1000


Sign = Callable[[list[UUID], UUID, Ed25519PrivateKey], int]


class KeyUnusable(Exception):
    """The authority key cannot be used; the message is the one sentence an administrator needs."""


def load_key(path: Path) -> Ed25519PrivateKey:
    """Return the authority key: 64 hex digits in a file of mode 0600. Raises: KeyUnusable."""
    try:
        if path.stat().st_mode & 0o077:
            raise KeyUnusable(f"The authority key {path} may be read by others: run chmod 0600 {path}.")
        return Ed25519PrivateKey.from_private_bytes(bytes.fromhex(path.read_text(encoding="ascii").strip()))
    except OSError as failed:
        raise KeyUnusable(
            f"There is no authority key at {path} ({failed.strerror}): run `manage.py make_keys`, "
            "or name the file in KZFLEET_AUTHORITY_KEY_FILE."
        ) from failed
    except ValueError as failed:
        raise KeyUnusable(f"{path} does not hold an Ed25519 key as 64 hex digits.") from failed


def run(key: Ed25519PrivateKey, *, is_stopping: Callable[[], bool]) -> None:
    """Sign what is new and keep the beacon young, until asked to stop or another key has followed this one.

    A database that is away is waited for.
    """
    beacon_at = 0.0
    while not is_stopping():
        try:
            if time.monotonic() >= beacon_at:
                if is_replaced(envelope.raw_public_key(key).hex()):
                    logger.warning("another authority key signs from now on")
                    return
                sign_beacon(key)
                sign_obligations(key)
                beacon_at = time.monotonic() + BEACON_EVERY.total_seconds()
            signed = sign_jobs(key)
        except (OperationalError, InterfaceError) as fault:
            logger.warning("database", fault=type(fault).__name__)
            close_old_connections()
            signed = 0
        if not signed:
            time.sleep(POLL_S)


def sign_beacon(key: Ed25519PrivateKey) -> None:
    """Replace the beacon: the time now, and the orders that agents must not begin."""
    now = timezone.now()
    withdrawn = tuple(withdrawn_orders(now)[:MOST_WITHDRAWN])
    beacon = Beacon(v=1, deployment=deployment_uuid(), at=int(now.timestamp()), withdrawn=withdrawn)
    text = envelope.sign(write_beacon(beacon), payload_type=BEACON_TYPE, key=key).decode()
    SignedBeacon.objects.update_or_create(
        pk=1, defaults={"envelope": text, "signed_at": now, "authority": statements()}
    )


def sign_jobs(key: Ed25519PrivateKey) -> int:
    """Return how many new jobs were signed or refused, the oldest first. One that fails does not stop the others."""
    known = [kind.value for kind in KINDS]
    waiting = Job.objects.filter(state=State.NEW, kind__in=known, not_after__gt=timezone.now())
    found = list(waiting.order_by("created_at", "pk").values_list("pk", "kind")[:BATCH])
    if not found:
        return 0
    deployment = deployment_uuid()
    plain = [pk for pk, kind in found if KINDS[Kind(kind)].effect is not Effect.FORCED]
    handled = _guarded(_sign_plain, plain, deployment, key) if plain else 0
    if handled is None:  # it is seen which one it is, and the others are signed
        handled = sum(_guarded(_sign_plain, [pk], deployment, key) or 0 for pk in plain)
    forced = [pk for pk, kind in found if KINDS[Kind(kind)].effect is Effect.FORCED]
    return handled + sum(_guarded(_sign_forced, [pk], deployment, key) or 0 for pk in forced)


def _guarded(sign: Sign, job_ids: list[UUID], deployment: UUID, key: Ed25519PrivateKey) -> int | None:
    """Return how many of these jobs were handled; None when they could not be, which is logged."""
    try:
        return sign(job_ids, deployment, key)
    except (OperationalError, InterfaceError):
        raise
    # the signer's loop: a row that cannot be read must not keep every other order from being signed
    except Exception:
        logger.exception("orders could not be signed", jobs=[str(pk) for pk in job_ids[:10]])
        return None


@transaction.atomic(durable=True)
def _sign_plain(job_ids: list[UUID], deployment: UUID, key: Ed25519PrivateKey) -> int:
    rows = Job.objects.select_for_update(of=("self",), skip_locked=True).filter(pk__in=job_ids, state=State.NEW)
    jobs = list(rows.select_related("host", "agent", "requested_by"))
    routine = []
    for job in jobs:
        try:
            check_plain(job)
            _seal(job, order_of(job, deployment), key)
        except (Refused, OrderError) as refusal:
            _refuse(job, refusal)
            continue
        if is_routine(job):
            job.state = State.SIGNED
            routine.append(job)
        else:
            _move_signed(job)
    # the rows are locked: nobody else has moved them since they were read
    update_each(routine, ["state", "envelope", "payload_sha256", "signed_at"])
    return len(jobs)


@transaction.atomic(durable=True)
def _sign_forced(job_ids: list[UUID], deployment: UUID, key: Ed25519PrivateKey) -> int:
    """Sign one forced order, once everything that people decided was counted again from the rows."""
    action, job = lock_release(job_ids[0])
    if job is None:
        return 0
    try:
        if action is None:
            raise Refused("FIELD", "no forced action asked for this order")
        warrant = check_release(action, job)
        _seal(job, order_of(job, deployment), key)
    except (Refused, OrderError) as refusal:
        _refuse(job, refusal)
        if action is not None and action.job_id == job.pk and action.state == ActionState.RELEASING:
            void(action, [], str(refusal), why=refusal.code.lower())
        return 1
    note_quorum(action, warrant)
    _move_signed(job)
    note_signed(action, job, warrant)
    return 1


def order_of(job: Job, deployment: UUID) -> Order:
    """Return the order a job stands for. The same row gives the same bytes, however often. Raises: OrderError."""
    zone = ZoneRef(ZoneName(job.zone_name), job.zone_uuid) if job.zone_name else None
    try:
        warrant = strict.read(Warrant, job.warrant, "warrant") if job.warrant is not None else None
    except strict.StrictError as error:
        raise OrderError(str(error)) from error
    return Order(
        v=1,
        deployment=deployment,
        order=job.pk,
        kind=Kind(job.kind),
        agent=job.agent_id,
        owner_hostid=HostId(job.host.owner_hostid),
        zone=zone,
        not_before=int(job.not_before.timestamp()),
        not_after=int(job.not_after.timestamp()),
        args=job.args,
        warrant=warrant,
    )


def _seal(job: Job, order: Order, key: Ed25519PrivateKey) -> None:
    payload = write_order(order)
    job.envelope = envelope.sign(payload, payload_type=ORDER_TYPE, key=key)
    job.payload_sha256 = hashlib.sha256(payload).hexdigest()
    job.signed_at = timezone.now()


def _move_signed(job: Job) -> None:
    sealed = {"envelope": job.envelope, "payload_sha256": job.payload_sha256, "signed_at": job.signed_at}
    move_job(job, Move.SIGN, actor=SIGNER, **sealed)


def _refuse(job: Job, refusal: Refused | OrderError) -> None:
    logger.warning("refused to sign", job=str(job.pk), kind=job.kind, code=refusal.code, why=str(refusal))
    move_job(job, Move.CANCEL, actor=SIGNER, code=refusal.code)
