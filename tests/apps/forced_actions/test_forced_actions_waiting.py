"""A release that cannot go on says why on the request, and goes on once it can."""

from __future__ import annotations

from typing import Any

from apps.fleet.models import Agent


def test_a_release_whose_agent_is_gone_says_so_and_goes_on_when_it_is_back(fleet: Any, releasing: Any) -> None:
    Agent.objects.update(state=Agent.State.SUSPENDED)
    fleet.reconcile()
    releasing.refresh_from_db()
    assert (releasing.state, releasing.why) == ("releasing", "agent_missing")
    assert "waits: no trusted agent speaks for this host" in releasing.why_text
    version = releasing.version
    fleet.reconcile()
    releasing.refresh_from_db()
    assert releasing.version == version, "said once"

    Agent.objects.update(state=Agent.State.TRUSTED)
    fleet.reconcile()
    releasing.refresh_from_db()
    assert (releasing.why, releasing.why_text) == ("", "")
    assert releasing.release_sheet is not None
