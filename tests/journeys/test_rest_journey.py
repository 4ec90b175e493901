"""The same story for programs: personal tokens, and decisions that carry a code."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from browsing import Window
from people import Approver, Person, Rest
from playwright.sync_api import Browser
from running_site import Site, processes_of

pytestmark = pytest.mark.journey


@pytest.fixture
def vera(browser: Browser, site: Site, people: dict[str, Person]) -> Iterator[Window]:
    window = Window(browser, site, people["vera"])
    window.sign_in()
    yield window
    window.page.context.close()


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


def test_the_host_that_lost_the_zone_comes_back_and_never_starts_it(site: Site, olga: Rest, vera: Window) -> None:
    site.kz("global2", "zonecfg", "-z", "kz-mail01", "set autoboot=true")
    conflict = next(
        row for row in olga.list("/conflicts", open="no", kind="held-elsewhere") if row["zone"]["name"] == "kz-mail01"
    )
    (before,) = olga.get(f"/conflicts/{conflict['id']}")["obligations"]
    assert (before["owner_hostid"], before["new_owner_hostid"], before["met_at"]) == ("848611d4", "84f1a2c3", None)

    booted = site.kz("global2", "flag", "up")

    assert "zone kz-mail01 is in use by host with  hostid 84f1a2c3" in booted.stderr
    met = olga.until(f"/conflicts/{conflict['id']}", lambda row: row["obligations"][0]["met_at"] is not None, 60)
    assert met["obligations"][0]["met_how"] == "its agent confirms: unavailable, autoboot off"
    assert site.state_of("global2", "kz-mail01") == "unavailable"
    assert "set autoboot=false" in site.kz("global2", "zonecfg", "-z", "kz-mail01", "export").stdout
    assert not [line for line in processes_of(site.var).values() if "zone=kz-mail01" in line and "848611d4" in line]
    assert not olga.list("/conflicts", open="yes", kind="return-pending")
    vera.page.goto("/hosts/848611d4")
    confirmed = vera.page.get_by_text("its agent confirms: unavailable, autoboot off")
    vera.page.get_by_role("row").filter(has_text="kz-mail01").filter(has=confirmed).wait_for()
    for said in (
        "obliged the host that lost the zone to confirm it",
        "confirmed that the zone it lost does not run there",
    ):
        assert vera.page.get_by_text(said).first.is_visible(), said
    vera.page.screenshot(path=site.var / "return.png", full_page=True)
    vera.page.goto(f"/conflicts/{conflict['id']}")
    vera.page.get_by_text("Zones lost by force").wait_for()
    assert not vera.faults
