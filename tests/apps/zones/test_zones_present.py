"""What is handed from step to step is what each step would have fetched."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import astuple
from datetime import datetime
from typing import Any
from uuid import UUID

import pytest
from fake_agent import Fleet

from apps.zones.models import Sighting
from apps.zones.present import Present, present_of
from kernelzone.facts import RegionStatus

SEEN: list[tuple[Any, Any]] = []


def compare(zones: Iterable[UUID], now: datetime, known: Present | None = None) -> None:
    """A hook of the settings: keep what was handed on, and what is there."""
    if known is not None:
        SEEN.append((plain(known), plain(present_of(zones))))


def plain(known: Present) -> Any:
    """Return everything in it, to compare."""
    sightings = {
        zone: [(*one[:4], astuple(one.row), one.facts) for one in sighted] for zone, sighted in known.sightings.items()
    }
    return [astuple(zone) for zone in known.zones], known.placements, sightings


@pytest.fixture
def compared(settings: Any) -> list[tuple[Any, Any]]:
    SEEN.clear()
    settings.ZONES_TOUCHED = [*settings.ZONES_TOUCHED, f"{__name__}.compare"]
    return SEEN


def test_verdicts_and_new_readings_are_handed_on_as_they_are_kept(fleet: Fleet, compared: list[Any]) -> None:
    fleet.say_states()
    assert Sighting.objects.exists()

    fleet.kzone1.owner = fleet.global1
    fleet.kzone1.change()
    fleet.global1.put(fleet.kzone1, "running")
    fleet.say_states()
    fleet.kzone1.status = RegionStatus.CLAIM
    fleet.say_states()

    assert len(compared) >= 3
    for handed_on, there in compared:
        assert handed_on == there


def test_what_one_host_saw_newly_is_handed_on_with_what_another_had_seen(fleet: Fleet, compared: list[Any]) -> None:
    fleet.say_states()
    fleet.kzone1.change()
    compared.clear()

    fleet.agent.say_state(fleet.global1)
    fleet.agent.post()
    fleet.take_in()

    [(handed_on, there)] = compared
    assert handed_on == there
    [sightings] = handed_on[2].values()
    assert {owner_hostid for _, _, owner_hostid, *_ in sightings} == {"83a0cc71", "848611d4"}
