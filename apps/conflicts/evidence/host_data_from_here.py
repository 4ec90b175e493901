"""Probe: host data as the target's own agent reads it. Says who owns the zone, and nothing about life."""

from __future__ import annotations

from typing import Any

from apps.conflicts.evidence.asking import Answer, Asking, Look, is_over
from apps.conflicts.models import EvidenceRow
from apps.jobs.models import Job
from apps.zones.models import Reading

PROBE = EvidenceRow.Probe.HOST_DATA_FROM_HERE


def ask(asking: Asking) -> list[EvidenceRow]:
    """Return the row of the target's reading."""
    return [asking.row(PROBE, asking.sheet.target.owner_hostid, asking.probe_job)]


def answer(look: Look) -> Answer | None:
    """Return what the target read, None while it may still read. Unknown is a value: it may have read nothing."""
    job = look.job
    readings = fresh_readings(job) if job else []
    if readings:
        return Answer(
            EvidenceRow.Word.SAYS_NOTHING,
            {"read": True, "regions": [_region(reading) for reading in readings]},
            _sentence(readings[0]),
            readings[0].seen_at,
        )
    if job is not None and not is_over(job) and not look.is_late:
        return None
    why = f" ({job.code})" if job and job.code else ""
    return Answer(EvidenceRow.Word.SAYS_NOTHING, {"read": False}, f"Host data could not be read from here{why}.")


def fresh_readings(job: Job) -> list[Reading]:
    """Return the readings this job made, by device."""
    return list(Reading.objects.filter(job_id=job.pk).select_related("storage").order_by("pk"))


def _region(reading: Reading) -> dict[str, Any]:
    record = reading.facts.get("record") or {}
    return {
        "device": reading.facts["device"],
        "status": reading.status,
        "generation": reading.generation,
        "owner_hostid": record.get("owner_hostid", ""),
        "state": record.get("state", ""),
        "record_sha256": reading.record_sha256,
        "raw_sha256": reading.raw_sha256,
        "warning": reading.warning,
    }


def _sentence(reading: Reading) -> str:
    record = reading.facts.get("record")
    if record is None:
        return f"Host data was read and is {reading.status}: it proves no owner."
    owner = f"{record['owner_hostname']} ({record['owner_hostid']})"
    return (
        f"Host data names {owner}, state {record['state']}, generation {reading.generation}, {reading.status}."
        " It has no heartbeat: it says nothing about life."
    )
