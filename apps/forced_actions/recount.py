"""What the history says of a request and its approvals, for the signer: rows alone may have been written by hand.

A row that was changed or inserted behind the services has no event, or one that says something else. Events are only
ever added, and their number is part of what is hashed.
"""

from __future__ import annotations

from typing import Any

from apps.forced_actions.models import Approval, ForcedAction
from apps.forced_actions.services.names import SUBJECT
from apps.forced_actions.warrants import reason_sha256
from apps.history.models import Event
from apps.history.selectors import event, events_about
from kernelzone.chain import leaf_hash


def is_told(approval: Approval) -> bool:
    """Return whether the event this approval names tells of it: this person, this action, this evidence, a yes."""
    found = event(approval.event_seq)
    record = _record(found, "forced-action.approve") if found else {}
    return bool(record) and (
        (record["actor"]["kind"], record["actor"]["id"]) == ("person", str(approval.person_id))
        and record["subject"] == {"kind": SUBJECT, "id": str(approval.forced_action_id)}
        and record["data"].get("evidence_sha256") == approval.evidence_sha256
    )


def is_request_told(action: ForcedAction) -> bool:
    """Return whether the request is the one that was submitted: by whom, of what, from whom, why, how many people."""
    told = events_about(SUBJECT, action.pk).filter(type="forced-action.submit")
    records = [_record(found, "forced-action.submit") for found in told[:2]]
    return len(records) == 1 and _as_submitted(records[0]) == _as_it_is(action)


def has_denial(action: ForcedAction) -> bool:
    """Return whether anybody said no, in a row or in the history."""
    told = events_about(SUBJECT, action.pk).filter(type__in=["forced-action.deny", "forced-action.veto"])
    return told.exists() or action.approvals.filter(verdict=Approval.Verdict.DENY).exists()


def _record(found: Event, type_: str) -> dict[str, Any]:
    """Return what the event says; nothing when its bytes are not those that were hashed, or of another type."""
    if leaf_hash(bytes(found.body)) != bytes(found.leaf_sha256):
        return {}
    record = found.record
    is_itself = (record["n"], record["type"]) == (found.seq, type_)
    return record if is_itself else {}


def _as_submitted(record: dict[str, Any]) -> dict[str, Any]:
    if not record:
        return {}
    data, about = record["data"], {one["kind"]: one["id"] for one in (record["subject"], *record.get("also", ()))}
    return {
        "requester": record["actor"]["id"],
        "kind": data.get("kind"),
        "zone": about.get("zone"),
        "target": about.get("host"),
        "loser": data.get("loser_hostid", ""),
        "reason": data.get("reason_sha256"),
        "policy": data.get("policy"),
        "approvals_needed": data.get("approvals_needed"),
    }


def _as_it_is(action: ForcedAction) -> dict[str, Any]:
    return {
        "requester": str(action.requested_by.person_id),
        "kind": action.kind,
        "zone": str(action.zone_id),
        "target": action.target.owner_hostid,
        "loser": action.loser_hostid,
        "reason": reason_sha256(action),
        "policy": {"name": action.policy.name, "version": action.policy.version},
        "approvals_needed": action.approvals_needed,
    }
