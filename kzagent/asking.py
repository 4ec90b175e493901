"""Asking many hosts: slow ones many at once, quick ones meanwhile one after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import Executor
from typing import Final, TypeVar

from kzagent.drivers import ZoneDriver

MOST_AT_ONCE: Final = 64

T = TypeVar("T")


def ask_each(
    pool: Executor, drivers: Iterable[ZoneDriver], ask: Callable[[ZoneDriver], T]
) -> list[tuple[ZoneDriver, T]]:
    """Return what asking each host brought, in the order of `drivers`; `pool`: who asks the slow ones."""
    every = list(drivers)
    slow = {one.owner_hostid: pool.submit(ask, one) for one in every if one.is_slow}
    quick = {one.owner_hostid: ask(one) for one in every if not one.is_slow}
    return [(one, slow[one.owner_hostid].result() if one.is_slow else quick[one.owner_hostid]) for one in every]
