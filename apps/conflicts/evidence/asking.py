"""What every probe has in common: what it is given when it asks, and what it gives when it is answered."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from apps.conflicts.models import EvidenceRow, EvidenceSheet
from apps.jobs.models import Job
from apps.jobs.workflow import ACTIVE, OPEN, State

ANSWER_WITHIN: Final = timedelta(seconds=30)
# A host that was silent before is asked all the same, and not waited for as long.
SILENT_ANSWER_WITHIN: Final = timedelta(seconds=10)


class Answer(NamedTuple):
    """What one path says. `value`: facts alone, JSON without times, ages or nonces: it is hashed and approved.

    `at`: when it was true, by the source's clock; None when nobody said anything.
    """

    word: EvidenceRow.Word
    value: dict[str, Any]
    sentence: str
    at: datetime | None = None


class Asking(NamedTuple):
    """The beginning of a sheet. `probe_job`: the target's own look at boot storage, which two probes share.

    `words_before`: what people said later is left out, so that a second look compares with the first.
    """

    sheet: EvidenceSheet
    probe_job: Job
    words_before: datetime
    now: datetime

    def row(self, probe: EvidenceRow.Probe, source: str, job: Job | None = None) -> EvidenceRow:
        """Return a row, not yet saved, that is still being asked."""
        return EvidenceRow(
            sheet=self.sheet, probe=probe, source=source, asked_at=self.now, job_id=job.pk if job else None
        )


class Look(NamedTuple):
    """One row that is still being asked, and what is known of its job. `is_late`: the sheet's deadline is over."""

    row: EvidenceRow
    job: Job | None
    is_late: bool
    now: datetime


def has_ended(job: Job) -> bool:
    """Return whether an order that was signed has ended: what only the signer did wakes nobody, it has no broker."""
    return job.state not in ACTIVE and bool(job.payload_sha256)


def is_over(job: Job) -> bool:
    """Return whether nothing more will come of the job."""
    return State(job.state) not in OPEN or job.state == State.UNKNOWN
