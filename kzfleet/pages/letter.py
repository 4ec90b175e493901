"""The letter of a forced action: what, from whom, what is lost, and what whoever approves must know besides."""

from __future__ import annotations

from typing import Any, NamedTuple

from apps.base.wording import age
from apps.configs.models import ExportedConfig
from apps.conflicts.wording import named
from apps.forced_actions.models import ForcedAction
from apps.zones.models import Placement
from kernelzone.zonecfg import Difference, ZoneCfgError, compare, parse
from kzfleet.pages.door_words import FORCED_TITLES


class Compared(NamedTuple):
    """How the newest configurations of loser and target differ. `sentence`: why nothing can be compared, or ""."""

    sentence: str
    differences: list[Difference]


def title_of(action: ForcedAction) -> str:
    """Return the act and its objects, as the head of the page."""
    if action.kind == ForcedAction.Kind.INITIALIZE_HOSTDATA:
        return f"{FORCED_TITLES[action.kind]} {action.zone.name} on {action.target}"
    return f"{FORCED_TITLES[action.kind]} of {action.zone.name} by {action.target}"


def loser_of(action: ForcedAction) -> dict[str, str]:
    """Return what host data says of the host that loses the zone."""
    return {"owner_hostid": action.loser_hostid, "hostname": _record(action).get("owner_hostname", "")}


def what_is_lost(action: ForcedAction) -> list[str]:
    """Return what the act loses, in sentences, from the reading the request rests on."""
    record = _record(action)
    found = ["The certainty that the zone runs nowhere else: afterwards nothing can detect that."]
    if action.kind == ForcedAction.Kind.INITIALIZE_HOSTDATA:
        found.append("The key: a new one is made, and a suspended zone loses its memory image.")
    elif record.get("is_suspended"):
        found.append("Nothing of the suspended zone: its image is kept and resumed at the next boot.")
    if record.get("state") in {"running", "ready"}:
        found.append("Writes that its owner still holds in memory.")
    return found


def who_else(action: ForcedAction, now: Any) -> list[str]:
    """Return a sentence for every other host that configures this boot storage: each could start the zone there."""
    rows = Placement.objects.filter(zone=action.zone, gone_at=None).exclude(host=action.target)
    return [
        f"{named(row.host)} configures it as {row.name}: {row.state}, autoboot {'on' if row.autoboot else 'off'},"
        f" as told {age(now - row.last_seen_at)} ago."
        for row in rows.select_related("host").order_by("host__owner_hostid")
    ]


def configurations_compared(action: ForcedAction) -> Compared:
    """Return how the zone is configured on the host that loses it, and on the target."""
    loser = _newest(action, owner_hostid=action.loser_hostid)
    target = _newest(action, owner_hostid=action.target.owner_hostid)
    if loser is None or target is None:
        return Compared("The configuration of one of the two hosts was never seen: nothing can be compared.", [])
    try:
        return Compared("", compare(parse(loser.text), parse(target.text)))
    except ZoneCfgError:
        return Compared("One of the two configurations cannot be read: compare them on the zone's page.", [])


def _newest(action: ForcedAction, *, owner_hostid: str) -> ExportedConfig | None:
    rows = ExportedConfig.objects.filter(zone=action.zone, host__owner_hostid=owner_hostid)
    return rows.order_by("-version").first()


def _record(action: ForcedAction) -> dict[str, Any]:
    reading = action.sheet.reading if action.sheet else None
    return (reading.facts.get("record") if reading else None) or {}
