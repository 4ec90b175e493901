"""A fleet whose zone kzone1 is held by a dead host, and a frozen clock for what says how old it is."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import time_machine
from fake_agent import Fleet

from apps.zones.models import Zone


@pytest.fixture
def frozen() -> Iterator[None]:
    """The clock stands still."""
    with time_machine.travel(datetime(2026, 10, 31, 10, 0, tzinfo=UTC), tick=False):
        yield


@pytest.fixture
def fleet(db: None) -> Fleet:
    """Three hosts and their agent; global2 holds kzone1, which global1 wants, and is dead for 41 min."""
    found = Fleet()
    found.begin()
    return found


@pytest.fixture
def zone(fleet: Fleet) -> Any:
    """Return a function (name) that gives the zone."""
    return lambda name: Zone.objects.get(name=name)
