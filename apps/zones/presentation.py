"""How a zone is shown: what may be done with a placement, and host data field by field. Pure, row to value."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

from apps.zones.models import Placement, Reading, Zone
from kernelzone.orders import Kind
from kernelzone.ownership import Verdict
from kernelzone.states import Verb, ZoneState, verbs_allowed


class Act(NamedTuple):
    """A safe verb a button offers: the verb, what the button says, what it does, whether it stops the guest."""

    verb: str
    button: str
    meaning: str
    stops: bool


_MEANING: Final = {
    Verb.ATTACH: ("Attaches the zone: the host becomes its owner in host data.", False),
    Verb.READY: ("Makes the zone ready; the guest does not start.", False),
    Verb.BOOT: ("Starts the guest; a suspended one goes on where it stopped.", False),
    Verb.SUSPEND: ("Writes the guest's memory to its suspend image and stops it.", True),
    Verb.SHUTDOWN: ("Asks the guest to shut down, and waits for it.", True),
    Verb.HALT: ("Stops the guest at once, as pulling the plug does.", True),
    Verb.DETACH: ("Lets go of the zone: host data names no owner any more.", True),
    Verb.MARK_UNAVAILABLE: ("The host does not boot it before it is attached again; host data stays as it is.", True),
}
_AUTOBOOT_OFF: Final = "The zone does not boot with its host any more; nothing else changes."
_NO_STATE: Final = frozenset[Verb]()
# what ends a guest's writing, or keeps it from beginning, is safe wherever the zone belongs
_STOPPING: Final = frozenset({Verb.SHUTDOWN, Verb.HALT, Verb.MARK_UNAVAILABLE})


def acts_on(placement: Placement, zone: Zone) -> list[Act]:
    """Return the safe verbs worth offering for a placement; the host itself checks again before it acts."""
    allowed = verbs_allowed(ZoneState(placement.state)) if placement.state in set(ZoneState) else _NO_STATE
    if why_only_stopping(placement, zone):
        allowed &= _STOPPING
    acts = [
        Act(verb.value, f"{_button(verb, placement.name)} on {placement.host}", meaning, stops)
        for verb, (meaning, stops) in _MEANING.items()
        if verb in allowed
    ]
    return [*acts, _autoboot_off(placement)] if placement.autoboot else acts


def may_migrate(placement: Placement, zone: Zone) -> bool:
    """Return whether migrating the zone from here is worth offering; both hosts check again before anything is done."""
    known = placement.state in set(ZoneState) and not why_only_stopping(placement, zone)
    return known and Verb.MIGRATE in verbs_allowed(ZoneState(placement.state))


def _button(verb: Verb, name: str) -> str:
    return f"Mark {name} unavailable" if verb is Verb.MARK_UNAVAILABLE else f"{verb.value.capitalize()} {name}"


def _autoboot_off(placement: Placement) -> Act:
    button = f"Switch autoboot of {placement.name} off on {placement.host}"
    return Act(Kind.DISABLE_AUTOBOOT.value, button, _AUTOBOOT_OFF, True)


def why_only_stopping(placement: Placement, zone: Zone) -> str:
    """Return why nothing but stopping a guest is offered here, "" when all its state allows is."""
    if zone.verdict in (Verdict.FREE, Verdict.HIDDEN):
        return ""
    if zone.verdict not in (Verdict.OURS, Verdict.HELD_ELSEWHERE):
        return "Who uses the zone is not proved, so it is not started or attached here."
    if zone.owner_hostid != placement.host.owner_hostid:
        return "Another host owns the zone, so it is not started or attached here."
    return ""


class Slot(NamedTuple):
    """One of the two slots as it was read: "A" or "B", "" or the HD_ code of what is wrong."""

    name: str
    error: str


class HostData(NamedTuple):
    """One reading for people: what the record says, how the slots are, where and when it was read."""

    reading: Reading
    fields: list[tuple[str, Any, str]]
    slots: list[Slot]
    claim: dict[str, Any] | None


def host_data_of(reading: Reading) -> HostData:
    """Return the reading field by field: (name, value, form), where form is text, id, time or flags."""
    facts = reading.facts
    errors = facts.get("slot_errors") or {}
    slots = [Slot(name, errors.get(name, "")) for name in ("A", "B")]
    return HostData(reading, _record_fields(facts.get("record") or {}), slots, facts.get("claim"))


def _record_fields(record: dict[str, Any]) -> list[tuple[str, Any, str]]:
    if not record:
        return []
    owner = f"{record['owner_hostname']} ({record['owner_hostid']})" if record["owner_hostid"] else "nobody"
    previous = record["previous_owner_hostid"]
    fields = [
        ("Owner", owner, "text"),
        ("State", record["state"], "text"),
        ("Boot environment", record["boot_environment"], "text"),
        ("Its uuid", record["boot_environment_uuid"], "mono"),
        ("Updated, owner's clock", datetime.fromtimestamp(record["updated_at"], UTC), "time"),
        ("Flags", ", ".join(record["flags"]), "text"),
        ("Previous owner", f"{record['previous_owner_hostname'] or '?'} ({previous})" if previous else "", "text"),
        ("Incarnation", record["incarnation"], "id"),
        ("Warrant", record["warrant_sha256"], "id"),
    ]
    return [(name, value, form) for name, value, form in fields if value]
