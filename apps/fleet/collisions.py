"""Two hosts under one hostid: what shows it, and how long it stays shown.

Another trusted agent that speaks for a host, or a host that comes back with the boot id of an earlier start, which
only a second machine can have. Host data names hosts by hostid alone: while two answer to one, it names nobody.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from django.db.models import Q, QuerySet

from apps.fleet.models import Agent, Host, HostidClaim
from apps.history.actors import Actor, part
from apps.history.services import append
from kernelzone.facts import HostFacts

_CONTROL: Final[Actor] = part("control")
# a second machine that was switched off is not heard of again; one that answers now and then still is
STAYS: Final = timedelta(minutes=15)
BOOTS_KEPT: Final = 8


class Claim(NamedTuple):
    """Somebody who answers as `host` and should not. `agent`: the other one, None when it is the host's own."""

    host: Host
    agent: Agent | None
    boot_id: str
    hostname: str


def note_claims(claims: Iterable[Claim], now: datetime) -> None:
    """These claims were seen just now; one that is new is an event. In the caller's transaction."""
    for one in claims:
        key = {"host": one.host, "agent": one.agent, "boot_id": one.boot_id}
        row = HostidClaim.objects.select_for_update(no_key=True, of=("self",)).filter(**key).first()
        if row is not None and row.ended_at is None:
            row.last_seen_at = now
            row.save(update_fields=["last_seen_at"])
            continue
        again = {"hostname": one.hostname, "last_seen_at": now, "noted_at": None, "ended_at": None}
        HostidClaim.objects.update_or_create(**key, defaults=again, create_defaults={**again, "first_seen_at": now})
        data = {"agent": str(one.agent.pk) if one.agent else None, "boot_id": one.boot_id, "hostname": one.hostname}
        append("host.hostid-collision", actor=_CONTROL, subjects=[("host", one.host.owner_hostid)], data=data)


def note_boot(host: Host, facts: HostFacts) -> Claim | None:
    """Return the claim that a boot id proves which the host had before; `host.boot_ids` is brought up to date."""
    if facts.boot_id == host.boot_id or not host.boot_id:
        return None
    came_back = facts.boot_id in host.boot_ids
    others = [one for one in host.boot_ids if one not in (host.boot_id, facts.boot_id)]
    host.boot_ids = [host.boot_id, *others][:BOOTS_KEPT]
    # of two that take turns, the one that was there first is the host, as far as anybody can tell
    return Claim(host, None, min(facts.boot_id, host.boot_id), facts.hostname) if came_back else None


def claims_to_note(now: datetime) -> QuerySet[HostidClaim]:
    """Return the claims that are new, or that nobody has made for a while."""
    return HostidClaim.objects.filter(ended_at=None).filter(Q(noted_at=None) | Q(last_seen_at__lt=now - STAYS))


def take_noted(now: datetime) -> set[int]:
    """Return the hosts of the claims to note, which are noted from now on, or over."""
    rows: Sequence[HostidClaim] = list(claims_to_note(now).select_for_update(no_key=True, of=("self",)).order_by("pk"))
    for row in rows:
        row.noted_at = row.noted_at or now
        row.ended_at = now if row.last_seen_at < now - STAYS else None
        row.save(update_fields=["noted_at", "ended_at"])
    return {row.host_id for row in rows}
