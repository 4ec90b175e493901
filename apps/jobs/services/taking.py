"""What follows from reports: hosts were heard, jobs move, output grows, results go to the apps above."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from django.conf import settings
from django.db.models import Max
from django.utils.module_loading import import_string

from apps.fleet.collisions import note_claims
from apps.fleet.models import Host
from apps.fleet.services import confirm_states, forget_states, record_states
from apps.history.actors import agent as agent_actor
from apps.jobs.models import Job, JobLine
from apps.jobs.results import TakenResult
from apps.jobs.services.claiming import claims_of
from apps.jobs.services.moving import move_job
from apps.jobs.services.reading_reports import REFUSALS, Item, ReportRefused
from apps.jobs.workflow import FINISHED_BY_REPORT, NEXT, Move, State
from kernelzone.orders import Heartbeat, Kind, ReportState
from kernelzone.words import shown

# a running order that says nothing for so long is sent again: for its last report, or for an agent that was killed
QUIET_FOR: Final = timedelta(seconds=20)
MAX_LINE: Final = 1024
MAX_LINES_PER_JOB: Final = 10_000
_WHAT_LENGTH: Final = 200
_CODE_LENGTH: Final = 64
_NOTHING_WAS_DONE: Final = frozenset({ReportState.REFUSED, ReportState.NOT_APPLIED})


def take_routine(items: Sequence[Item], now: datetime) -> None:
    """Heartbeats, states and the sweep's inspections are taken in with a number of queries that does not grow."""
    ended = _end_routine_jobs(items, now)
    _start_routine_jobs(items, now)
    wanted = [item for item in items if item.job is None or item.job.pk in ended]
    _note_heard(items, now)
    _confirm([item.host for item in wanted if item.is_known and item.host], now)
    give_results([item for item in wanted if item.result is not None and not isinstance(item.result, Heartbeat)], now)


def _confirm(hosts: Sequence[Host], now: datetime) -> None:
    """These hosts are as they were: whoever keeps when something was last seen is told, and nobody else."""
    if hosts:
        confirm_states(hosts, now=now)
        for path in settings.HOSTS_CONFIRMED:
            import_string(path)(hosts, now)


def take_answer(item: Item, now: datetime) -> None:
    """One report about a job somebody waits for: output, progress or end, and its result. Raises: ReportRefused."""
    job = item.job
    if job is None:
        raise TypeError("an unasked report is routine")
    # whoever cancels or expires it meanwhile waits, or has been first and is seen here
    job.state = Job.objects.select_for_update().values_list("state", flat=True).get(pk=job.pk)
    _note_heard([item], now)
    _add_lines(job, item.said.lines, now)
    if item.is_final:
        _finish(item, job, now)
    else:
        _continue(item, job, now)


def give_results(items: Sequence[Item], now: datetime) -> None:
    """The function that the settings name for each kind has the results of that kind, in one call."""
    record_states({item.host: item.state_sha256 for item in items if item.host and item.state_sha256}, now=now)
    forget_states({item.host for item in items if item.host and not item.state_sha256})
    by_kind: dict[str, list[TakenResult]] = {}
    for item in items:
        if item.host is not None:
            kind = item.job.kind if item.job is not None else Kind.INSPECT.value
            by_kind.setdefault(kind, []).append(TakenResult(item.job, item.said, item.result, item.host, item.agent))
    for kind, taken in by_kind.items():
        path = settings.JOB_RESULT.get(kind)
        if path:
            import_string(path)(taken)


def _finish(item: Item, job: Job, now: datetime) -> None:
    """End the job as the report says; what it found is taken in first, so that it is there for who is told."""
    report = item.said
    move = FINISHED_BY_REPORT[report.state.value]
    if job.state == report.state.value and job.state != State.UNKNOWN:
        return  # said again
    if job.state == State.CANCELLED and report.state in _NOTHING_WAS_DONE:
        Job.objects.filter(pk=job.pk).update(code=_code(item))
        return
    if (State(job.state), move) not in NEXT:
        if report.state is ReportState.UNKNOWN and job.state == State.UNKNOWN:
            return
        raise ReportRefused("RESULT_STATE", REFUSALS["RESULT_STATE"])
    if item.result is not None:
        give_results([item], now)
    move_job(job, move, actor=agent_actor(item.agent), code=_code(item), final_report=bytes(item.row.envelope))


def _continue(item: Item, job: Job, now: datetime) -> None:
    """Keep how far the order is; one that has ended already is not begun again by a report that was late."""
    changes: dict[str, Any] = {"send_again_at": now + QUIET_FOR}
    if item.said.progress is not None:
        progress = item.said.progress
        changes |= {"progress_done": _small(progress.done), "progress_of": _small(progress.of)}
        changes["progress_what"] = shown(progress.what, _WHAT_LENGTH)
    if (State(job.state), Move.START) in NEXT:
        move_job(job, Move.START, actor=agent_actor(item.agent), started_at=now, **changes)
    else:
        Job.objects.filter(pk=job.pk, state=State.RUNNING).update(**changes)


def _add_lines(job: Job, lines: Sequence[str], now: datetime) -> None:
    if not lines:
        return
    last = job.lines.aggregate(last=Max("number"))["last"] or 0
    room = lines[: max(0, MAX_LINES_PER_JOB - last)]
    JobLine.objects.bulk_create(
        JobLine(job=job, number=last + number, at=now, text=shown(text, MAX_LINE))
        for number, text in enumerate(room, start=1)
    )


def _end_routine_jobs(items: Iterable[Item], now: datetime) -> set[UUID]:
    """Return the jobs that ended just now, each as its report says."""
    groups: dict[tuple[str, str], list[UUID]] = {}
    seen: set[UUID] = set()
    for item in items:
        if item.job is None or not item.is_final or item.job.pk in seen:
            continue
        if (State(item.job.state), FINISHED_BY_REPORT[item.said.state.value]) in NEXT:
            seen.add(item.job.pk)
            groups.setdefault((item.said.state.value, _code(item)), []).append(item.job.pk)
    for (state, code), ids in groups.items():
        Job.objects.filter(pk__in=ids).update(state=state, code=code, finished_at=now)
    return seen


def _start_routine_jobs(items: Iterable[Item], now: datetime) -> None:
    begun = [item.job.pk for item in items if item.job is not None and not item.is_final]
    if begun:
        waiting = Job.objects.filter(pk__in=begun, state__in=[State.SIGNED, State.SENT])
        waiting.update(state=State.RUNNING, started_at=now, send_again_at=now + QUIET_FOR)


def _note_heard(items: Sequence[Item], now: datetime) -> None:
    """Their agents spoke for these hosts just now: in a report about one, or in a heartbeat for all."""
    spoken_for = {item.host.pk for item in items if item.host is not None and item.said.owner_hostid is not None}
    Host.objects.filter(pk__in=spoken_for).update(last_heard_at=now)
    for item in items:
        if isinstance(item.result, Heartbeat):
            named = item.result.hosts
            heard = Host.objects.filter(agent=item.agent, owner_hostid__in=named).update(last_heard_at=now)
            if heard < len(named):
                note_claims(claims_of(item.agent, named), now)


def _code(item: Item) -> str:
    return shown(item.said.code, _CODE_LENGTH)


def _small(number: int) -> int:
    return max(0, min(number, 2**31 - 1))
