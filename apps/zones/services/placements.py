"""Placements as hosts report them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import attrgetter
from typing import Any, Final, NamedTuple
from uuid import UUID

from django.db.models import Count

from apps.base.bulk import insert_rows, update_rows
from apps.zones.bulk import parts
from apps.zones.identity import StorageRow
from apps.zones.models import Placement, Sighting
from kernelzone.facts import PlacementFacts
from kernelzone.states import AuxiliaryState
from kernelzone.words import shown

_REPORTED: Final = (
    "zone_id",
    "state",
    "auxiliary",
    "autoboot",
    "also_on",
    "key_id",
    "configuration_sha256",
    "evacuation_target",
)
_LONGEST_TARGET: Final = 300
_ACTIVE: Final = ("ready", "running")
_kept: Final = attrgetter(*_REPORTED)


class Configured(NamedTuple):
    """One placement as its host reports it, with the boot storage that says which zone it is."""

    host: Any
    facts: PlacementFacts
    storage: StorageRow
    also_on: tuple[str, ...] = ()


@dataclass(slots=True)
class _Row:
    """A placement by those columns that reports change; `pk` is 0 while it is not inserted."""

    host_id: int
    name: str
    zone_id: UUID
    state: str
    auxiliary: list[str]
    autoboot: bool
    also_on: list[str]
    key_id: str
    configuration_sha256: str
    evacuation_target: str
    state_since: datetime
    pk: int = 0


class _Sorted(NamedTuple):
    new: list[_Row]
    changed: list[_Row]
    same: list[_Row]
    # (host, zone) that a changed placement was of before
    left: set[tuple[int, UUID]]


def note_placements(configured: Sequence[Configured], *, whole_hosts: Sequence[Any], now: datetime) -> set[UUID]:
    """Return the zones of which a placement came, went or changed, or is active at two places; rows are as reported.

    whole_hosts: hosts that reported all they have, so that what is missing there is gone.
    """
    reported = {(one.host.pk, one.facts.zone): one for one in configured}
    whole = {host.pk for host in whole_hosts}
    known = _known({host for host, _ in reported} | whole)
    found = _sort_out(reported.values(), known, now)
    gone = [row for key, row in known.items() if key not in reported and row.host_id in whole]
    update_rows(Placement, ["gone_at"], [(now, row.pk) for row in gone])
    _insert(found.new, now)
    changed = [(*_kept(row), row.state_since, now, row.pk) for row in found.changed]
    update_rows(Placement, [*_REPORTED, "state_since", "last_seen_at"], changed)
    for some in parts(row.pk for row in found.same):
        Placement.objects.filter(pk__in=some).update(last_seen_at=now)
    left = found.left | {(row.host_id, row.zone_id) for row in gone}
    _forget_sightings(left)
    touched = {row.zone_id for row in (*found.new, *found.changed)} | {zone for _, zone in left}
    return touched | _active_twice({row.zone_id for row in found.same if row.state in _ACTIVE} - touched)


def _known(hosts: set[int]) -> dict[tuple[int, str], _Row]:
    locked = Placement.objects.select_for_update(no_key=True).filter(gone_at=None).order_by("id")
    values = locked.values_list("host", "name", *_REPORTED, "state_since", "pk")
    rows = (_Row(*row) for some in parts(sorted(hosts)) for row in values.filter(host__in=some))
    return {(row.host_id, row.name): row for row in rows}


def _insert(rows: Sequence[_Row], now: datetime) -> None:
    names = ["host", "name", *_REPORTED, "state_since", "first_seen_at", "last_seen_at", "held_back", "gone_at"]
    new = [(row.host_id, row.name, *_kept(row), row.state_since, now, now, "", None) for row in rows]
    insert_rows(Placement, names, new)


def _sort_out(configured: Iterable[Configured], known: dict[tuple[int, str], _Row], now: datetime) -> _Sorted:
    found = _Sorted([], [], [], set())
    for one in configured:
        reported = _reported(one)
        row = known.get((one.host.pk, one.facts.zone))
        if row is None:
            found.new.append(_Row(one.host.pk, one.facts.zone, **reported, state_since=now))
        elif _kept(row) == tuple(reported.values()):
            found.same.append(row)
        else:
            if row.zone_id != one.storage.zone_id:
                found.left.add((row.host_id, row.zone_id))
            _change(row, reported, now)
            found.changed.append(row)
    return found


def _change(row: _Row, reported: dict[str, Any], now: datetime) -> None:
    # A zone that has come to a host runs there since then, not since the host began to receive it.
    if row.state != reported["state"] or _is_coming(row.auxiliary) != _is_coming(reported["auxiliary"]):
        row.state_since = now
    for name, value in reported.items():
        setattr(row, name, value)


def _is_coming(auxiliary: Sequence[str]) -> bool:
    return AuxiliaryState.MIGRATING_IN in auxiliary


def _reported(one: Configured) -> dict[str, Any]:
    """Return what is reported, in the order of `_REPORTED`."""
    return {
        "zone_id": one.storage.zone_id,
        "state": one.facts.state,
        "auxiliary": list(one.facts.auxiliary),
        "autoboot": one.facts.autoboot,
        "also_on": list(one.also_on),
        "key_id": one.facts.key_id or "",
        "configuration_sha256": one.facts.configuration_sha256 or "",
        "evacuation_target": shown(one.facts.evacuation_target or "", _LONGEST_TARGET),
    }


def _active_twice(zones: set[UUID]) -> set[UUID]:
    """Return those of the zones that are active at two places: that both are confirmed is news about a double run."""
    active = Placement.objects.filter(gone_at=None, state__in=_ACTIVE).order_by().values("zone")
    counted = active.annotate(places=Count("pk")).filter(places__gt=1)
    return {row["zone"] for some in parts(zones) for row in counted.filter(zone__in=some)}


def _forget_sightings(left: set[tuple[int, UUID]]) -> None:
    """What a host saw of boot storage that it configures no more is no longer the present."""
    hosts, zones = {host for host, _ in left}, {zone for _, zone in left}
    present = Placement.objects.filter(gone_at=None, host__in=hosts)
    gone = left - set(present.values_list("host", "zone")) if left else left
    rows = Sighting.objects.filter(host__in=hosts).values_list("pk", "host", "storage__zone")
    old = [
        pk for some in parts(zones) for pk, host, zone in rows.filter(storage__zone__in=some) if (host, zone) in gone
    ]
    for some in parts(old):
        Sighting.objects.filter(pk__in=some).delete()
