"""Placements as hosts report them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

from apps.zones.models import BootStorage, Placement, Sighting
from kernelzone.facts import PlacementFacts

_REPORTED: Final = ("zone_id", "state", "auxiliary", "autoboot", "key_id", "configuration_sha256")


class Configured(NamedTuple):
    """One placement as its host reports it, with the boot storage that says which zone it is."""

    host: Any
    facts: PlacementFacts
    storage: BootStorage


def note_placements(configured: Sequence[Configured], *, whole_hosts: Sequence[Any], now: datetime) -> set[UUID]:
    """Return the zones of which a placement came, went or changed; all rows are as reported afterwards.

    whole_hosts: hosts that reported all they have, so that what is missing there is gone.
    """
    hosts = {one.host.pk for one in configured} | {host.pk for host in whole_hosts}
    known = {
        (row.host_id, row.name): row
        for row in Placement.objects.select_for_update().filter(host__in=hosts, gone_at=None).order_by("id")
    }
    new, changed, same = _sort_out(configured, known, now)
    Placement.objects.bulk_create(new)
    Placement.objects.bulk_update(changed, [*_REPORTED, "state_since", "last_seen_at"])
    if same:
        Placement.objects.filter(pk__in=[row.pk for row in same]).update(last_seen_at=now)
    reported = {(one.host.pk, one.facts.zone) for one in configured}
    whole = {host.pk for host in whole_hosts}
    gone = [row for key, row in known.items() if key not in reported and row.host_id in whole]
    _forget(gone, now)
    return {row.zone_id for row in (*new, *changed, *gone)}


def _sort_out(
    configured: Sequence[Configured], known: dict[tuple[int, str], Placement], now: datetime
) -> tuple[list[Placement], list[Placement], list[Placement]]:
    new, changed, same = [], [], []
    for one in configured:
        reported = _reported(one)
        row = known.get((one.host.pk, one.facts.zone))
        if row is None:
            times = {"first_seen_at": now, "last_seen_at": now, "state_since": now}
            new.append(Placement(host=one.host, name=one.facts.zone, **reported, **times))
        elif all(getattr(row, name) == value for name, value in reported.items()):
            same.append(row)
        else:
            _change(row, reported, now)
            changed.append(row)
    return new, changed, same


def _change(row: Placement, reported: dict[str, Any], now: datetime) -> None:
    if row.state != reported["state"]:
        row.state_since = now
    for name, value in reported.items():
        setattr(row, name, value)
    row.last_seen_at = now


def _reported(one: Configured) -> dict[str, Any]:
    return {
        "zone_id": one.storage.zone_id,
        "state": one.facts.state,
        "auxiliary": list(one.facts.auxiliary),
        "autoboot": one.facts.autoboot,
        "key_id": one.facts.key_id or "",
        "configuration_sha256": one.facts.configuration_sha256 or "",
    }


def _forget(gone: Sequence[Placement], now: datetime) -> None:
    """Mark placements as gone; what their hosts last saw of the storage is no longer the present."""
    for row in gone:
        row.gone_at = now
        Sighting.objects.filter(host=row.host_id, storage__zone=row.zone_id).delete()
    Placement.objects.bulk_update(gone, ["gone_at"])
