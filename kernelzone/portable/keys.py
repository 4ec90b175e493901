"""The change of a zone key: which of two keys is the one, whatever crashed in between.

Order: `key.next` is durable, then host data is claimed under it, then it replaces `key`.
"""

from __future__ import annotations

import secrets
from dataclasses import replace
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

from kernelzone.hostdata import HostDataError, peek_header
from kernelzone.portable import reading
from kernelzone.portable.placement import KEY_BYTES, Placement
from kernelzone.portable.reading import Look

if TYPE_CHECKING:
    from kernelzone.portable.host import Host


def stage_new_key(host: Host, placement: Placement) -> bytes:
    """Return a new zone key, stored as `key.next`: host data may now be initialised under it.

    The zone's uuid is kept when the host knows it, taken from a slot header otherwise (it names the zone, it proves
    nothing), and new when there is none.
    """
    stored = placement.stored_state().zone_uuid
    if stored is None:
        looks = reading.look(host, placement, None)
        keep_uuid(placement, _named_uuid(looks) or uuid4())
    key = secrets.token_bytes(KEY_BYTES)
    placement.stage_key(key)
    return key


def settle_key(host: Host, placement: Placement) -> None:
    """Put a staged key in place when host data opens with it, forget it when host data is not sealed under it.

    Neither when host data is unsure: both keys are kept then.
    """
    key = placement.staged_key()
    if key is None:
        return
    looks = reading.look(host, placement, key)
    if looks and all(one.region and one.region.record for one in looks):
        placement.promote_key()
    elif looks and all(one.region and one.region.slot_errors == ("HD_KEYID", "HD_KEYID") for one in looks):
        placement.drop_staged_key()


def keep_uuid(placement: Placement, zone_uuid: UUID) -> None:
    """Store the zone's uuid."""
    placement.save_state(replace(placement.stored_state(), zone_uuid=zone_uuid))


def _named_uuid(looks: list[Look]) -> UUID | None:
    for image in (image for one in looks for image in one.pair or ()):
        try:
            return peek_header(image).zone_uuid
        except HostDataError:
            continue
    return None
