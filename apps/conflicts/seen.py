"""What the rules look at, and what they find. Plain values: no row is read or written here."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any, NamedTuple
from uuid import UUID

from apps.conflicts.models import Conflict
from kernelzone.facts import ReadingFacts


class SightingSeen(NamedTuple):
    """The newest reading one host has of one boot storage, and when it last said so."""

    host: int
    storage: int
    owner_hostid: str
    reading: int
    confirmed_at: datetime
    facts: ReadingFacts


class PlacementSeen(NamedTuple):
    """One placement as its host last reported it. `auxiliary` are Solaris' words.

    `key_id`: of the configured key, "" without one. `also_on`: names of the other zones whose boot storage it
    configures besides its own.
    """

    host: int
    owner_hostid: str
    state: str
    auxiliary: tuple[str, ...]
    state_since: datetime
    last_seen_at: datetime
    is_silent: bool
    name: str = ""
    key_id: str = ""
    also_on: tuple[str, ...] = ()


class ObligationSeen(NamedTuple):
    """An open obligation: the host `owner_hostid` lost the zone at `since` and has not confirmed it.

    `host`: its row, None for one nobody knows. `is_silent`: it has not come back, as far as anybody can tell.
    """

    owner_hostid: str
    new_owner_hostid: str
    generation: int
    since: datetime
    host: int | None
    is_silent: bool


class ZoneSeen(NamedTuple):
    """All the rules look at.

    `warranted`: payload digests of those forced orders of ours for this zone that host data names. `claimants`: owner
    hostids that the open conflict `held-elsewhere` names: one that fell silent since has not stopped wanting the zone.
    `returned`: owner hostids that the open conflict `return-pending` names: silence is no confirmation.
    `collided`: owner hostid to who else answers under it.
    """

    zone: UUID
    placements: tuple[PlacementSeen, ...]
    sightings: tuple[SightingSeen, ...]
    warranted: frozenset[str] = frozenset()
    claimants: frozenset[str] = frozenset()
    obligations: tuple[ObligationSeen, ...] = ()
    returned: frozenset[str] = frozenset()
    collided: Mapping[str, tuple[str, ...]] = MappingProxyType({})


class Found(NamedTuple):
    """One conflict that is proved. `host`: where it was seen, and what a door would act on."""

    kind: Conflict.Kind
    host: int | None
    reading: int | None
    facts: dict[str, Any]
