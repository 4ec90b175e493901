"""Readings: what the host data on each boot storage of a zone says, and how far it can be believed."""

from __future__ import annotations

import secrets
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple
from uuid import UUID

from kernelzone import facts
from kernelzone.facts import BootDevice, ReadingFacts, RecordFacts, RegionStatus
from kernelzone.hostdata import (
    Device,
    HostDataError,
    HostDataState,
    Record,
    RecordFlags,
    Region,
    doubts,
    key_id,
    peek_header,
    raw_digest,
    read_region,
)
from kernelzone.portable import files
from kernelzone.portable.errors import PortableError
from kernelzone.portable.placement import Placement
from kernelzone.suri import SuriError
from kernelzone.words import Digest, HostId

if TYPE_CHECKING:
    from kernelzone.portable.host import Host

_SLOTS: Final = ("A", "B")
_NO_UUID: Final = UUID(int=0)
_Under = tuple[BootDevice, bytes | None, UUID | None, int]


class Look(NamedTuple):
    """One look at one boot storage. `pair` and `region` are None when it could not be read; `status` says why."""

    device: BootDevice
    path: Path | None
    status: RegionStatus
    pair: tuple[bytes, bytes] | None = None
    region: Region | None = None


class Verified(NamedTuple):
    """What was read once, and all that it depends on: the same bytes under the same key say the same again.

    `under`: device, zone key, known zone uuid and high-water mark. `raw`: the digest of both slots.
    """

    under: _Under
    raw: bytes
    facts: ReadingFacts


def look(host: Host, placement: Placement, key: bytes | None) -> list[Look]:
    """Return a look at every boot storage of the zone, under `key`.

    Raises: PortableError NOT_CONFIGURED, CONFIGURATION.
    """
    stored = placement.stored_or_none()
    return _looks(host, placement, key, stored.zone_uuid if stored else None)


def read(host: Host, placement: Placement, *, nonce: str | None, high_water: int) -> list[ReadingFacts]:
    """Return one reading per boot storage, as `Host.read` says."""
    key, stored = _key_or_none(placement), placement.stored_or_none()
    known = stored.zone_uuid if stored else None
    if stored and known is None:
        looks = _looks(host, placement, key, None)
        _learn_uuid(placement, looks)
        return [_facts(placement, one, key, nonce, high_water) for one in looks]
    return [_read(host, placement, (device, key, known, high_water), nonce) for device in placement.boot_devices()]


def _read(host: Host, placement: Placement, under: _Under, nonce: str | None) -> ReadingFacts:
    """Return one reading; host data that says what it said is read from the device, and not opened anew."""
    device, key, known, high_water = under
    seen = _seen(host, device)
    if seen.pair is None:
        return _facts(placement, seen, key, nonce, high_water)
    raw = raw_digest(*seen.pair)
    place = (placement.zone, device.uri)
    verified = host.verified.get(place)
    if verified is None or (verified.under, verified.raw) != (under, raw):
        facts = _facts(placement, _opened(seen, key, known), key, nonce, high_water)
        verified = host.verified[place] = Verified(under, raw, facts)
    return replace(verified.facts, nonce=nonce or secrets.token_hex(16), at=int(time.time()))


def _learn_uuid(placement: Placement, looks: list[Look]) -> None:
    if not _proven(looks):
        return
    # a verb that works on the zone now keeps the uuid itself; its state must not be written over
    with files.try_held(placement.verb_lock) as is_mine:
        if is_mine:
            keep_uuid(placement, looks)


def device_guid(device: BootDevice) -> str | None:
    """Return what host data names its device by: the NAA or EUI id of the URI, if it has one."""
    return device.device_ids[0] if device.device_ids else None


def configured_key_id(placement: Placement) -> str | None:
    """Return the key id of the configured key, 32 hex digits, None without a readable key."""
    key = _key_or_none(placement)
    return key_id(key).hex() if key else None


def _key_or_none(placement: Placement) -> bytes | None:
    try:
        return placement.key()
    except PortableError:
        return None


def look_at(host: Host, device: BootDevice, key: bytes | None, known: UUID | None) -> Look:
    """Return a look at one boot storage. known: the zone uuid it must have; None: the one that its slots name."""
    return _opened(_seen(host, device), key, known)


def _seen(host: Host, device: BootDevice) -> Look:
    """Return both slots as they are, not opened yet."""
    try:
        path = host.path_of(device.uri)
    except (PortableError, SuriError):
        return Look(device, None, RegionStatus.NO_STORAGE)
    try:
        pair = Device(path).read_slots()
    except HostDataError as error:
        is_unstable = error.code == "HD_UNSTABLE"
        return Look(device, path, RegionStatus.UNSTABLE if is_unstable else RegionStatus.NO_STORAGE)
    return Look(device, path, RegionStatus.UNREADABLE, pair)


def _opened(seen: Look, key: bytes | None, known: UUID | None) -> Look:
    """Return the look with what its slots say under `key`."""
    pair = seen.pair
    if pair is None:
        return seen
    # Without a key nothing can be opened; a key nobody has still tells blank from written, and names the slot errors.
    region = read_region(*pair, zone_key=key or secrets.token_bytes(16), zone_uuid=known or _named_uuid(pair))
    return seen._replace(status=RegionStatus(region.status), region=region)


def _named_uuid(pair: tuple[bytes, bytes]) -> UUID:
    """Return the zone uuid a slot header names; only the tag proves it."""
    for image in pair:
        try:
            return peek_header(image).zone_uuid
        except HostDataError:
            continue
    return _NO_UUID


def keep_uuid(placement: Placement, looks: list[Look]) -> None:
    """Keep the zone uuid that a tag has proven, if none was known. The caller holds the zone's verb lock."""
    stored, proven = placement.stored_or_none(), _proven(looks)
    if stored and stored.zone_uuid is None and len(proven) == 1:
        placement.save_state(replace(stored, zone_uuid=proven.pop()))


def _looks(host: Host, placement: Placement, key: bytes | None, known: UUID | None) -> list[Look]:
    return [look_at(host, device, key, known) for device in placement.boot_devices()]


def _proven(looks: list[Look]) -> set[UUID]:
    return {one.region.zone_uuid for one in looks if one.region and one.region.zone_uuid}


def _facts(
    placement: Placement, one: Look, key: bytes | None, nonce: str | None, high_water: int
) -> ReadingFacts:  # fmt: skip
    region = one.region
    return ReadingFacts(
        nonce=nonce or secrets.token_hex(16),
        zone=placement.zone,
        at=int(time.time()),
        device=one.device.uri,
        device_ids=one.device.device_ids,
        status=one.status,
        generation=region.generation if region else 0,
        zone_uuid=region.zone_uuid if region else None,
        raw_sha256=Digest(raw_digest(*one.pair).hex()) if one.pair else None,
        record_sha256=Digest(region.record_digest.hex()) if region and region.record_digest else None,
        record=record_facts(region.record) if region and region.record else None,
        claim=record_facts(region.claim) if region and region.claim else None,
        key_ids=_key_ids(one.pair),
        configured_key_id=key_id(key).hex() if key else None,
        slot_errors=_slot_errors(one),
        warning=_warning(one, high_water),
    )


def record_facts(record: Record) -> RecordFacts:
    """Return what a record says, as agents report it."""
    environment = record.boot_environment
    return facts.RecordFacts(
        state=state_word(record.state),
        owner_hostid=HostId(record.owner_hostid),
        owner_hostname=record.owner_hostname,
        boot_environment=environment.name if environment else None,
        boot_environment_uuid=environment.uuid if environment else None,
        updated_at=record.updated_at,
        flags=tuple(str(flag.name).lower() for flag in RecordFlags if flag and flag in record.flags),
        incarnation=record.incarnation.hex(),
        warrant_sha256=Digest(record.warrant_digest.hex()) if record.warrant_digest else None,
        previous_owner_hostid=HostId(record.previous_owner_hostid) if record.previous_owner_hostid else None,
        previous_owner_hostname=record.previous_owner_hostname,
        is_suspended=record.suspend_image_digest is not None,
    )


def state_word(state: HostDataState) -> str:
    """Return the state of a record in the words of `zoneadm`: `free installed ... migrating-out unavailable`."""
    return state.name.lower().replace("_", "-")


def _key_ids(pair: tuple[bytes, bytes] | None) -> tuple[str, ...]:
    found: list[str] = []
    for image in pair or ():
        try:
            name = peek_header(image).key_id.hex()
        except HostDataError:
            continue
        if name not in found:
            found.append(name)
    return tuple(found)


def _slot_errors(one: Look) -> dict[str, str]:
    if one.region is None or one.status is RegionStatus.BLANK:
        return {}
    return {slot: code for slot, code in zip(_SLOTS, one.region.slot_errors, strict=True) if code}


def _warning(one: Look, high_water: int) -> str | None:
    """Return the gravest reason not to believe the reading."""
    if one.region is None:
        return None
    found = doubts(one.region, high_water=high_water, device_guid=device_guid(one.device))
    if one.status is RegionStatus.UNREADABLE:  # what cannot be read cannot be called older
        found = tuple(name for name in found if name != "ROLLBACK")
    return found[0] if found else None
