"""The laboratory, and its end."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from portable_lab import Lab


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    """Two hosts on one storage; the guests are gone when the test ends."""
    made = Lab(tmp_path)
    yield made
    made.end_guests()
