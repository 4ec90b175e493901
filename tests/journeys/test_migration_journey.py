"""A running zone goes from a host of one agent to a host of another, ordered by REST; and a host is emptied."""

from __future__ import annotations

from typing import Any

import pytest
from people import Rest
from running_site import Site, must, wait_for

pytestmark = pytest.mark.journey
ZONE = "kz-git01"
GLOBAL3, GLOBAL7 = "84f1a2c3", "87c45e27"


def places(olga: Rest) -> dict[str, str]:
    return {one["hostname"]: one["state"] for one in olga.zone(ZONE)["placements"]}


def migrated(olga: Rest, source: str, target: str, **wanted: bool) -> Any:
    path = f"/zones/{olga.zone(ZONE)['id']}/migrations"
    answer = olga.post(path, owner_hostid=source, target_hostid=target, **wanted)
    return olga.job(answer["job"], timeout_s=60)


def test_a_running_zone_is_migrated_to_the_host_of_another_agent(site: Site, olga: Rest) -> None:
    agents = {host["hostname"]: host["agent"] for host in olga.list("/hosts")}
    assert agents["global7"] != agents["global3"]
    wait_for(lambda: places(olga).get("global7") == "running", 30, "the zone was not seen running")

    assert migrated(olga, GLOBAL7, GLOBAL3, dry_run=True)["state"] == "done"
    assert places(olga) == {"global7": "running"}
    job = migrated(olga, GLOBAL7, GLOBAL3, live_only=True)

    lines = [line["text"].rpartition("': ")[2] for line in job["lines"]]
    assert (job["state"], job["code"]) == ("done", "DONE")
    assert lines[0] == "Importing zone configuration on destination."
    assert lines[-2:] == ["Migration successful.", "Halting and detaching zone on source host."]
    assert job["progress"] == {"done": 9, "of": 9, "what": job["lines"][-1]["text"]}

    wait_for(lambda: places(olga).get("global3") == "running", 30, "the target's agent did not tell of the zone")
    assert places(olga) == {"global3": "running", "global7": "configured"}
    wait_for(lambda: olga.zone(ZONE)["owner_hostid"] == GLOBAL3, 10, "the owner was not taken in")
    (stale,) = (row for row in olga.list("/conflicts", open="yes") if row["zone"]["name"] == ZONE)
    assert stale["kind"] == "stale-configuration"
    doubled = olga.list("/conflicts", kind="double-run")
    assert ZONE not in {row["zone"]["name"] for row in doubled}
    must(site.kz("global3", "fsck", ZONE))
    assert site.state_of("global3", ZONE) == "running"


def test_a_host_is_emptied_and_filled_again(site: Site, olga: Rest) -> None:
    service = f"system/zones/zone:{ZONE}"
    must(site.kz("global3", "svccfg", "-s", service, "setprop", "evacuation/target=ssh://global7"))
    must(site.kz("global3", "svcadm", "refresh", service))
    wait_for(lambda: _target(olga) == "ssh://global7", 30, "the target was not told")

    job = olga.job(olga.post("/evacuations", owner_hostid=GLOBAL3)["job"], timeout_s=90)

    texts = [line["text"] for line in job["lines"]]
    assert job["code"] == "PARTIAL", texts  # its other zones have no target
    assert f"sysadm: {ZONE}: evacuated to ssh://global7" in texts
    wait_for(lambda: places(olga).get("global7") == "running", 30, "the zone was not seen on its target")

    must(site.kz("global3", "sysadm", "maintain", "-s", "-m", "new firmware"))
    wait_for(lambda: olga.get(f"/hosts/{GLOBAL3}")["maintenance_on_host"] == "new firmware", 30, "not in maintenance")
    back = migrated(olga, GLOBAL7, GLOBAL3)
    assert (back["state"], back["code"]) == ("failed", "MAINTENANCE")
    must(site.kz("global3", "sysadm", "maintain", "-e"))
    must(site.kz("global7", "fsck", ZONE))


def _target(olga: Rest) -> str | None:
    found = {one["hostname"]: one["evacuation_target"] for one in olga.zone(ZONE)["placements"]}
    return found.get("global3")
