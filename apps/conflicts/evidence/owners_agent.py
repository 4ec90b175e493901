"""Probe: what the agents of the owner, and of every other host that configures the zone, report right now."""

from __future__ import annotations

from datetime import datetime, timedelta

from apps.conflicts.evidence.asking import (
    ANSWER_WITHIN,
    SILENT_ANSWER_WITHIN,
    Answer,
    Asking,
    Look,
    is_over,
)
from apps.conflicts.models import EvidenceRow, EvidenceSheet
from apps.conflicts.wording import named, silence
from apps.fleet.models import Agent, Host
from apps.fleet.selectors import is_silent
from apps.jobs.models import Job
from apps.jobs.services import WHOLE, insert_job
from apps.jobs.workflow import State
from apps.zones.models import Placement
from kernelzone.orders import Kind
from kernelzone.states import ACTIVE

PROBE = EvidenceRow.Probe.OWNERS_AGENT
SUBJECT = "evidence-sheet"


def ask(asking: Asking) -> list[EvidenceRow]:
    """Return a row for the owner, and one for each other host that configures the zone, each asked by a job."""
    sheet = asking.sheet
    hosts = {host.owner_hostid: host for host in _hosts(sheet)}
    owner = sheet.zone.owner_hostid
    wanted = {*hosts, owner} - {"", sheet.target.owner_hostid}
    return [asking.row(PROBE, hostid, _job(asking, hosts.get(hostid))) for hostid in sorted(wanted)]


def answer(look: Look) -> Answer | None:
    """Return what the host's agent said since it was asked; None while it may still answer."""
    row, job, now = look.row, look.job, look.now
    host = Host.objects.select_related("agent").filter(owner_hostid=row.source).first()
    if host is None:
        return _nothing(f"No host with hostid {row.source} is known here; nobody could be asked.")
    if job is None:
        return _nothing(f"No agent speaks for {named(host)}; nobody could be asked.", host)
    if job.state == State.DONE:
        return _said(row.sheet, host, now)
    if look.is_late or is_over(job) or now - row.asked_at > _patience(host, row.asked_at):
        return _nothing(silence(host, now), host)
    return None


def _hosts(sheet: EvidenceSheet) -> list[Host]:
    placed = Placement.objects.filter(zone=sheet.zone, gone_at=None).values("host")
    known = Host.objects.select_related("agent").filter(retired_at=None)
    return list(known.filter(pk__in=placed) | known.filter(owner_hostid=sheet.zone.owner_hostid))


def _job(asking: Asking, host: Host | None) -> Job | None:
    if host is None or host.agent is None or host.agent.state != Agent.State.TRUSTED:
        return None
    return insert_job(
        key=f"sheet:{asking.sheet.pk}:inspect:{host.owner_hostid}",
        kind=Kind.INSPECT,
        host=host,
        args=WHOLE,
        subject_kind=SUBJECT,
        subject_id=str(asking.sheet.pk),
        requested_by=asking.sheet.requested_by,
        validity=ANSWER_WITHIN,
    )


def _patience(host: Host, asked_at: datetime) -> timedelta:
    return SILENT_ANSWER_WITHIN if is_silent(host, asked_at) else ANSWER_WITHIN


def _said(sheet: EvidenceSheet, host: Host, now: datetime) -> Answer:
    """Return what the inspection, taken in with the same report, says of the zone there."""
    placement = Placement.objects.filter(zone=sheet.zone, host=host, gone_at=None).first()
    owns = host.owner_hostid == sheet.zone.owner_hostid
    if placement is None:
        word = EvidenceRow.Word.PROVES_OFF if owns else EvidenceRow.Word.SAYS_NOTHING
        return Answer(word, {"answered": True, "state": ""}, f"{named(host)} does not have this zone any more.", now)
    value = {
        "answered": True,
        "state": placement.state,
        "auxiliary": sorted(placement.auxiliary),
        "autoboot": placement.autoboot,
    }
    word, sentence = _judged(placement, host, owns=owns)
    return Answer(word, value, sentence, now)


def _judged(placement: Placement, host: Host, *, owns: bool) -> tuple[EvidenceRow.Word, str]:
    autoboot = "autoboot on" if placement.autoboot else "autoboot off"
    sentence = f"{named(host)} says: {placement.state}, {autoboot}."
    if placement.state in ACTIVE:
        return EvidenceRow.Word.PROVES_ON, f"{named(host)} says that the zone is {placement.state} there."
    if not owns:
        return EvidenceRow.Word.SAYS_NOTHING, f"{sentence} It does not own the zone."
    if placement.autoboot:
        return EvidenceRow.Word.SUGGESTS_OFF, f"{sentence} It would come up with the host."
    return EvidenceRow.Word.PROVES_OFF, sentence


def _nothing(sentence: str, host: Host | None = None) -> Answer:
    at = host.last_heard_at if host else None
    return Answer(EvidenceRow.Word.SAYS_NOTHING, {"answered": False}, sentence, at)
