"""Exported configurations are kept as versions, whatever stands in them, and never with a key."""

from __future__ import annotations

import dataclasses
import hashlib

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from fake_agent import FakeHost, Fleet

from apps.configs.models import ExportedConfig
from apps.history.models import Event
from apps.zones.models import Placement
from kernelzone.orders import ConfigurationText
from kernelzone.words import Digest, HostId, ZoneName

FIRST, SECOND = "create -b\nset brand=solaris-kz\n", "create -b\nset brand=solaris-kz\nset autoboot=true\n"


def say(fleet: Fleet, host: FakeHost, text: str, zone: str = "kzone1") -> int:
    """The host reports this configuration; return the number of queries that took."""
    digest = Digest(hashlib.sha256(text.encode()).hexdigest())
    result = dataclasses.replace(host.inspection(), configurations=(ConfigurationText(ZoneName(zone), text, digest),))
    fleet.agent._say(None, HostId(host.owner_hostid), "done", "DONE", result)
    fleet.agent.post()
    with CaptureQueriesContext(connection) as seen:
        fleet.take_in()
    return len(seen)


def versions() -> list[tuple[str, int, str]]:
    rows = ExportedConfig.objects.order_by("host__hostname", "version")
    return [(row.host.hostname, row.version, row.text) for row in rows]


def test_a_configuration_that_differs_is_a_new_version_and_an_event(fleet: Fleet) -> None:
    for text in (FIRST, FIRST, SECOND, SECOND, FIRST):
        say(fleet, fleet.global2, text)

    assert versions() == [("global2", 1, FIRST), ("global2", 2, SECOND), ("global2", 3, FIRST)]
    told = [
        event.record["data"]["version"] for event in Event.objects.filter(type="configuration.keep").order_by("seq")
    ]
    assert told == [1, 2, 3]


def test_each_placement_has_versions_of_its_own(fleet: Fleet) -> None:
    say(fleet, fleet.global1, FIRST)
    say(fleet, fleet.global2, SECOND)

    assert versions() == [("global1", 1, FIRST), ("global2", 1, SECOND)]
    assert ExportedConfig.objects.values("zone").distinct().count() == 1


@pytest.mark.parametrize("text", ["", "this is no command file\n", "add device\nset storage=", "\u2603" * 3])
def test_a_text_that_cannot_be_read_as_a_command_file_is_kept_all_the_same(fleet: Fleet, text: str) -> None:
    say(fleet, fleet.global2, text)

    assert versions() == [("global2", 1, text)]
    assert Placement.objects.filter(gone_at=None).count() == 1


def test_a_key_that_an_agent_forgot_to_remove_is_not_kept(fleet: Fleet) -> None:
    raw = "0123456789abcdef0123456789abcdef"
    say(fleet, fleet.global2, f"{FIRST}add keysource\nset raw={raw}\nend\n")

    ((_, _, text),) = versions()
    assert raw not in text
    assert raw not in str([bytes(event.body) for event in Event.objects.all()])


def test_a_configuration_of_a_zone_the_host_does_not_have_is_not_kept(fleet: Fleet) -> None:
    say(fleet, fleet.global2, FIRST, zone="nothing-of-mine")

    assert not versions()


def test_many_old_versions_cost_no_more_than_one(fleet: Fleet) -> None:
    say(fleet, fleet.global2, FIRST)
    one = say(fleet, fleet.global2, FIRST)
    for number in range(8):
        say(fleet, fleet.global2, f"{SECOND}# {number}\nset bootargs={number}\n")

    assert say(fleet, fleet.global2, f"{SECOND}# 7\nset bootargs=7\n") == one
