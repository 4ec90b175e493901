"""The same story for programs: personal tokens, and decisions that carry a code."""

from __future__ import annotations

from typing import Any

import pytest
from people import Approver, Rest
from running_site import Site

pytestmark = pytest.mark.journey


def test_a_zone_is_taken_over_by_programs(
    site: Site, olga: Rest, begun: dict[str, str], approvers: list[Approver]
) -> None:
    conflict = olga.conflict("kz-mail01")
    assert conflict["message"].rstrip() == site.zoneadm("global3", "kz-mail01", "attach").stderr.rstrip()
    doors = {door["door"]: door for door in conflict["doors"]}
    assert (doors["detach-and-attach"]["state"], doors["force-takeover"]["state"]) == ("shut", "open")
    assert "global2" in doors["detach-and-attach"]["reason"]

    forced_action = begun["kz-mail01"]
    pending = olga.forced_action(forced_action, "pending")
    assert (pending["state"], pending["approvals"]) == ("pending", 0), pending
    assert approvers[0].approve(pending)["state"] == "pending", "one is not enough"
    assert approvers[1].approve(pending)["state"] == "releasing"

    done = olga.forced_action(forced_action, timeout_s=90)
    assert (done["state"], [one["by"] for one in done["decisions"]]) == ("done", ["adam", "ada"]), done
    _is_settled(site, olga, done)


def _is_settled(site: Site, olga: Rest, done: Any) -> None:
    now = site.read("global3", "kz-mail01")
    assert "used by host 84f1a2c3 (global3" in now
    assert f"forced, warrant {done['warrant']['payload_sha256']}" in now
    job = olga.get(f"/jobs/{done['job']['id']}")
    assert job["state"] == "done"
    assert any("host data was claimed" in line["text"] for line in job["lines"])
    conflict = olga.get(f"/conflicts/{done['conflict']}")
    assert conflict["resolved_how"] == f"forced takeover {done['id']}"
    assert olga.zone("kz-mail01")["owner_hostid"] == "84f1a2c3"
