"""A reading as lines for a person."""

from __future__ import annotations

import time
from datetime import timedelta

from kernelzone.facts import ReadingFacts, RecordFacts


def lines(reading: ReadingFacts) -> list[str]:
    """Return what one reading says, the device first."""
    found = [
        f"{reading.device}: {reading.status}, generation {reading.generation}",
        f"  zone uuid: {reading.zone_uuid or 'not proven'}",
        f"  key id: {', '.join(reading.key_ids) or 'none'} (configured: {reading.configured_key_id or 'none'})",
    ]
    found += [f"  slot {slot}: {code}" for slot, code in sorted(reading.slot_errors.items())]
    found += _record("host data", reading.record) + _record("unfinished claim", reading.claim)
    if reading.raw_sha256:
        found.append(f"  raw digest: {reading.raw_sha256}")
    if reading.warning:
        found.append(f"  WARNING: {reading.warning}")
    return found


def _record(name: str, record: RecordFacts | None) -> list[str]:
    if record is None:
        return []
    age = timedelta(seconds=int(time.time()) - record.updated_at)
    owner = f"host {record.owner_hostid} ({record.owner_hostname}, {record.boot_environment or 'no boot environment'})"
    found = [
        f"  {name}: {record.state}, {'last used' if record.state == 'free' else 'used'} by {owner}",
        f"  written: {age} ago by that host's clock",
        f"  incarnation: {record.incarnation}",
    ]
    if record.flags:
        warrant = f", warrant {record.warrant_sha256}" if record.warrant_sha256 else ", no warrant"
        found.append(f"  {', '.join(record.flags)}{warrant}")
    if record.previous_owner_hostid:
        found.append(f"  before: host {record.previous_owner_hostid} ({record.previous_owner_hostname})")
    if record.is_suspended:
        found.append("  a suspend image is named")
    return found
