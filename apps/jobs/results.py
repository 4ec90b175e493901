"""What ingestion hands to the apps above: the result of one report, read and checked."""

from __future__ import annotations

from typing import Any, NamedTuple

from apps.fleet.models import Agent, Host
from apps.jobs.models import Job
from kernelzone.orders import Report


class TakenResult(NamedTuple):
    """One result to take in. `job` is None when the agent said it unasked; `result` is the dataclass of its kind.

    The report is the agent's own word, its signature verified, and `host` is one it speaks for.
    """

    job: Job | None
    report: Report
    result: Any
    host: Host
    agent: Agent
