"""`zoneadm clone`: a zone that begins with what another one of this host has on its boot storage."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple
from uuid import UUID, uuid4

from kernelzone import zoneadm
from kernelzone.portable import blocks, files, reading
from kernelzone.portable.attaching import make_volumes, write_log, written_anew
from kernelzone.portable.blocks import Block
from kernelzone.portable.changes import is_owner
from kernelzone.portable.placement import Placement
from kernelzone.portable.reading import Look
from kernelzone.portable.turn import Turn
from kernelzone.portable.unused import refuse_unless_unused
from kernelzone.portable.verdicts import Refused, said, true_record
from kernelzone.states import AuxiliaryState, ZoneState


class Placed(NamedTuple):
    """A whole block at its place on the storage."""

    position: int
    block: Block


def clone(turn: Turn, source: str) -> tuple[str, ...]:
    """Copy the boot storage of the halted zone `source` to this zone's own: a new uuid, key and host data.

    Return the line of progress. Interrupted, the zone stays incomplete. Raises: Refused; as install.
    """
    zone = turn.placement.zone
    with _halted(turn, source) as (origin, found):
        make_volumes(turn)
        looks = turn.look()
        refuse_unless_unused(turn.host, turn.placement, looks)
        written = _written(origin, found[0])
        _refuse_unless_it_fits(zone, written, looks[0])
        zone_uuid = uuid4()
        turn.save(ZoneState.INCOMPLETE, zone_uuid=zone_uuid)
        written_anew(turn, looks)  # first: from here on no other host takes the storage that is written to
        _copy(written, looks[0], zone_uuid)
        turn.save(ZoneState.INSTALLED)
    return (write_log(turn.host, zone, "clone", ("Clone: Succeeded",)),)


@contextmanager
def _halted(turn: Turn, source: str) -> Iterator[tuple[Placement, list[Look]]]:
    """Hold the source of a clone still while the block runs, and yield it with a look at its boot storage."""
    origin = turn.host.placement(source)
    if origin.zone == turn.placement.zone:
        raise Refused("CLONE_SELF", said(origin.zone, "a zone is no clone of itself; name another one"))
    if not origin.exists():
        raise Refused("NOT_CONFIGURED", zoneadm.not_configured_message(origin.zone))
    with files.held(origin.verb_lock, wait=False):
        state = origin.state()
        if state.state is not ZoneState.INSTALLED:
            raise Refused("WRONG_STATE", zoneadm.wrong_state_message(origin.zone, "installed", "clone"))
        found = reading.look(turn.host, origin, origin.key())
        record = true_record(origin, found)
        if AuxiliaryState.SUSPENDED in state.auxiliary or record.suspend_image_digest:
            lines = (f"zone {origin.zone} is suspended; its storage is not whole without its memory",)
            raise Refused("WRONG_STATE", said(turn.placement.zone, *lines))
        if not is_owner(turn.host, record):
            raise Refused("NOT_OWNER", said(turn.placement.zone, f"zone {origin.zone} is not this host's to copy"))
        yield origin, found


def _written(origin: Placement, source: Look) -> list[Placed]:
    """Return what guests of the source wrote, in the order in which they wrote it."""
    zone_uuid = origin.stored_state().zone_uuid
    assert zone_uuid is not None  # its host data was opened
    assert source.path is not None
    with source.path.open("rb", buffering=0) as file:
        found = [Placed(one.position, one.block) for one in blocks.walk(file.fileno()) if one.block]
    own = [one for one in found if one.block.zone_uuid == zone_uuid.bytes]
    return sorted(own, key=lambda one: one.block.sequence)


def _refuse_unless_it_fits(zone: str, written: list[Placed], target: Look) -> None:
    assert target.path is not None
    with target.path.open("rb", buffering=0) as file:
        room = blocks.segments(file.fileno()) * blocks.SEGMENT_BLOCKS
    if any(one.position >= room for one in written):
        text = said(zone, f"boot storage {target.device.uri} is too small for what is on the source")
        raise Refused("STORAGE_SIZE", text)


def _copy(written: list[Placed], target: Look, zone_uuid: UUID) -> None:
    """Write the blocks as another zone's: each names the copied one before it."""
    assert target.path is not None
    renamed: dict[bytes, bytes] = {}
    with target.path.open("r+b", buffering=0) as file:
        for position, block in written:
            previous = renamed.get(block.previous, block.previous)
            image = blocks.pack(block._replace(zone_uuid=zone_uuid.bytes, previous=previous))
            renamed[block.digest] = image[-len(block.digest) :]
            os.pwrite(file.fileno(), image, blocks.FIRST_BYTE + position * blocks.BLOCK_BYTES)
        os.fsync(file.fileno())
