"""The fleet map: one tile a host, by site and rack, with a mark for each zone the host configures."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby
from typing import Any, Final, NamedTuple
from uuid import UUID

from apps.fleet.models import Host
from apps.zones.models import Placement, Zone
from kernelzone.ownership import Verdict
from kernelzone.states import ACTIVE

# up to so many hosts a tile names its zones; beyond the second number it is as small as it can be read
ROOMY_HOSTS: Final = 40
DENSE_HOSTS: Final = 400


class ZoneMark(NamedTuple):
    """One zone on one host. word: of the badge family `mark`. worst: the severity of its worst conflict, 0 for none."""

    zone: UUID
    name: str
    state: str
    word: str
    worst: int


class Tile(NamedTuple):
    """One host with its zones."""

    host: Host
    is_silent: bool
    marks: list[ZoneMark]
    worst: int


class Rack(NamedTuple):
    """The hosts of one rack, by name."""

    name: str
    tiles: list[Tile]


class Site(NamedTuple):
    """The racks of one site, with how much is there."""

    name: str
    racks: list[Rack]
    hosts: int
    zones: int


class FleetMap(NamedTuple):
    """All of it. density: roomy, dense or tiny."""

    sites: list[Site]
    density: str


def map_of(hosts: Iterable[Host], worst_by_zone: dict[UUID, int]) -> FleetMap:
    """Return the map of these hosts, which carry `is_silent` and come ordered by site and rack; two queries.

    worst_by_zone: zone id to the severity of its worst open conflict.
    """
    listed = list(hosts)
    marks = _marks(worst_by_zone)
    tiles = [_tile(host, marks.get(host.owner_hostid, [])) for host in listed]
    sites = [_site(name, list(found)) for name, found in groupby(tiles, key=lambda tile: tile.host.site)]
    return FleetMap(sites, _density(len(listed)))


def _density(hosts: int) -> str:
    if hosts <= ROOMY_HOSTS:
        return "roomy"
    return "dense" if hosts <= DENSE_HOSTS else "tiny"


def _marks(worst_by_zone: dict[UUID, int]) -> dict[str, list[ZoneMark]]:
    """Return owner hostid to the zones to mark there."""
    rows = Placement.objects.filter(gone_at=None, zone__retired_at=None).order_by("name")
    found: dict[str, list[ZoneMark]] = {}
    for owner, zone, name in _held_without_a_word():
        found.setdefault(owner, []).append(ZoneMark(zone, name, "", "named", worst_by_zone.get(zone, 0)))
    columns = ("host__owner_hostid", "zone_id", "name", "state", "zone__verdict", "zone__owner_hostid")
    for owner_hostid, zone, name, state, verdict, owner in rows.values_list(*columns):
        word = mark_word(verdict, state, is_owner=owner == owner_hostid)
        found.setdefault(owner_hostid, []).append(ZoneMark(zone, name, state, word, worst_by_zone.get(zone, 0)))
    return found


def _held_without_a_word() -> Iterable[tuple[str, UUID, str]]:
    """Return owner hostid, zone and name where host data names an owner that has not told us of the zone."""
    held = Zone.objects.filter(verdict=Verdict.HELD_ELSEWHERE, retired_at=None)
    return held.order_by("name").values_list("owner_hostid", "pk", "name")


def mark_word(verdict: str, state: str, *, is_owner: bool) -> str:
    """Return what a zone is on one host: its verdict, told apart by whether this host is the owner and runs it."""
    if verdict != "ours":
        return verdict
    if not is_owner:
        return "unowned" if state in ACTIVE else "elsewhere"
    return "running" if state == "running" else "at-rest"


def _tile(host: Any, marks: list[ZoneMark]) -> Tile:
    return Tile(host, host.is_silent, marks, max((mark.worst for mark in marks), default=0))


def _site(name: str, tiles: list[Tile]) -> Site:
    racks = [Rack(rack, list(found)) for rack, found in groupby(tiles, key=lambda tile: tile.host.rack)]
    return Site(name, racks, len(tiles), sum(len(tile.marks) for tile in tiles))
