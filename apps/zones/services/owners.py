"""What the newest readings prove about a zone: its verdict, its owner, and since when."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from uuid import UUID

from apps.history.actors import Actor, part
from apps.history.services import append
from apps.zones.models import OwnershipInterval, Reading, Sighting, Zone
from apps.zones.selectors import facts_of, placements_present
from kernelzone.facts import ReadingFacts, RegionStatus
from kernelzone.ownership import verdict

_CONTROL: Actor = part("control")


def settle_owners(zone_ids: Iterable[UUID], recorded: Sequence[Reading], *, now: datetime) -> None:
    """Verdict, owner, high-water mark and ownership timeline of these zones follow from their newest readings."""
    zones = list(Zone.objects.select_for_update().filter(pk__in=set(zone_ids)).order_by("pk"))
    readings = _newest_readings(zones)
    owners_here = _owner_hostids_with_placement(zones)
    present = {row.zone_id: row for row in OwnershipInterval.objects.filter(zone__in=zones, until=None)}
    highest = _highest_generations(recorded)
    for zone in zones:
        zone.high_water = max(zone.high_water, highest.get(zone.pk, 0))
        _settle(zone, readings.get(zone.pk, []), owners_here, present.get(zone.pk), now)
    Zone.objects.bulk_update(
        zones, ["high_water", "verdict", "verdict_at", "owner_hostid", "zone_uuid"], batch_size=200
    )


def _settle(
    zone: Zone,
    rows: list[Reading],
    owners_here: set[tuple[UUID, str]],
    present: OwnershipInterval | None,
    now: datetime,
) -> None:
    facts = {row: facts_of(row) for row in rows}
    truth = _truth(facts)
    owner = truth.owner_hostid if truth else ""
    # "ours" for a zone as a whole: the owner has it configured, as far as we were told
    zone.verdict = verdict(facts.values(), owner if (zone.pk, owner) in owners_here else "")
    zone.verdict_at = now
    if truth is None:
        return
    zone.zone_uuid = zone.zone_uuid or facts[truth].zone_uuid
    changed_owner = present is not None and present.owner_hostid != owner
    zone.owner_hostid = owner
    _continue_timeline(zone, truth, facts[truth], present, now)
    if changed_owner and present is not None:
        append(
            "zone.owner-changed",
            actor=_CONTROL,
            subjects=[("zone", str(zone.pk))],
            data={"from": present.owner_hostid, "to": owner, "generation": truth.generation, "reading": truth.nonce},
        )


def _truth(facts: dict[Reading, ReadingFacts]) -> Reading | None:
    """Return the CLEAN reading of the highest generation: what is believed of the owner, None when nothing is."""
    clean = [row for row, seen in facts.items() if seen.status is RegionStatus.CLEAN and seen.record is not None]
    return max(clean, key=lambda row: (row.generation, row.recorded_at), default=None)


def _continue_timeline(
    zone: Zone, truth: Reading, facts: ReadingFacts, present: OwnershipInterval | None, now: datetime
) -> None:
    if facts.record is None or (present is not None and truth.generation < present.generation):
        return
    state, is_forced = facts.record.state, "forced" in facts.record.flags
    if present is not None:
        if (present.owner_hostid, present.state, present.is_forced) == (truth.owner_hostid, state, is_forced):
            return
        present.until = now
        present.save(update_fields=["until"])
    OwnershipInterval.objects.create(
        zone=zone,
        owner_hostid=truth.owner_hostid,
        state=state,
        generation=truth.generation,
        is_forced=is_forced,
        since=now,
        reading=truth,
    )


def _newest_readings(zones: Sequence[Zone]) -> dict[UUID, list[Reading]]:
    found: dict[UUID, list[Reading]] = {}
    for row in Sighting.objects.filter(storage__zone__in=zones).select_related("reading"):
        found.setdefault(row.reading.zone_id, []).append(row.reading)
    return found


def _owner_hostids_with_placement(zones: Sequence[Zone]) -> set[tuple[UUID, str]]:
    return {(row.zone_id, row.host.owner_hostid) for row in placements_present(zones).exclude(state="configured")}


def _highest_generations(recorded: Iterable[Reading]) -> dict[UUID, int]:
    highest: dict[UUID, int] = {}
    for row in recorded:
        # a header can be forged without the key: only a verified record raises the mark
        if row.record_sha256:
            highest[row.zone_id] = max(highest.get(row.zone_id, 0), row.generation)
    return highest
