"""What each verb makes of the record in host data, and how the change is claimed on every boot storage of the zone.

    install  attach  takeover  initialise     a new incarnation: who uses the zone from now on
    ready  boot  halt  suspend  detach        the same incarnation in another state

An incarnation keeps its flags and its warrant digest until the next one: so a takeover stays visible in readings.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Final, NamedTuple
from uuid import UUID

from kernelzone.facts import BootDevice
from kernelzone.hostdata import (
    ClaimOutcome,
    Device,
    ExpectedRegion,
    FileJournal,
    HostDataError,
    HostDataState,
    Outcome,
    Record,
    RecordFlags,
    change_host_data,
    initialise_host_data,
    raw_digest,
    recover_host_data,
)
from kernelzone.portable import high_water
from kernelzone.portable.placement import Placement
from kernelzone.portable.reading import Look, device_guid
from kernelzone.words import HostId

if TYPE_CHECKING:
    from kernelzone.portable.host import Host

Change = Callable[[Record | None], Record]
INTENT_VALID_S: Final = 600.0


# --- new incarnations ------------------------------------------------------------------------------------------------


def attach_change(host: Host, agent: UUID | None = None) -> Change:
    """Return the change that makes this host the owner of free host data, or renews its own ownership."""
    incarnation = secrets.token_bytes(16)

    def change(old: Record | None) -> Record:
        if old is None:
            raise HostDataError("HD_NOT_CLEAN", "there is no record to attach to")
        record = _owned(host, agent, _with_previous_owner(host, old))
        return replace(
            record,
            state=_resting_state(record),
            incarnation=incarnation,
            flags=RecordFlags.NONE,
            warrant_digest=None,
        )

    return change


def takeover_change(host: Host, zone: str, warrant_digest: bytes | None, agent: UUID | None = None) -> Change:
    """Return the change of a forced takeover: this host is the owner, whoever was; flag FORCED.

    warrant_digest: SHA-256 of the order's DSSE payload, None when it is typed by hand. The same incarnation is
    written to every boot storage of the zone. Suspend image, clock offset and OpenBoot variables are kept.
    """
    incarnation = secrets.token_bytes(16)

    def change(old: Record | None) -> Record:
        # Without a truth (both slots valid and contradictory) there is nothing to keep: it begins anew.
        record = _owned(host, agent, _with_previous_owner(host, old)) if old else _new_record(host, agent, incarnation)
        return replace(
            record,
            state=_resting_state(record),
            incarnation=incarnation,
            flags=RecordFlags.FORCED,
            warrant_digest=warrant_digest,
        )

    return change


def handover_change(source: HostId, target: Host, *, incarnation: bytes, memory_digest: bytes | None) -> Change:
    """Return the change of a migration: `target` is the owner from now on, and nobody but host `source` was before.

    incarnation: 16 bytes, new. memory_digest: of the sealed memory that the zone resumes from, 32 bytes, if any.
    """

    def change(old: Record | None) -> Record:
        if old is None or old.state is HostDataState.FREE or old.owner_hostid != source:
            raise HostDataError("HD_NOT_CLEAN", "host data does not name the source host")
        record = _owned(target, None, _with_previous_owner(target, old))
        record = replace(record, suspend_image_digest=memory_digest, flags=RecordFlags.NONE, warrant_digest=None)
        return replace(record, state=_resting_state(record), incarnation=incarnation)

    return change


def on_device(change: Change, device: BootDevice) -> Change:
    """Return a takeover's change as it is written to `device`: it names that very device, whatever it was copied from.

    Without this the takeover of a copy would be suspected of being one for ever.
    """
    return lambda old: replace(change(old), device_guid=device_guid(device))


def initialise_record(
    host: Host, device: BootDevice, warrant_digest: bytes | None, agent: UUID | None = None,
    incarnation: bytes | None = None,
) -> Record:  # fmt: skip
    """Return the record of an initialisation under a new key: nothing of the old one is kept; flag INITIALISED.

    incarnation: 16 bytes, the same for every boot storage of the zone.
    """
    record = _new_record(host, agent, incarnation or secrets.token_bytes(16))
    return replace(
        record,
        device_guid=device_guid(device),
        flags=RecordFlags.INITIALISED,
        warrant_digest=warrant_digest,
    )


def install_record(host: Host, device: BootDevice, agent: UUID | None, incarnation: bytes) -> Record:
    """Return the first record of a zone."""
    return replace(_new_record(host, agent, incarnation), device_guid=device_guid(device))


# --- the same incarnation in another state ---------------------------------------------------------------------------


def inside_change(host: Host, agent: UUID | None = None, **fields: object) -> Change:
    """Return the change of what the guest itself sets, its clock offset or OpenBoot variables; the state stays."""

    def change(old: Record | None) -> Record:
        if old is None or not is_owner(host, old):
            raise HostDataError("HD_NOT_CLEAN", "host data names another host")
        return replace(_owned(host, agent, old), **fields)  # type: ignore[arg-type]

    return change


def state_change(
    host: Host, state: HostDataState, agent: UUID | None = None, *, suspend_image_digest: bytes | None = None
) -> Change:
    """Return the change of the owner's state; any other owner refuses it.

    suspend_image_digest: 32 bytes; None leaves no suspend image in the record.
    """

    def change(old: Record | None) -> Record:
        if old is None or not is_owner(host, old):
            raise HostDataError("HD_NOT_CLEAN", "host data names another host")
        return replace(_owned(host, agent, old), state=state, suspend_image_digest=suspend_image_digest)

    return change


def release_change(host: Host, agent: UUID | None = None) -> Change:
    """Return the change of a detach: free, its suspend image kept for the next owner to resume."""

    def change(old: Record | None) -> Record:
        digest = old.suspend_image_digest if old else None
        return state_change(host, HostDataState.FREE, agent, suspend_image_digest=digest)(old)

    return change


def is_owner(host: Host, record: Record) -> bool:
    """Return whether the record says that this host uses the zone."""
    return record.state is not HostDataState.FREE and record.owner_hostid == host.owner_hostid


# --- the claims ------------------------------------------------------------------------------------------------------


class Writer(NamedTuple):
    """Who changes host data: a verb of `host` on one zone. zone_key: what the new slots are sealed under."""

    host: Host
    placement: Placement
    zone_key: bytes
    agent: UUID

    def __repr__(self) -> str:
        return f"Writer({self.host.hostname}, {self.placement.zone})"  # a traceback must not tell the key


def claim_all(writer: Writer, change: Change, looks: list[Look], *, forced: bool = False) -> None:
    """Change the record on every boot storage of the zone, in boot order; all are claimed or an error is raised.

    looks: what the change was decided on; `forced` allows what is not CLEAN, but exactly what was seen.
    Raises: HostDataError; its code is the outcome's when a claim was not won. A storage after that one is untouched.
    """
    for one in looks:
        outcome = change_host_data(
            _device(one),
            zone_key=writer.zone_key,
            zone_uuid=_zone_uuid(writer.placement),
            agent=writer.agent,
            change=on_device(change, one.device) if forced else change,
            journal=FileJournal(writer.placement.journal_path(one.device)),
            lock_path=writer.placement.claim_lock,
            expected=_expected(one) if forced else None,
            high_water=high_water.seen(writer.placement, one.device.uri),
        )
        _demand_claimed(outcome)
        high_water.keep(writer.placement, {one.device.uri: outcome.generation})


def initialise_all(
    writer: Writer, record_of: Callable[[BootDevice], Record], looks: list[Look], *, forced: bool = False
) -> None:
    """Write the first record on every boot storage of the zone; all are claimed or an error is raised.

    Without `forced` each must be BLANK; with it, exactly what was seen. Raises: HostDataError as `claim_all`.
    """
    for one in looks:
        outcome = initialise_host_data(
            _device(one),
            zone_key=writer.zone_key,
            zone_uuid=_zone_uuid(writer.placement),
            agent=writer.agent,
            record=record_of(one.device),
            journal=FileJournal(writer.placement.journal_path(one.device)),
            lock_path=writer.placement.claim_lock,
            expected_raw=raw_digest(*one.pair) if forced and one.pair else None,
            high_water=high_water.seen(writer.placement, one.device.uri),
        )
        _demand_claimed(outcome)
        high_water.keep(writer.placement, {one.device.uri: outcome.generation})


def recover(host: Host, placement: Placement) -> dict[str, Outcome]:
    """Settle the claims that a crash of a verb interrupted; return the outcome by device URI.

    A claim that stopped inside slot B is finished only within ten minutes of its intent: later a person decides.
    """
    settled: dict[str, Outcome] = {}
    for device in placement.boot_devices():
        journal = FileJournal(placement.journal_path(device))
        intent = journal.open_intent()
        if intent is None:
            continue
        age_s = time.time() - journal.path.stat().st_mtime
        settled[device.uri] = recover_host_data(
            Device(host.path_of(device.uri)),
            intent,
            journal=journal,
            lock_path=placement.claim_lock,
            order_still_valid=0 <= age_s < INTENT_VALID_S,  # a clock set back makes nothing young
        )
    return settled


def _device(one: Look) -> Device:
    if one.path is None:
        raise HostDataError("HD_IO", f"{one.device.uri} is not there")
    return Device(one.path)


def _zone_uuid(placement: Placement) -> UUID:
    uuid = placement.stored_state().zone_uuid
    if uuid is None:
        raise HostDataError("HD_ZONE", "the zone's uuid is not known")
    return uuid


def _expected(one: Look) -> ExpectedRegion:
    assert one.pair is not None
    assert one.region is not None
    region = one.region
    return ExpectedRegion(region.status, region.generation, region.record_digest, raw_digest(*one.pair))


def _demand_claimed(outcome: ClaimOutcome) -> None:
    if outcome.outcome is not Outcome.CLAIMED:
        raise HostDataError(str(outcome.code), _WORDS.get(outcome.outcome, "the change of host data was not made"))


_WORDS: Final = {
    Outcome.CHANGED: "host data changed meanwhile; nothing was written",
    Outcome.NOT_APPLIED: "host data could not be read again; nothing was written",
    Outcome.LOST: "another host changed host data at the same moment",
    Outcome.LOST_WRITE: "boot storage confirmed a write that it did not keep",
    Outcome.UNKNOWN: "whether host data was changed is not known; look at it before anything else",
}


def _owned(host: Host, agent: UUID | None, record: Record) -> Record:
    return replace(
        record,
        owner_hostid=host.owner_hostid,
        owner_hostname=host.hostname,
        owner_agent=agent or host.agent,
        boot_environment=host.boot_environment,
        updated_at=int(time.time()),
    )


def _with_previous_owner(host: Host, old: Record) -> Record:
    if old.owner_hostid == host.owner_hostid:
        return old
    return replace(old, previous_owner_hostid=old.owner_hostid, previous_owner_hostname=old.owner_hostname)


def _new_record(host: Host, agent: UUID | None, incarnation: bytes) -> Record:
    return Record(
        state=HostDataState.INSTALLED,
        owner_hostid=host.owner_hostid,
        owner_hostname=host.hostname,
        owner_agent=agent or host.agent,
        boot_environment=host.boot_environment,
        updated_at=int(time.time()),
        incarnation=incarnation,
        time_of_day_offset_s=0,
    )


def _resting_state(record: Record) -> HostDataState:
    return HostDataState.SUSPENDED if record.suspend_image_digest else HostDataState.INSTALLED
