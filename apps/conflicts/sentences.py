"""Each open conflict in one sentence: who says what of the zone, and never more than that."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from apps.conflicts.models import Conflict
from apps.conflicts.wording import named

Kind = Conflict.Kind


def conflict_sentence(conflict: Conflict) -> str:
    """Return what the conflict is, for lists. `zone` and `host` should be loaded with it."""
    return _SENTENCES[Kind(conflict.kind)](conflict)


def _owner(conflict: Conflict) -> str:
    facts = conflict.facts
    return facts.get("owner_hostname") or named(None, facts.get("owner_hostid", ""))


def _here(conflict: Conflict) -> str:
    return named(conflict.host)


def _held_elsewhere(conflict: Conflict) -> str:
    state = conflict.facts.get("state") or "in use"
    return f"{_here(conflict)} wants it, but its host data names {_owner(conflict)} as owner ({state})."


def _key_wrong(conflict: Conflict) -> str:
    return f"The key configured on {_here(conflict)} does not open its host data, which another key sealed."


def _torn(conflict: Conflict) -> str:
    torn = ", ".join(f"slot {slot} {code}" for slot, code in sorted(conflict.facts.get("slot_errors", {}).items()))
    return f"Its host data is damaged as {_here(conflict)} reads it{f': {torn}' if torn else ''}."


def _tampered(conflict: Conflict) -> str:
    if conflict.facts.get("warning") == "ROLLBACK":
        return f"Its host data is older than what was read before: somebody put back an old copy ({_here(conflict)})."
    return f"Its host data does not verify under the right key, as {_here(conflict)} reads it."


def _double_run(conflict: Conflict) -> str:
    count = len(conflict.facts.get("running_on", []))
    return f"{count} hosts run it at once, {_here(conflict)} among them: they write to one boot storage."


def _forced_outside(conflict: Conflict) -> str:
    if "initialised" in conflict.facts.get("flags", []):
        return f"Its host data was made anew for {_owner(conflict)} without a forced action of ours."
    before = conflict.facts.get("previous_owner_hostid")
    return f"{_owner(conflict)} took it{f' from {before}' if before else ''} by force, without a forced action of ours."


def _stale_configuration(conflict: Conflict) -> str:
    return f"{_here(conflict)} still configures it, though {_owner(conflict)} owns it."


_SENTENCES: Final[dict[Conflict.Kind, Callable[[Conflict], str]]] = {
    Kind.HELD_ELSEWHERE: _held_elsewhere,
    Kind.KEY_WRONG: _key_wrong,
    Kind.TORN: _torn,
    Kind.TAMPERED: _tampered,
    Kind.DOUBLE_RUN: _double_run,
    Kind.FORCED_OUTSIDE: _forced_outside,
    Kind.STALE_CONFIGURATION: _stale_configuration,
}
