"""How the site itself is: who signs, who reports, what lies unread."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final, NamedTuple

from django.db.models import Count, Max, Q

from apps.base.wording import age
from apps.fleet.models import Agent
from apps.fleet.selectors import heard_since
from apps.history.models import Head
from apps.jobs.models import Job, ReportEnvelope, SignedBeacon
from apps.jobs.workflow import ACTIVE, State

BEACON_LATE: Final = timedelta(seconds=30)
INBOX_LATE: Final = timedelta(seconds=30)


class Health(NamedTuple):
    """One thing of the control plane: its word (family `health`), and a sentence."""

    name: str
    word: str
    sentence: str
    path: str = ""


def control_plane(now: datetime) -> list[Health]:
    """Return how the signer, the intake of reports, the agents, the jobs and the history are; five queries."""
    return [_signer(now), _intake(now), _agents(now), _jobs(), _history()]


def _signer(now: datetime) -> Health:
    signed_at = SignedBeacon.objects.values_list("signed_at", flat=True).first()
    if signed_at is None:
        return Health("Signer", "unknown", "has never signed: orders wait")
    if now - signed_at > BEACON_LATE:
        return Health("Signer", "late", f"last signed {age(now - signed_at)} ago: orders wait")
    return Health("Signer", "fine", f"signed {age(now - signed_at)} ago")


def _intake(now: datetime) -> Health:
    oldest = ReportEnvelope.objects.order_by("id").values_list("received_at", flat=True).first()
    if oldest is None:
        return Health("Reports", "fine", "nothing unread")
    word = "late" if now - oldest > INBOX_LATE else "fine"
    return Health("Reports", word, f"the oldest unread one came {age(now - oldest)} ago")


def _agents(now: datetime) -> Health:
    trusted = Agent.objects.filter(state=Agent.State.TRUSTED)
    heard = Count("pk", filter=Q(last_report_at__gte=heard_since(now)))
    found = trusted.aggregate(known=Count("pk"), heard=heard, last=Max("last_report_at"))
    if not found["known"]:
        return Health("Agents", "unknown", "none is known: manage.py trust_agent", "/hosts")
    word = "fine" if found["heard"] == found["known"] else "late"
    last = f", the last {age(now - found['last'])} ago" if found["last"] else ""
    return Health("Agents", word, f"{found['heard']} of {found['known']} heard{last}", "/hosts")


def _jobs() -> Health:
    found = Job.objects.filter(state__in=[*ACTIVE, State.UNKNOWN]).aggregate(
        active=Count("pk", filter=~Q(state=State.UNKNOWN)), unknown=Count("pk", filter=Q(state=State.UNKNOWN))
    )
    if found["unknown"]:
        return Health("Jobs", "late", f"{found['unknown']} of unknown outcome, {found['active']} under way", "/jobs")
    return Health("Jobs", "fine", f"{found['active']} under way" if found["active"] else "none under way", "/jobs")


def _history() -> Health:
    events = Head.objects.values_list("size", flat=True).first() or 0
    return Health("History", "fine", f"{events} events", "/history")
