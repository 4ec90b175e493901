"""An agent that has met its site, with two portable hosts that share boot storage."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from agent_lab import Deployment, Fleet
from agent_site import Authority, Site


@pytest.fixture
def fleet(tmp_path: Path) -> Fleet:
    return Fleet(tmp_path / "fleet")


@pytest.fixture
def site() -> Iterator[Site]:
    site = Site(Authority())
    yield site
    site.close()


@pytest.fixture
def deployment(tmp_path: Path, fleet: Fleet, site: Site) -> Iterator[Deployment]:
    deployment = Deployment(tmp_path / "agent", fleet, site.authority, site)
    deployment.send()
    yield deployment
    deployment.agent.journal.close()
