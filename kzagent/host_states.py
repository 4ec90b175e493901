"""The states of hosts by their digests: what is as it was need not be written out again to be named."""

from __future__ import annotations

import dataclasses
from operator import attrgetter
from typing import Final

from kernelzone.facts import ReadingFacts
from kernelzone.host_state import OF_THE_LOOK, state_digest
from kernelzone.orders import InspectResult
from kernelzone.words import Digest, HostId

_says: Final = attrgetter(*(field.name for field in dataclasses.fields(ReadingFacts) if field.name not in OF_THE_LOOK))


class HostStates:
    """The last state seen of each host, with its digest."""

    def __init__(self) -> None:
        self._last: dict[HostId, tuple[InspectResult, Digest]] = {}

    def is_known(self, state: InspectResult) -> bool:
        """Return whether the last look at this host found the same."""
        last = self._last.get(state.host.owner_hostid)
        return last is not None and _is_same(last[0], state)

    def digest(self, state: InspectResult) -> Digest:
        """Return `state_digest` of a state; worked out once for all looks that found the same."""
        if not self.is_known(state):
            self._last[state.host.owner_hostid] = (state, state_digest(state))
        return self._last[state.host.owner_hostid][1]


def _is_same(one: InspectResult, other: InspectResult) -> bool:
    """Return whether two looks found the same, all but the looks' own times and nonces."""
    host = dataclasses.replace(one.host, at=other.host.at)
    return (
        dataclasses.replace(one, host=host, readings=()) == dataclasses.replace(other, readings=())
        and len(one.readings) == len(other.readings)
        and all(_says(a) == _says(b) for a, b in zip(one.readings, other.readings, strict=True))
    )
