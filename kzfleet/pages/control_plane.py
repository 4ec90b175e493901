"""How the site itself is: who signs, who reports, what lies unread."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from django.db.models import Count, OuterRef, Q, Subquery

from apps.base.wording import age
from apps.fleet.models import Agent, Host
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


def control_plane(hosts: Iterable[Host], now: datetime) -> list[Health]:
    """Return how the signer, the intake of reports, the agents, the jobs and the history are; two queries.

    hosts: the present ones, their agents loaded.
    """
    seen = _signs_of_life()
    return [
        _signer(seen.get("signed_at"), now),
        _intake(seen.get("unread_since"), now),
        _agents({host.agent for host in hosts if host.agent is not None}, now),
        _jobs(),
        Health("History", "fine", f"{seen.get('size') or 0} events", "/history"),
    ]


def _signs_of_life() -> dict[str, Any]:
    """Return the length of the history, when the signer last signed, and since when a report lies unread."""
    oldest = ReportEnvelope.objects.order_by("pk").values("received_at")
    beacon = SignedBeacon.objects.filter(pk=OuterRef("pk")).values("signed_at")
    heads = Head.objects.annotate(signed_at=Subquery(beacon[:1]), unread_since=Subquery(oldest[:1]))
    return dict(heads.values("size", "signed_at", "unread_since").first() or {})


def _signer(signed_at: datetime | None, now: datetime) -> Health:
    if signed_at is None:
        return Health("Signer", "unknown", "has never signed: orders wait")
    if now - signed_at > BEACON_LATE:
        return Health("Signer", "late", f"last signed {age(now - signed_at)} ago: orders wait")
    return Health("Signer", "fine", "at work")


def _intake(unread_since: datetime | None, now: datetime) -> Health:
    if unread_since is None:
        return Health("Reports", "fine", "nothing unread")
    word = "late" if now - unread_since > INBOX_LATE else "fine"
    return Health("Reports", word, f"the oldest unread one came {age(now - unread_since)} ago")


def _agents(known: set[Agent], now: datetime) -> Health:
    reported = [agent.last_report_at for agent in known if agent.last_report_at is not None]
    if not known:
        return Health("Agents", "unknown", "none is known: enrol a host", "/agents")
    heard = [moment for moment in reported if moment >= heard_since(now)]
    if len(heard) == len(known):
        return Health("Agents", "fine", f"all {len(known)} heard", "/agents")
    last = f", the last {age(now - max(reported))} ago" if reported else ""
    return Health("Agents", "late", f"{len(heard)} of {len(known)} heard{last}", "/agents")


def _jobs() -> Health:
    found = Job.objects.filter(state__in=[*ACTIVE, State.UNKNOWN]).aggregate(
        active=Count("pk", filter=~Q(state=State.UNKNOWN)), unknown=Count("pk", filter=Q(state=State.UNKNOWN))
    )
    if found["unknown"]:
        return Health("Jobs", "late", f"{found['unknown']} of unknown outcome, {found['active']} under way", "/jobs")
    return Health("Jobs", "fine", f"{found['active']} under way" if found["active"] else "none under way", "/jobs")
