"""What the return guards of hosts keep from booting, as their agents tell it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django.conf import settings
from django.db.models import Q
from django.utils.module_loading import import_string

from apps.fleet.models import Host
from apps.history.actors import SYSTEM
from apps.history.actors import agent as agent_actor
from apps.history.services import append
from apps.zones.models import Placement
from kernelzone.facts import HeldBack

Told = Sequence[tuple[Host, tuple[HeldBack, ...]]]


def note_held_back(told: Told, *, now: datetime) -> None:
    """Every placement of these hosts is marked as their guards say; each that is held back anew is an event.

    In the caller's transaction, inside `events_last`.
    """
    held = {(host.pk, str(one.zone)): (host, one) for host, found in told for one in found}
    here = Placement.objects.filter(host__in=[host.pk for host, _ in told], gone_at=None)
    rows = here.filter(~Q(held_back="") | Q(name__in={zone for _, zone in held})).order_by("pk")
    for row in rows:
        told_of = held.get((row.host_id, row.name))
        why = told_of[1].why if told_of else ""
        if row.held_back == why:
            continue
        row.held_back = why
        row.save(update_fields=["held_back"])
        if told_of:
            _tell(row, *told_of)
    for path in settings.HELD_BACK if held else ():
        import_string(path)(list(held.values()), now)


def _tell(row: Placement, host: Host, one: HeldBack) -> None:
    data = {"why": one.why, "owner_hostid": one.owner_hostid, "state": one.state, "autoboot": one.autoboot}
    actor = agent_actor(host.agent) if host.agent is not None else SYSTEM
    append("zone.held-back", actor=actor, subjects=[("zone", str(row.zone_id)), ("host", host.owner_hostid)], data=data)
