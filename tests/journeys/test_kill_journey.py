"""kill -9 of every process in the middle of a takeover: the supervisor starts it again, and the story goes on."""

from __future__ import annotations

import pytest
from people import Approver, Rest
from running_site import Site, wait_for

from kzfleet.up.look import answers

pytestmark = pytest.mark.journey


def test_a_takeover_survives_the_death_of_every_process(
    site: Site, olga: Rest, begun: dict[str, str], approvers: list[Approver]
) -> None:
    forced_action = begun["kz-web04"]
    pending = olga.forced_action(forced_action, "pending")
    assert pending["state"] == "pending", pending
    approvers[0].approve(pending)
    killed = {"web": site.kill("uvicorn")}
    wait_for(lambda: answers(f"{site.url}/healthz"), 60, "the web does not come back")
    approvers[1].approve(pending)
    killed |= {"control": site.kill("celery", "worker"), "signer": site.kill("manage.py sign")}
    executing = olga.until(f"/forced-actions/{forced_action}", _is_watching, 90)
    killed["agent"] = site.kill("kzagent run", "/agent-munich")

    done = olga.forced_action(forced_action, timeout_s=120)
    assert done["state"] == "done", done
    assert done["warrant"]["id"] == executing["warrant"]["id"], "one warrant, run once"
    assert "used by host 8831aa38 (global8" in site.read("global8", "kz-web04")
    assert f"forced, warrant {done['warrant']['payload_sha256']}" in site.read("global8", "kz-web04")
    assert not set(killed.values()) & set(site.pids()), "those that run are new ones"


def _is_watching(forced_action: dict) -> bool:
    """Whether the agent has begun, and has not written yet."""
    job = forced_action["job"]
    return bool(job) and job["state"] == "running" and "watching boot storage" in (job["progress"]["what"] or "")
