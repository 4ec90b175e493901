"""Opening, keeping and closing conflicts of the zones a report touched, in the transaction that took it in."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Final
from uuid import UUID

from apps.base.bulk import update_each
from apps.conflicts.models import Conflict, Obligation
from apps.conflicts.obligations import end_obligations, open_obligations
from apps.conflicts.policy import SEVERITY, conflicts_of, truth_of
from apps.conflicts.policy_returns import is_over
from apps.conflicts.seen import Found, ObligationSeen, PlacementSeen, SightingSeen, ZoneSeen
from apps.fleet.models import Host
from apps.fleet.selectors import collided_hostids, hosts_by_owner_hostid, is_silent, is_silent_since
from apps.history.actors import Actor, part
from apps.history.services import append
from apps.jobs.models import Job
from apps.zones.bulk import rows_in
from apps.zones.present import Placed, Present, Sighted, ZoneRow, present_of
from kernelzone.orders import KINDS, Effect

_CONTROL: Final[Actor] = part("control")
_FORCED_KINDS: Final = [kind.value for kind, rules in KINDS.items() if rules.effect is Effect.FORCED]


def find_conflicts(zone_ids: Iterable[UUID], now: datetime, known: Present | None = None) -> None:
    """The open conflicts of these zones are those their newest readings prove; each change is an event.

    In the caller's transaction, inside `events_last`: the conflicts are locked here. known: what is known of these
    zones, where the caller has fetched it in this transaction.
    """
    known = known or present_of(zone_ids)
    open_by_zone: dict[UUID, dict[str, Conflict]] = {zone.pk: {} for zone in known.zones}
    rows = Conflict.objects.select_for_update(no_key=True, of=("self",)).filter(resolved_at=None).order_by("pk")
    for row in rows_in(rows, "zone", open_by_zone):
        open_by_zone[row.zone_id][row.kind] = row
    kept: list[Conflict] = []
    new: list[Conflict] = []
    for zone_seen in _zones_seen(known, open_by_zone, now):
        seen = _without_what_is_over(zone_seen, now)
        begun, seen_again = _compare(seen, conflicts_of(seen), open_by_zone[seen.zone], now)
        new += begun
        kept += seen_again
    Conflict.objects.bulk_create(new)
    update_each(kept, ["last_seen_at", "host", "reading", "facts"])


def _without_what_is_over(seen: ZoneSeen, now: datetime) -> ZoneSeen:
    """End the obligations of hosts that own the zone again; return what is seen without them."""
    truth = truth_of(seen)
    over = {one for one in seen.obligations if truth is not None and is_over(one, truth[0].facts)}
    if not over:
        return seen
    end_obligations(seen.zone, {one.owner_hostid for one in over}, now)
    return seen._replace(obligations=tuple(one for one in seen.obligations if one not in over))


def _compare(
    seen: ZoneSeen, found: list[Found], known: dict[str, Conflict], now: datetime
) -> tuple[list[Conflict], list[Conflict]]:
    """Close what is not found any more; return what is new, and what was seen again, brought up to date."""
    new, kept = [], []
    for one in found:
        row = known.pop(one.kind, None)
        if row is None:
            new.append(_open(seen, one, now))
        else:
            row.last_seen_at, row.host_id, row.reading_id, row.facts = now, one.host, one.reading, one.facts
            kept.append(row)
    for row in known.values():
        _resolve(row, seen, now)
    return new, kept


def _open(seen: ZoneSeen, found: Found, now: datetime) -> Conflict:
    conflict = Conflict(
        kind=found.kind,
        zone_id=seen.zone,
        severity=SEVERITY[found.kind],
        host_id=found.host,
        reading_id=found.reading,
        facts=found.facts,
        opened_at=now,
        last_seen_at=now,
    )
    append("conflict.open", actor=_CONTROL, subjects=_subjects(conflict), data={"kind": found.kind, **found.facts})
    return conflict


def _resolve(conflict: Conflict, seen: ZoneSeen, now: datetime) -> None:
    conflict.resolved_at = now
    conflict.resolved_how = _how(seen)
    conflict.save(update_fields=["resolved_at", "resolved_how"])
    data = {"kind": conflict.kind, "how": conflict.resolved_how}
    append("conflict.resolve", actor=_CONTROL, subjects=_subjects(conflict), data=data)


def _how(seen: ZoneSeen) -> str:
    truth = truth_of(seen)
    if truth is not None and (truth[1].warrant_sha256 or "") in seen.warranted:
        return "an approved forced action"
    return "the newest readings contradict it no more"


def _subjects(conflict: Conflict) -> list[tuple[str, str]]:
    return [("conflict", str(conflict.pk)), ("zone", str(conflict.zone_id))]


def _zones_seen(known: Present, open_by_zone: dict[UUID, dict[str, Conflict]], now: datetime) -> Iterable[ZoneSeen]:
    orders = _forced_orders(known)
    obligations = open_obligations(zone.pk for zone in known.zones)
    losers = hosts_by_owner_hostid(one.owner_hostid for rows in obligations.values() for one in rows)
    collided = collided_hostids()
    for zone in known.zones:
        here = known.placements.get(zone.pk, [])
        held = open_by_zone[zone.pk].get(Conflict.Kind.HELD_ELSEWHERE)
        pending = open_by_zone[zone.pk].get(Conflict.Kind.RETURN_PENDING)
        named = {row.owner_hostid for row in here} | {zone.owner_hostid}
        yield ZoneSeen(
            zone=zone.pk,
            placements=tuple(_placement_seen(row, now) for row in here),
            sightings=tuple(_sighting_seen(one) for one in known.sightings.get(zone.pk, ())),
            warranted=frozenset(order.payload_sha256 for order in orders if _is_for(order, zone, here)),
            claimants=frozenset(held.facts.get("claimants", ())) if held else frozenset(),
            obligations=tuple(_obligation_seen(one, losers, now) for one in obligations.get(zone.pk, ())),
            returned=frozenset(pending.facts.get("losers", ())) if pending else frozenset(),
            collided={hostid: collided[hostid] for hostid in sorted(named) if hostid in collided},
        )


def _obligation_seen(row: Obligation, losers: dict[str, Host], now: datetime) -> ObligationSeen:
    host = losers.get(row.owner_hostid)
    heard = host.last_heard_at if host else None
    return ObligationSeen(
        owner_hostid=row.owner_hostid,
        new_owner_hostid=row.new_owner_hostid,
        generation=row.generation,
        since=row.opened_at,
        host=host.pk if host else None,
        # what was heard before the zone was taken is no return
        is_silent=host is None or heard is None or heard <= row.opened_at or is_silent(host, now),
    )


def _placement_seen(row: Placed, now: datetime) -> PlacementSeen:
    return PlacementSeen(
        host=row.host_id,
        owner_hostid=row.owner_hostid,
        state=row.state,
        auxiliary=tuple(row.auxiliary),
        state_since=row.state_since,
        last_seen_at=row.last_seen_at,
        is_silent=is_silent_since(row.last_heard_at, now),
        name=row.name,
        key_id=row.key_id,
        also_on=tuple(row.also_on),
    )


def _sighting_seen(one: Sighted) -> SightingSeen:
    return SightingSeen(one.host_id, one.storage_id, one.owner_hostid, one.row.pk, one.confirmed_at, one.facts)


def _forced_orders(known: Present) -> list[Job]:
    """Return those signed orders of ours for forced actions that the host data read names as its warrant."""
    records = (one.facts.record for seen in known.sightings.values() for one in seen)
    named = {record.warrant_sha256 for record in records if record is not None} - {None}
    forced = Job.objects.filter(kind__in=_FORCED_KINDS).only("payload_sha256", "zone_uuid", "host_id", "zone_name")
    return list(rows_in(forced, "payload_sha256", named))


def _is_for(order: Job, zone: ZoneRow, placements: list[Placed]) -> bool:
    """Whether the order is about this zone: by uuid, or by its name on the host that was to act (unread, no uuid)."""
    if order.zone_uuid is not None and order.zone_uuid == zone.zone_uuid:
        return True
    return any((row.host_id, row.name) == (order.host_id, order.zone_name) for row in placements)
