"""The main story: a dead owner, a request, two approvals, a signed order, a reading that settles it."""

from __future__ import annotations

from typing import Any

from apps.history.selectors import events_about
from apps.jobs.models import Job


def test_an_approved_takeover_is_done_once_a_reading_names_the_target(
    fleet: Any, releasing: Any, silence_is_over: Any
) -> None:
    silence_is_over()
    fleet.turn(3)

    releasing.refresh_from_db()
    assert (releasing.state, releasing.why) == ("done", "done")
    assert fleet.kzone1.owner is fleet.global1
    assert fleet.kzone1.warrant_sha256 == releasing.warrants.get().payload_sha256
    conflict = fleet.conflict()
    assert conflict.resolved_how == f"forced takeover {releasing.pk}"
    types = [event.type for event in events_about("forced-action", releasing.pk).order_by("seq")]
    wanted = ["submit", "freeze", "approve", "approve", "quorum", "issue", "quorum-reached", "send", "succeed"]
    assert [name for name in types if name.startswith("forced-action.")] == [f"forced-action.{w}" for w in wanted]
    assert Job.objects.filter(kind="force-takeover").count() == 1
