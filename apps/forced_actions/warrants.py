"""A warrant, built from the rows: by the reconciler that issues it, and again by the signer that signs it."""

from __future__ import annotations

import hashlib
from uuid import UUID

from apps.conflicts.evidence.host_data_from_here import fresh_readings
from apps.conflicts.models import EvidenceRow, EvidenceSheet
from apps.conflicts.selectors import in_use_of
from apps.forced_actions.models import Approval, ForcedAction
from apps.jobs.models import Job
from apps.zones.models import Reading
from kernelzone.facts import RegionStatus
from kernelzone.orders import (
    Approver,
    Expectation,
    PolicyRef,
    ReadingRef,
    RegionDigest,
    Warrant,
)
from kernelzone.words import Digest


class NothingToBind(Exception):
    """The release sheet has no reading that a warrant could be bound to."""


def build_warrant(action: ForcedAction, *, warrant_id: UUID, attempt: int, zone_name: str) -> Warrant:
    """Return the warrant of `action` as its rows have it now: approvals, policy, evidence, newest reading.

    Raises: NothingToBind.
    """
    readings = release_readings(action)
    first = readings[0]
    return Warrant(
        id=warrant_id,
        attempt=attempt,
        requester=action.requested_by.person_id,
        approvers=tuple(_approver(approval) for approval in counted_approvals(action)),
        quorum=action.approvals_needed,
        break_glass=False,
        policy=PolicyRef(action.policy.name, action.policy.version, action.max_reading_age_s),
        evidence_sha256=Digest(action.evidence_sha256),
        reason_sha256=Digest(reason_sha256(action)),
        reading=ReadingRef(first.nonce, first.epoch, first.boot_id),
        expect=_expectation(readings, zone_name),
        high_water=action.zone.high_water,
        checkpoint=None,
        proofs=None,
        fence=None,
    )


def release_readings(action: ForcedAction) -> list[Reading]:
    """Return the target's newest readings, one for each boot storage, in the agent's order. Raises: NothingToBind."""
    readings = readings_of_sheet(action.release_sheet) if action.release_sheet else []
    if not readings or not all(reading.raw_sha256 for reading in readings):
        raise NothingToBind
    return readings


def readings_of_sheet(sheet: EvidenceSheet) -> list[Reading]:
    """Return the readings of the job that read host data for `sheet`, in the agent's order."""
    row = sheet.rows.filter(probe=EvidenceRow.Probe.HOST_DATA_FROM_HERE).first()
    job = Job.objects.filter(pk=row.job_id).first() if row and row.job_id else None
    return fresh_readings(job) if job else []


def reason_sha256(action: ForcedAction) -> str:
    """Return the digest of the reason as a warrant names it: SHA-256 of its UTF-8, 64 hex digits."""
    return hashlib.sha256(action.reason.encode()).hexdigest()


def counted_approvals(action: ForcedAction) -> list[Approval]:
    """Return one approval a person, on the digest that is approved, in the order they were given."""
    yes = action.approvals.filter(verdict=Approval.Verdict.APPROVE, evidence_sha256=action.evidence_sha256)
    others = yes.exclude(person_id=action.requested_by.person_id)
    return list(others.select_related("approver").order_by("event_seq"))


def _approver(approval: Approval) -> Approver:
    return Approver(approval.person_id, int(approval.made_at.timestamp()), approval.event_seq)


def _expectation(readings: list[Reading], zone_name: str) -> Expectation:
    first = readings[0]
    in_use = in_use_of(first, zone_name)
    return Expectation(
        status=RegionStatus(first.status),
        generation=first.generation,
        record_sha256=Digest(first.record_sha256) if first.record_sha256 else None,
        regions=tuple(RegionDigest(reading.facts["device"], Digest(reading.raw_sha256)) for reading in readings),
        in_use=in_use.facts() if in_use else None,
    )
