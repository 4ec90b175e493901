"""Fixtures around `fake_agent.Fleet`, imported by the conftest of each folder that needs them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.utils import timezone
from fake_agent import Fleet


@pytest.fixture
def fleet(db: None) -> Fleet:
    """Three hosts, their agent and a signer; global2 holds kzone1 and is dead."""
    return Fleet()


@pytest.fixture
def later() -> Iterator[Callable[..., None]]:
    """Return a function (**timedelta) that moves the clock forward for the rest of the test."""
    travellers: list[Any] = []

    def move(**delta: int) -> None:
        traveller = time_machine.travel(timezone.now() + timedelta(**delta), tick=True)
        traveller.start()
        travellers.append(traveller)

    yield move
    while travellers:
        travellers.pop().stop()


@pytest.fixture
def silence_is_over(fleet: Fleet, later: Any) -> Callable[[], None]:
    """Return a function that lets the dead owner's agent have had its time to answer."""

    def wait() -> None:
        fleet.turn()
        later(seconds=15)
        fleet.turn()

    return wait
