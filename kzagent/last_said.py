"""What was last said about a thing, so that what has not changed is not said with every look at it."""

from __future__ import annotations

from collections.abc import Hashable


class LastSaid:
    """The last words about each thing."""

    def __init__(self) -> None:
        self._said: dict[Hashable, str] = {}

    def is_new(self, about: Hashable, said: str | None) -> bool:
        """Return whether `said` is to be said: it is not what was said last. None: there is nothing to say any more."""
        if said is None:
            self._said.pop(about, None)
            return False
        before, self._said[about] = self._said.get(about), said
        return said != before
