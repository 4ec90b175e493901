"""The digest by which agent and site know that they mean the same state of a host."""

from __future__ import annotations

import hashlib
from typing import Any, Final

from kernelzone import strict
from kernelzone.orders import InspectResult
from kernelzone.words import Digest

# differ at every look, and say nothing about the host
OF_THE_LOOK: Final = frozenset({"at", "nonce"})


def state_digest(result: InspectResult) -> Digest:
    """Return the digest of what may change about a host: no times of looking, no nonces, no texts beside their digest.

    SHA-256 of the canonical JSON of the result without those fields; a heartbeat names it for each host.
    """
    return state_digest_of_json(strict.write(result))


def state_digest_of_json(result: dict[str, Any]) -> Digest:
    """Return `state_digest` of an InspectResult in its JSON form, which stays as it is."""
    state = {
        "host": _without(result["host"], OF_THE_LOOK),
        "placements": result["placements"],
        "readings": [_without(reading, OF_THE_LOOK) for reading in result["readings"]],
        "configurations": [_without(one, frozenset({"text"})) for one in result["configurations"]],
        "held_back": result["held_back"],
    }
    return Digest(hashlib.sha256(strict.canonical(state)).hexdigest())


def _without(fields: dict[str, Any], names: frozenset[str]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if name not in names}
