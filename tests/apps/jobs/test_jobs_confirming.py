"""A sweep that finds nothing new, through to the zones: what is confirmed, and what is looked at again all the same."""

from __future__ import annotations

import pytest
from signing_agent import inspection

from apps.jobs.services.ingesting import ingest_reports
from apps.zones.models import Placement

pytestmark = pytest.mark.django_db

STORAGE = {
    "uri": "lu:luname.naa.600144f0000000000000000000000001",
    "device_ids": ["naa.600144f0000000000000000000000001"],
}
TOUCHED: list = []


def keep_touched(zones, now, known=None):
    """A hook of the settings."""
    TOUCHED.append(set(zones))


@pytest.fixture(autouse=True)
def touched(settings):
    """What the apps above the zones are told."""
    TOUCHED.clear()
    settings.ZONES_TOUCHED = [f"{__name__}.keep_touched"]


@pytest.fixture
def sweep(client, signing_agent):
    """Return a function that takes in the whole state of one host, its zone kzone1 in `state`."""

    def take(owner_hostid, state):
        result = inspection(owner_hostid)
        result["placements"][0] |= {"state": state, "boot_storage": [{**STORAGE, "id": 0, "bootpri": 0}]}
        signing_agent.post(client, signing_agent.report(owner_hostid=owner_hostid, result=result))
        assert ingest_reports() == 1

    return take


def test_a_host_that_is_as_it_was_confirms_its_placements_and_touches_no_zone(sweep):
    sweep("848611d4", "installed")
    first = Placement.objects.get()
    TOUCHED.clear()
    sweep("848611d4", "installed")
    assert Placement.objects.get().last_seen_at > first.last_seen_at
    assert TOUCHED == []


def test_a_zone_that_is_active_at_two_places_is_looked_at_again_when_both_are_confirmed(sweep):
    sweep("848611d4", "running")
    sweep("848611d5", "running")
    TOUCHED.clear()
    sweep("848611d4", "running")
    assert [{Placement.objects.first().zone_id}] == TOUCHED
