"""A whole agent whose host is reached through RAD: a takeover, and one whose answer was cut off."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import pytest
from agent_lab import GLOBAL1, GLOBAL2, Deployment, Fleet
from agent_site import FORCED_ARGS, Site, warrant_for
from rad_lab import RadLab
from ways import local_settings

from kernelzone.facts import RegionStatus
from kernelzone.orders import Kind, Order, read_result
from kzagent.host_settings import HostSettings
from kzagent.recovery import recover


@pytest.fixture
def by_rad(tmp_path: Path, fleet: Fleet, site: Site, rad: RadLab) -> Iterator[Deployment]:
    """An agent that meets global1 through RAD, and global2 by its commands."""
    hosts = [HostSettings("solaris", "", rad.solaris_settings()), local_settings(fleet.global2)]
    deployment = Deployment(tmp_path / "agent", fleet, site.authority, site, hosts)
    deployment.send()
    yield deployment
    deployment.agent.journal.close()


def approved_takeover(deployment: Deployment) -> Order:
    """Return a takeover of kzone1, approved on what a refused attach said."""
    attach = deployment.order(Kind.ATTACH, "kzone1")
    deployment.run(attach)
    assert deployment.result(attach) == ("failed", "IN_USE")
    warrant = warrant_for(deployment.inspected(), "kzone1")
    return deployment.order(Kind.FORCE_TAKEOVER, "kzone1", args=FORCED_ARGS, warrant=warrant)


def owner(deployment: Deployment) -> str:
    record = deployment.fleet.global2.read("kzone1")[0].record
    assert record is not None
    return record.owner_hostid


def test_an_inspection_says_what_is_hidden_and_who_it_is_about(by_rad: Deployment) -> None:
    result = read_result(Kind.INSPECT, by_rad.inspected().result)

    assert result.host.owner_hostid == GLOBAL1
    assert {one.zone: one.state for one in result.placements} == {"kzone1": "configured", "kzone2": "installed"}
    assert {reading.status for reading in result.readings} == {RegionStatus.HIDDEN}
    assert all("raw" not in one.text for one in result.configurations)


def test_an_approved_takeover_goes_through_rad(by_rad: Deployment, rad: RadLab) -> None:
    order = approved_takeover(by_rad)

    by_rad.run(order)

    assert by_rad.result(order) == ("done", "DONE")
    assert owner(by_rad) == GLOBAL1
    forced = [body for _, path, body in rad.served.requests if path.endswith("/attach") and body]
    assert forced == [{"options": ["-x", "force-takeover"]}]


def test_a_takeover_whose_answer_was_cut_off_is_unknown_and_runs_once(by_rad: Deployment, rad: RadLab) -> None:
    order = approved_takeover(by_rad)
    plain = rad.served.asked("_rad_method/attach")

    def cut_off_the_forced_one(payload: object) -> object:
        rad.served.manners = dataclasses.replace(rad.manners, cut_after_acting=owner(by_rad) == GLOBAL1)
        return payload

    rad.served.manners = dataclasses.replace(rad.manners, only="_rad_method/attach", edit=cut_off_the_forced_one)
    by_rad.run(order)

    assert by_rad.result(order)[0] == "unknown"
    assert owner(by_rad) == GLOBAL1, "the host did it; the agent cannot know"

    by_rad.agent.journal.close()
    recover(by_rad.start())
    by_rad.run(order)
    assert rad.served.asked("_rad_method/attach") == plain + 2, "a plain one and a forced one, and never again"

    rad.served.manners = dataclasses.replace(rad.manners, cut_after_acting=False, edit=lambda payload: payload)
    placements = read_result(Kind.INSPECT, by_rad.inspected().result).placements
    assert {one.zone: one.state for one in placements}["kzone1"] == "installed"


def test_a_host_whose_rad_is_silent_takes_nothing_and_is_not_said_to_be_down(by_rad: Deployment, rad: RadLab) -> None:
    order = approved_takeover(by_rad)
    rad.served.manners = dataclasses.replace(rad.manners, status=500, raw=b"<html>", only="Zone")

    by_rad.run(order)

    assert by_rad.site.about(order.order) == [], "of a host that cannot be asked its agent says nothing"
    assert owner(by_rad) == GLOBAL2
    assert not by_rad.agent.drivers[GLOBAL1].is_reachable()  # type: ignore[index]
