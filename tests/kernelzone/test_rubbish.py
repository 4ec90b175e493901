"""Looking for circles of objects rarely, and finding them all the same."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator

import pytest

from kernelzone.rubbish import look_rarely


class Circle:
    """Refers to itself."""

    def __init__(self) -> None:
        self.me = self


@pytest.fixture
def as_python_does() -> Iterator[None]:
    before = gc.get_threshold()
    yield
    gc.set_threshold(*before)
    gc.unfreeze()


@pytest.mark.usefixtures("as_python_does")
def test_what_is_loaded_is_not_looked_through_and_what_comes_later_is_found_in_the_end() -> None:
    early = Circle()
    before = gc.get_threshold()[0]

    look_rarely()

    assert gc.get_threshold()[0] > before
    assert gc.get_freeze_count() > 0
    seen = [weakref.ref(Circle()) for _ in range(30)]
    kept = [[] for _ in range(gc.get_threshold()[0] + 1)]  # type: ignore[var-annotated]
    assert [one() for one in seen] == [None] * len(seen), len(kept)
    assert early.me is early
