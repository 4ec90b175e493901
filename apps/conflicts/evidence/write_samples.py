"""Probe: boot storage watched for writes over a window. One changed block proves that somebody is alive."""

from __future__ import annotations

from datetime import UTC, datetime

from apps.conflicts.evidence.asking import Answer, Asking, Look, is_over
from apps.conflicts.models import EvidenceRow
from apps.jobs.workflow import State
from kernelzone.orders import ProbeResult

PROBE = EvidenceRow.Probe.WRITE_SAMPLES


def ask(asking: Asking) -> list[EvidenceRow]:
    """Return the row of the target's write samples."""
    return [asking.row(PROBE, asking.sheet.target.owner_hostid, asking.probe_job)]


def answer(look: Look) -> Answer | None:
    """Return None while the window runs; afterwards what was not answered says nothing."""
    job = look.job
    if job is not None and not look.is_late and (job.state == State.DONE or not is_over(job)):
        return None
    return Answer(EvidenceRow.Word.SAYS_NOTHING, {"answered": False}, "Boot storage could not be watched from here.")


def seen(result: ProbeResult) -> Answer:
    """Return what the samples of a finished probe say."""
    blocks = max((sample.blocks for sample in result.samples), default=0)
    looks = len(result.samples)
    at = datetime.fromtimestamp(result.readings[0].at, UTC) if result.readings else None
    if result.changed_blocks:
        sentence = (
            f"{result.changed_blocks} blocks changed within {result.window_s} s: somebody writes to the boot storage."
        )
        return Answer(EvidenceRow.Word.PROVES_ON, {"answered": True, "changed": True}, sentence, at)
    if not looks or not blocks:
        return Answer(EvidenceRow.Word.SAYS_NOTHING, {"answered": False}, "No look at boot storage succeeded.")
    sentence = f"None of {blocks} blocks changed in {looks} looks within {result.window_s} s."
    return Answer(EvidenceRow.Word.SUGGESTS_OFF, {"answered": True, "changed": False}, sentence, at)
