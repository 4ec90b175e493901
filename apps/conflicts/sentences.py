"""Each open conflict in one sentence: who says what of the zone, and never more than that."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from apps.conflicts.models import Conflict
from apps.conflicts.wording import named

Kind = Conflict.Kind


Names = Mapping[str, str]
_NOBODY: Final[Names] = MappingProxyType({})


def conflict_sentence(conflict: Conflict, names: Names = _NOBODY) -> str:
    """Return what the conflict is, for lists. `zone` and `host` should be loaded with it.

    names: owner hostid to what people call the host; a hostid that is missing is written as it is.
    """
    return _SENTENCES[Kind(conflict.kind)](conflict, names)


def hostids_in(conflict: Conflict) -> set[str]:
    """Return the owner hostids its sentence may name."""
    return {conflict.facts.get(name) or "" for name in ("owner_hostid", "previous_owner_hostid")} - {""}


def _owner(conflict: Conflict, names: Names) -> str:
    owner_hostid = conflict.facts.get("owner_hostid", "")
    return conflict.facts.get("owner_hostname") or names.get(owner_hostid) or named(None, owner_hostid)


def _here(conflict: Conflict) -> str:
    return named(conflict.host)


def _held_elsewhere(conflict: Conflict, names: Names) -> str:
    state = conflict.facts.get("state") or "in use"
    return f"{_here(conflict)} wants it, but its host data names {_owner(conflict, names)} as owner ({state})."


def _key_wrong(conflict: Conflict, names: Names) -> str:
    return f"The key configured on {_here(conflict)} does not open its host data, which another key sealed."


def _torn(conflict: Conflict, names: Names) -> str:
    torn = ", ".join(f"slot {slot} {code}" for slot, code in sorted(conflict.facts.get("slot_errors", {}).items()))
    return f"Its host data is damaged as {_here(conflict)} reads it{f': {torn}' if torn else ''}."


def _tampered(conflict: Conflict, names: Names) -> str:
    if conflict.facts.get("warning") == "ROLLBACK":
        return f"Its host data is older than what was read before: somebody put back an old copy ({_here(conflict)})."
    return f"Its host data does not verify under the right key, as {_here(conflict)} reads it."


def _double_run(conflict: Conflict, names: Names) -> str:
    count = len(conflict.facts.get("running_on", []))
    if count == 1:
        return f"{_here(conflict)} runs it, though it was taken over: two hosts may write to one boot storage."
    return f"{count} hosts run it at once, {_here(conflict)} among them: they write to one boot storage."


def _forced_outside(conflict: Conflict, names: Names) -> str:
    if "initialised" in conflict.facts.get("flags", []):
        return f"Its host data was made anew for {_owner(conflict, names)} without a forced action of ours."
    before = conflict.facts.get("previous_owner_hostid") or ""
    whence = f" from {names.get(before, before)}" if before else ""
    return f"{_owner(conflict, names)} took it{whence} by force, without a forced action of ours."


def _stale_configuration(conflict: Conflict, names: Names) -> str:
    return f"{_here(conflict)} still configures it, though {_owner(conflict, names)} owns it."


def _return_pending(conflict: Conflict, names: Names) -> str:
    state = str(conflict.facts.get("state", "unknown")).replace("-", " ")
    return (
        f"{_here(conflict)} has come back after {_owner(conflict, names)} took it, and still has to confirm: {state}."
    )


def _storage_shared(conflict: Conflict, names: Names) -> str:
    zones = " and ".join(conflict.facts.get("names", []))
    return f"Different zones are configured on one boot storage: {zones}, the last one on {_here(conflict)}."


def _hostid_collision(conflict: Conflict, names: Names) -> str:
    hostid, others = conflict.facts.get("owner_hostid", ""), ", ".join(conflict.facts.get("others", []))
    host = names.get(hostid) or named(conflict.host, hostid)
    return f"Two hosts answer with hostid {hostid}: {host}, and {others}. Host data that names it names nobody."


_SENTENCES: Final[dict[Conflict.Kind, Callable[[Conflict, Names], str]]] = {
    Kind.HELD_ELSEWHERE: _held_elsewhere,
    Kind.KEY_WRONG: _key_wrong,
    Kind.TORN: _torn,
    Kind.TAMPERED: _tampered,
    Kind.DOUBLE_RUN: _double_run,
    Kind.FORCED_OUTSIDE: _forced_outside,
    Kind.STALE_CONFIGURATION: _stale_configuration,
    Kind.RETURN_PENDING: _return_pending,
    Kind.STORAGE_SHARED: _storage_shared,
    Kind.HOSTID_COLLISION: _hostid_collision,
}
