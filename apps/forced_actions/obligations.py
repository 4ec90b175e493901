"""What agents are told their hosts have lost: signed anew whenever it changes, by the signer alone."""

from __future__ import annotations

import hashlib
from typing import Final
from uuid import UUID

import structlog
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.db import transaction
from django.utils import timezone

from apps.conflicts.models import Obligation as Row
from apps.fleet.models import Agent, Host
from apps.fleet.selectors import deployment_uuid
from apps.jobs.models import SignedObligations
from kernelzone import envelope, strict
from kernelzone.obligations import (
    MOST_OBLIGATIONS,
    OBLIGATION_TYPE,
    Obligation,
    ObligationError,
    Obligations,
    write_obligations,
)
from kernelzone.orders import ZoneRef
from kernelzone.words import HostId, ZoneName

logger = structlog.get_logger(__name__)

_NOTHING: Final = hashlib.sha256(b"[]").hexdigest()


@transaction.atomic(durable=True)
def sign_obligations(key: Ed25519PrivateKey) -> int:
    """Return for how many agents what their hosts have lost has changed, and was signed anew.

    What cannot be written for one agent is logged, and keeps neither the others from hearing nor orders from being
    signed.
    """
    owed = _owed()
    # what a suspended agent was told stays: trusted again, it must not hear first that its hosts have lost nothing
    told = SignedObligations.objects.filter(agent__state=Agent.State.TRUSTED)
    known = dict(told.values_list("agent", "content_sha256"))
    changed = 0
    for agent in sorted({*owed, *known}):
        lost = tuple(owed.get(agent, ()))
        digest = hashlib.sha256(strict.canonical(strict.write(lost))).hexdigest() if lost else _NOTHING
        if known.get(agent) == digest:
            continue
        try:
            _sign(agent, lost, digest, key)
            changed += 1
        except ObligationError as error:
            logger.error("obligations cannot be signed", agent=str(agent), why=str(error))
    return changed


def _owed() -> dict[UUID, list[Obligation]]:
    """Return the open obligations by the trusted agent of the loser, the oldest first; of too many the newest wait."""
    rows = list(Row.objects.filter(met_at=None).select_related("zone").order_by("opened_at", "pk"))
    losers = Host.objects.filter(owner_hostid__in={row.owner_hostid for row in rows}, agent__state=Agent.State.TRUSTED)
    agents = dict(losers.values_list("owner_hostid", "agent")) if rows else {}
    found: dict[UUID, list[Obligation]] = {}
    for row in rows:
        agent = agents.get(row.owner_hostid)
        if agent is not None and len(found.setdefault(agent, [])) < MOST_OBLIGATIONS:
            found[agent].append(_written(row))
    return found


def _written(row: Row) -> Obligation:
    return Obligation(
        obligation=row.pk,
        owner_hostid=HostId(row.owner_hostid),
        zone=ZoneRef(ZoneName(row.zone_name), row.zone.zone_uuid),
        new_owner_hostid=HostId(row.new_owner_hostid),
        generation=row.generation,
        warrant=row.order_id,
        since=int(row.opened_at.timestamp()),
    )


def _sign(agent: UUID, lost: tuple[Obligation, ...], digest: str, key: Ed25519PrivateKey) -> None:
    before = SignedObligations.objects.filter(agent=agent).values_list("signed_at", flat=True).first()
    now = timezone.now()
    # an agent keeps the later one of two, and tells times apart by seconds
    at = max(int(now.timestamp()), int(before.timestamp()) + 1 if before else 0)
    whole = Obligations(v=1, deployment=deployment_uuid(), agent=agent, at=at, obligations=lost)
    text = envelope.sign(write_obligations(whole), payload_type=OBLIGATION_TYPE, key=key).decode()
    said = {"envelope": text, "content_sha256": digest, "signed_at": now}
    SignedObligations.objects.update_or_create(agent_id=agent, defaults=said)
