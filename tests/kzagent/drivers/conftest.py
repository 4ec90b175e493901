"""What the tests of the drivers share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from agent_lab import Fleet
from rad_lab import RadLab, rad_lab


@pytest.fixture
def rad(tmp_path: Path, fleet: Fleet) -> Iterator[RadLab]:
    """A RAD server over global1, which wants kzone1 of global2 and has kzone2 of its own."""
    with rad_lab(tmp_path / "rad", fleet.global1) as lab:
        yield lab
