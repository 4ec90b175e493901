"""What hosts that lost a zone still have to confirm: opened by a forced action, met by the loser's agent."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final, NamedTuple
from uuid import UUID

from django.conf import settings
from django.utils.module_loading import import_string

from apps.conflicts.models import Conflict, Obligation
from apps.fleet.models import Host
from apps.history.actors import Actor, part
from apps.history.actors import agent as agent_actor
from apps.history.services import append, events_last
from apps.zones.bulk import rows_in
from apps.zones.models import Placement, Zone
from kernelzone.facts import HeldBack
from kernelzone.standing import may_run

_CONTROL: Final[Actor] = part("control")


class Loss(NamedTuple):
    """One zone that changed its owner by force. `generation`: of the host data that says so; `order`: what did it."""

    zone: Zone
    loser_hostid: str
    new_owner_hostid: str
    generation: int
    order: UUID


def open_obligation(loss: Loss, now: datetime) -> Obligation | None:
    """Return the obligation of the loser, None when nobody lost anything. In the caller's transaction.

    A zone that is taken twice leaves its loser one obligation, about the last time; the new owner owes nothing more.
    """
    end_obligations(loss.zone.pk, {loss.new_owner_hostid}, now)
    if loss.loser_hostid in ("", loss.new_owner_hostid):
        return None
    there = Placement.objects.filter(zone=loss.zone, host__owner_hostid=loss.loser_hostid, gone_at=None).first()
    about = {"new_owner_hostid": loss.new_owner_hostid, "generation": loss.generation, "order_id": loss.order}
    row, is_new = Obligation.objects.update_or_create(
        zone=loss.zone,
        owner_hostid=loss.loser_hostid,
        met_at=None,
        defaults=about,
        create_defaults={**about, "zone_name": there.name if there else loss.zone.name, "opened_at": now},
    )
    if is_new:
        data = {"new_owner_hostid": loss.new_owner_hostid, "generation": loss.generation, "order": str(loss.order)}
        append("obligation.open", actor=_CONTROL, subjects=_subjects(row), data=data)
    return row


def open_obligations(zones: Iterable[UUID]) -> dict[UUID, list[Obligation]]:
    """Return the open obligations of these zones."""
    found: dict[UUID, list[Obligation]] = {}
    for row in rows_in(Obligation.objects.filter(met_at=None).order_by("opened_at"), "zone", zones):
        found.setdefault(row.zone_id, []).append(row)
    return found


def end_obligations(zone: UUID, owner_hostids: set[str], now: datetime) -> None:
    """These hosts own the zone again, so that there is nothing left to confirm."""
    for row in Obligation.objects.select_for_update(no_key=True).filter(
        zone=zone, owner_hostid__in=owner_hostids, met_at=None
    ):
        _end(row, "it owns the zone again", _CONTROL, now)


def meet_obligations(told: Sequence[tuple[Host, HeldBack]], now: datetime) -> None:
    """What the losers' own agents confirm is met; one whose guest may still run, or boot, is not."""
    by_id = {one.obligation: (host, one) for host, one in told if one.obligation is not None}
    if not by_id:
        return
    touched = set(Obligation.objects.filter(pk__in=list(by_id), met_at=None).values_list("zone", flat=True))
    # conflicts first, as everybody who locks both does
    conflicts = Conflict.objects.select_for_update(no_key=True).filter(zone__in=sorted(touched), resolved_at=None)
    list(conflicts.order_by("pk").values_list("pk"))
    rows = Obligation.objects.select_for_update(no_key=True).filter(pk__in=list(by_id), met_at=None).order_by("pk")
    with events_last():
        for row in rows:
            host, one = by_id[row.pk]
            if host.owner_hostid == row.owner_hostid and is_met(one):
                actor = agent_actor(host.agent) if host.agent is not None else _CONTROL
                _end(row, f"its agent confirms: {one.state}, autoboot off", actor, now)
        for path in settings.ZONES_TOUCHED if touched else ():
            import_string(path)(touched, now)


def is_met(one: HeldBack) -> bool:
    """Return whether the zone neither runs nor boots with its host."""
    return not may_run(one.state) and not one.autoboot


def _end(row: Obligation, how: str, actor: Actor, now: datetime) -> None:
    row.met_at, row.met_how = now, how
    row.save(update_fields=["met_at", "met_how"])
    append("obligation.meet", actor=actor, subjects=_subjects(row), data={"how": how})


def _subjects(row: Obligation) -> list[tuple[str, str]]:
    return [("obligation", str(row.pk)), ("zone", str(row.zone_id)), ("host", row.owner_hostid)]
