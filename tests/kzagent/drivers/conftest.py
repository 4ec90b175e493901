"""One host, met in each of the ways; global2 beside it, which owns kzone1, is met directly."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from agent_lab import Deployment, Fleet
from agent_site import Site
from rad_lab import RadLab, rad_lab
from sshd_lab import SSHD, Sshd
from ways import WAYS, local_settings, solaris_settings

from kzagent.drivers import ZoneDriver
from kzagent.drivers.solaris.opening import open_solaris


@pytest.fixture(params=[*sorted(WAYS), "rad", "ssh"])
def way(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def driver(way: str, fleet: Fleet, tmp_path: Path, request: pytest.FixtureRequest) -> ZoneDriver:
    """global1: it has kzone2, and a configuration of kzone1."""
    if way == "rad":
        return open_solaris(request.getfixturevalue("rad").solaris_settings(), tmp_path / "agent")
    if way == "ssh":
        sshd: Sshd = request.getfixturevalue("sshd")
        return open_solaris(sshd.over(solaris_settings(fleet.global1)), tmp_path / "agent")
    return WAYS[way](fleet.global1, tmp_path / "agent")


@pytest.fixture
def solaris(tmp_path: Path, fleet: Fleet, site: Site) -> Iterator[Deployment]:
    """An agent that meets both hosts as Solaris ones."""
    hosts = [local_settings(fleet.global1), local_settings(fleet.global2)]
    deployment = Deployment(tmp_path / "agent", fleet, site.authority, site, hosts)
    deployment.send()
    yield deployment
    deployment.agent.journal.close()


@pytest.fixture
def rad(tmp_path: Path, fleet: Fleet) -> Iterator[RadLab]:
    """A RAD server over global1, which wants kzone1 of global2 and has kzone2 of its own."""
    with rad_lab(tmp_path / "rad", fleet.global1) as lab:
        yield lab


@pytest.fixture(scope="session")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    """A sshd for every test that does not end it."""
    if SSHD is None:
        pytest.skip("needs sshd (Debian: openssh-server)")
    server = Sshd(tmp_path_factory.mktemp("sshd") / "d")
    yield server
    server.stop()
