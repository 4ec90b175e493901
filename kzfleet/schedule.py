"""What beat wakes, how often, and the switch that turns each entry off.

Every task named here is a reconciler: it takes no input, its rows are the work list, and running it
twice or two at once changes nothing. So an entry may be lost (the next one does the work) and expires
soon: a control worker that was away does not find an hour of wake-up calls.
"""

from collections.abc import Callable
from typing import Any

# task name: (every how many seconds, the environment's switch)
WAKE_UPS: dict[str, tuple[float, str]] = {
    "apps.fleet.write_broker_users": (5, "KZFLEET_WRITE_BROKER_USERS"),
    "apps.jobs.dispatch_jobs": (2, "KZFLEET_DISPATCH_JOBS"),
    "apps.jobs.ingest_reports": (1, "KZFLEET_INGEST_REPORTS"),
    "apps.jobs.expire_jobs": (15, "KZFLEET_EXPIRE_JOBS"),
    "apps.jobs.sweep_inspections": (5, "KZFLEET_SWEEP_INSPECTIONS"),
    "apps.zones.note_silent_hosts": (5, "KZFLEET_NOTE_SILENT_HOSTS"),
    "apps.conflicts.complete_evidence_sheets": (2, "KZFLEET_COMPLETE_EVIDENCE_SHEETS"),
    "apps.forced_actions.advance_forced_actions": (2, "KZFLEET_ADVANCE_FORCED_ACTIONS"),
    "apps.forced_actions.expire_forced_actions": (15, "KZFLEET_EXPIRE_FORCED_ACTIONS"),
}


def beat_schedule(is_on: Callable[[str], bool]) -> dict[str, dict[str, Any]]:
    """Return Celery's beat table of the entries whose switch `is_on`."""
    return {
        name: {
            "task": name,
            "schedule": every_s,
            "options": {"queue": "control", "expires": max(10, 2 * every_s), "ignore_result": True},
        }
        for name, (every_s, switch) in WAKE_UPS.items()
        if is_on(switch)
    }
