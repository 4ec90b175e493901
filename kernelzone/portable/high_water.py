"""The highest generation of host data that this host has seen on each boot storage of a zone, by whatever URI.

Generations only rise: a lower one means that boot storage was set back to an older copy (ROLLBACK), and what that
copy says of the owner may long be wrong. Kept for one zone uuid: a zone that is installed anew begins anew.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from kernelzone import suri
from kernelzone.portable import files
from kernelzone.portable.errors import PortableError
from kernelzone.portable.placement import Placement

_NAME: Final = "high-water.json"


def seen(placement: Placement, uri: str) -> int:
    """Return the highest generation seen on the boot storage, 0 for none. Raises: PortableError FILE, SuriError."""
    return _kept(placement).get(suri.identity(uri), 0)


def keep(placement: Placement, generations: Mapping[str, int]) -> None:
    """Remember generations, by URI, where they are the highest. The caller holds the zone's verb lock."""
    known, zone_uuid = _kept(placement), placement.stored_state().zone_uuid
    found = {suri.identity(uri): generation for uri, generation in generations.items()}
    higher = {place: generation for place, generation in found.items() if generation > known.get(place, 0)}
    if higher and zone_uuid is not None:
        entry = {"zone_uuid": str(zone_uuid), "generations": {**known, **higher}}
        files.write_json(placement.directory / _NAME, entry)


def _kept(placement: Placement) -> dict[str, int]:
    try:
        kept = files.read_json(placement.directory / _NAME)
    except FileNotFoundError:
        return {}
    generations = kept.get("generations")
    if not isinstance(generations, dict) or not all(type(number) is int for number in generations.values()):
        raise PortableError("FILE", f"{_NAME} is damaged; restore it from a copy")
    return generations if kept.get("zone_uuid") == str(placement.stored_state().zone_uuid) else {}
