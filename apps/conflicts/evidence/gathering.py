"""A sheet from its first question to its digest."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from types import ModuleType
from typing import Any, Final, NamedTuple
from uuid import UUID

from django.conf import settings
from django.utils import timezone
from django.utils.module_loading import import_string

from apps.accounts.models import User
from apps.base.nudge import nudge
from apps.conflicts.errors import NotConfiguredThere
from apps.conflicts.evidence import host_data_from_here, owners_agent, persons_word, write_samples
from apps.conflicts.evidence.asking import ANSWER_WITHIN, Answer, Asking, Look, has_ended
from apps.conflicts.models import Conflict, EvidenceRow, EvidenceSheet
from apps.fleet.models import Host
from apps.history.actors import Actor, part
from apps.history.services import append, events_last
from apps.jobs.models import Job
from apps.jobs.results import TakenResult
from apps.jobs.services import insert_job
from apps.zones.models import Placement, Reading, Sighting, Zone
from apps.zones.services import take_probes as take_readings_of_probes
from kernelzone import strict
from kernelzone.orders import Kind

COMPLETE: Final = "apps.conflicts.complete_evidence_sheets"
OF_A_SHEET: Final = owners_agent.SUBJECT
PROBES: Final[tuple[ModuleType, ...]] = (host_data_from_here, owners_agent, write_samples, persons_word)
FACTS_VERSION: Final = 1
_CONTROL: Final[Actor] = part("control")
_BY_NAME: Final = {probe.PROBE: probe for probe in PROBES}


class Subject(NamedTuple):
    """A row of a higher app that wants a sheet. `words_before`: what people said later is left out."""

    kind: str
    id: str
    words_before: datetime | None = None


def make_evidence_sheet(
    zone: Zone,
    target: Host,
    *,
    actor: User | None,
    window_s: int,
    conflict: Conflict | None = None,
    subject: Subject | None = None,
) -> EvidenceSheet:
    """Return a sheet whose questions are all on their way; the caller's transaction carries it.

    window_s: how long boot storage is watched; up to 25 % are added at random, so that nobody waits it out.
    subject: the row of a higher app that wants it, and is told when the sheet is complete.
    Raises: NotConfiguredThere, AgentMissing.
    """
    now = timezone.now()
    window_s += secrets.randbelow(window_s // 4 + 1)
    sheet = EvidenceSheet.objects.create(
        zone=zone,
        target=target,
        conflict=conflict,
        window_s=window_s,
        requested_by=actor,
        subject_kind=subject.kind if subject else "",
        subject_id=subject.id if subject else "",
        begun_at=now,
        deadline_at=now + ANSWER_WITHIN + timedelta(seconds=window_s),
    )
    words_before = subject.words_before if subject and subject.words_before else now
    with events_last():  # each job is an event and names a host, whose row somebody else may hold
        asking = Asking(sheet, _probe_job(sheet), words_before, now)
        EvidenceRow.objects.bulk_create(row for probe in PROBES for row in probe.ask(asking))
    nudge(COMPLETE)
    return sheet


def gathering_sheets() -> list[UUID]:
    """Return the sheets that still wait for an answer, oldest first."""
    waiting = EvidenceSheet.objects.filter(state=EvidenceSheet.State.GATHERING)
    return list(waiting.order_by("begun_at").values_list("pk", flat=True))


def complete_evidence_sheet(sheet_id: UUID, *, now: datetime) -> bool:
    """Return whether the sheet is complete now: every row has its word, and the facts their digest.

    The caller has a transaction open. A sheet that is complete never changes.
    """
    sheet = EvidenceSheet.objects.select_for_update(no_key=True).select_related(None).get(pk=sheet_id)
    if sheet.state != EvidenceSheet.State.GATHERING:
        return False
    rows = list(sheet.rows.select_related("sheet__zone", "sheet__target"))
    jobs = Job.objects.in_bulk([row.job_id for row in rows if row.job_id])
    for row in rows:
        if not row.word:
            look = Look(row, jobs.get(row.job_id), now >= sheet.deadline_at, now)
            _write_down(row, _BY_NAME[EvidenceRow.Probe(row.probe)].answer(look))
    if not all(row.word for row in rows):
        return False
    _freeze(sheet, rows, now)
    return True


def take_probes(taken: Sequence[TakenResult]) -> None:
    """Take in finished probes: their readings, and what the samples say on the sheets that asked."""
    take_readings_of_probes(taken)
    for one in taken:
        if one.job is None or one.job.subject_kind != OF_A_SHEET:
            continue
        asked = EvidenceRow.objects.filter(job_id=one.job.pk, probe=write_samples.PROBE, word="")
        for row in asked.select_for_update():
            answer = write_samples.seen(one.result)
            _write_down(row, answer._replace(at=datetime.fromtimestamp(one.report.at, UTC)))


def job_moved(job: Job) -> None:
    """Wake the reconciler once a question of a sheet has been answered, or will not be."""
    if has_ended(job):
        nudge(COMPLETE)


def _probe_job(sheet: EvidenceSheet) -> Job:
    placement = Placement.objects.filter(zone=sheet.zone, host=sheet.target, gone_at=None).first()
    if placement is None:
        raise NotConfiguredThere(host=sheet.target.owner_hostid, zone=sheet.zone.name)
    return insert_job(
        key=f"sheet:{sheet.pk}:probe",
        kind=Kind.PROBE,
        host=sheet.target,
        zone_name=placement.name,
        zone_uuid=_zone_uuid_there(sheet),
        args={"window_s": sheet.window_s},
        subject_kind=OF_A_SHEET,
        subject_id=str(sheet.pk),
        requested_by=sheet.requested_by,
        # the window is work, not waiting: the job must outlive it
        validity=ANSWER_WITHIN + timedelta(seconds=sheet.window_s),
    )


def _zone_uuid_there(sheet: EvidenceSheet) -> UUID | None:
    """Return the uuid the target itself verified; the site may know it from another host with another key."""
    sightings = Sighting.objects.filter(storage__zone=sheet.zone, host=sheet.target).select_related("reading")
    uuids = [sighting.reading.facts.get("zone_uuid") for sighting in sightings]
    return next((UUID(uuid) for uuid in uuids if uuid), None)


def _write_down(row: EvidenceRow, answer: Answer | None) -> None:
    if answer is None:
        return
    row.word, row.value, row.sentence, row.at = answer.word, answer.value, answer.sentence, answer.at
    row.save(update_fields=["word", "value", "sentence", "at"])


def _freeze(sheet: EvidenceSheet, rows: Sequence[EvidenceRow], now: datetime) -> None:
    facts = strict.canonical(_facts(sheet, rows))
    sheet.facts = facts
    sheet.facts_sha256 = hashlib.sha256(facts).hexdigest()
    sheet.reading = _reading(rows)
    sheet.state = EvidenceSheet.State.COMPLETE
    sheet.completed_at = now
    sheet.save(update_fields=["facts", "facts_sha256", "reading", "state", "completed_at"])
    append(
        "evidence-sheet.complete",
        actor=_CONTROL,
        subjects=_subjects(sheet),
        data={"facts_sha256": sheet.facts_sha256, "words": {f"{row.probe} {row.source}": row.word for row in rows}},
        documents=[facts],
    )
    if path := settings.EVIDENCE_COMPLETE.get(sheet.subject_kind):
        import_string(path)(sheet)


def _facts(sheet: EvidenceSheet, rows: Sequence[EvidenceRow]) -> dict[str, Any]:
    """Return what is approved: no times, no ages, nothing that differs at every look."""
    return {
        "v": FACTS_VERSION,
        "zone": {"id": str(sheet.zone_id), "name": sheet.zone.name},
        "target": sheet.target.owner_hostid,
        "rows": [
            {"probe": row.probe, "source": row.source, "word": row.word, "value": row.value}
            for row in sorted(rows, key=lambda row: (row.probe, row.source))
        ],
    }


def digest_of_rows(sheet: EvidenceSheet) -> str:
    """Return the digest (64 hex digits) of the facts that the sheet's rows state now: what people are shown."""
    rows = list(sheet.rows.all())
    return hashlib.sha256(strict.canonical(_facts(sheet, rows))).hexdigest()


def _reading(rows: Sequence[EvidenceRow]) -> Reading | None:
    """Return the target's own fresh reading that the sheet rests on."""
    row = next(row for row in rows if row.probe == host_data_from_here.PROBE)
    readings = Reading.objects.filter(job_id=row.job_id).order_by("pk")
    return readings.first() if row.job_id else None


def _subjects(sheet: EvidenceSheet) -> list[tuple[str, str]]:
    subjects = [("evidence-sheet", str(sheet.pk)), ("zone", str(sheet.zone_id))]
    if sheet.conflict_id:
        subjects.append(("conflict", str(sheet.conflict_id)))
    if sheet.subject_kind:
        subjects.append((sheet.subject_kind, sheet.subject_id))
    return subjects
