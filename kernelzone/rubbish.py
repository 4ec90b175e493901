"""How often Python looks for objects that only refer to each other."""

from __future__ import annotations

import gc
from typing import Final

# Python's own 700 lets a batch of 200 reports, which makes some 100 000 objects and not one such circle, be gone
# through a hundred times: a third of what it costs. What is let lie until the next look is a few megabytes.
_OBJECTS_BETWEEN_LOOKS: Final = 20_000
_LOOKS_BETWEEN_LONGER_ONES: Final = 20


def look_rarely() -> None:
    """What a process has loaded by now stays and is never looked through; the rest is, now and then.

    Called once by every process that runs long, when it is about to begin its work.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_OBJECTS_BETWEEN_LOOKS, _LOOKS_BETWEEN_LONGER_ONES, _LOOKS_BETWEEN_LONGER_ONES)
