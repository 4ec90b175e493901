"""Evidence sheets: every independent path asked at once, each answer one of five words, frozen with a digest.

A probe is one file with `PROBE`, `ask(asking)` and `answer(look)`, and a line in `gathering.PROBES`.
"""

from apps.conflicts.evidence.difference import Change, differences, differences_from
from apps.conflicts.evidence.gathering import (
    Subject,
    complete_evidence_sheet,
    digest_of_rows,
    gathering_sheets,
    job_moved,
    make_evidence_sheet,
    take_probes,
)

__all__ = [
    "Change",
    "Subject",
    "complete_evidence_sheet",
    "differences",
    "differences_from",
    "digest_of_rows",
    "gathering_sheets",
    "job_moved",
    "make_evidence_sheet",
    "take_probes",
]
