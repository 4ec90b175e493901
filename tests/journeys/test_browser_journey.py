"""The main job in a browser: a zone held by a dead host is taken over, by consent and before everybody's eyes."""

from __future__ import annotations

import re

import pytest
from browsing import Window
from people import Person, Rest
from playwright.sync_api import Browser, expect
from running_site import Site

pytestmark = pytest.mark.journey

REASON = "global2 lost its mainboard this night; I stood before rack A02 and both of its supplies are out."
SETTLED_MS = 60_000


@pytest.mark.usefixtures("begun")
def test_kzone1_is_taken_over_from_a_dead_host(
    site: Site, people: dict[str, Person], olga: Rest, browser: Browser
) -> None:
    printed = site.zoneadm("global1", "kzone1", "attach")
    assert printed.returncode == 1
    conflict = olga.conflict("kzone1")
    before = site.read("global1", "kzone1")

    window = Window(browser, site, people["olga"])
    window.sign_in()
    _finds_the_conflict(window, printed.stderr)
    _gathers_evidence(window)
    address = _requests(window)

    digest = _pending_digest(window)
    approvers = [Window(browser, site, people[name]) for name in ("adam", "ada")]
    for approver in approvers:
        approver.sign_in()
        _approves(approver, address, digest)
    assert site.read("global1", "kzone1") == before, "nothing is written before it is signed"

    _watches(window, approvers[1])
    _is_on_disk(site, olga, address)
    _is_remembered(window, olga, conflict["id"], address, digest)
    assert [one.faults for one in (window, *approvers)] == [[], [], []]


def _finds_the_conflict(window: Window, printed: str) -> None:
    page = window.page
    need = page.locator("li.need", has=page.get_by_role("link", name="kzone1"))
    expect(need).to_contain_text("its host data names global2 as owner (installed)")
    window.picture("overview")
    need.get_by_text("global1 wants it").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("kzone1 is held elsewhere")
    said = page.locator("figure.terminal pre")
    assert said.inner_text().rstrip("\n") == printed.rstrip("\n")
    assert "in use by host with  hostid 848611d4" in printed
    assert "69ed2e6a-e25a-6d36-e022-ed7261ed8899" in printed


def _gathers_evidence(window: Window) -> None:
    page = window.page
    page.get_by_role("button", name="Gather evidence now").click()
    evidence = page.locator("#evidence")
    expect(evidence.locator("progress")).to_be_visible()
    expect(evidence).to_contain_text("digest", timeout=SETTLED_MS)
    owner = evidence.locator("tr", has_text="848611d4").filter(has_text="owner")
    expect(owner).to_contain_text("says nothing")
    expect(owner).to_contain_text(re.compile(r"\d:\d\d:\d\d"))  # when it was asked
    expect(evidence.locator("tr", has_text="write samples")).to_contain_text("suggests it is off")
    doors = page.locator("#doors li.door")
    shut = [door for door in doors.all() if "door-shut" in (door.get_attribute("class") or "")]
    assert len(shut) >= 4
    assert all(door.locator("p").first.inner_text().endswith(".") for door in shut), "each says why"
    expect(page.locator("li.door-forced.door-open")).to_contain_text("global1 takes the zone from global2")
    window.picture("conflict")


def _requests(window: Window) -> str:
    page = window.page
    page.get_by_role("link", name="Request this …").click()
    page.get_by_label("Why this must be forced").fill(REASON)
    page.get_by_label("Type the zone's name").fill("kzone2")
    page.get_by_label("Type the hostid").fill("848611d4")
    page.get_by_role("button", name="Request force-takeover of kzone1 by global1").click()
    expect(page.get_by_role("alert").or_(page.locator(".note-bad")).first).to_be_visible()
    page.get_by_label("Type the zone's name").fill("kzone1")
    window.faults.clear()  # a browser complains of every refusal's status
    page.get_by_role("button", name="Request force-takeover of kzone1 by global1").click()
    page.wait_for_url("**/forced-actions/*")
    expect(page.locator("progress")).to_be_visible()  # boot storage is being watched
    return page.url


def _pending_digest(window: Window) -> str:
    shown = window.page.locator("footer.digest code")
    expect(shown).to_have_text(re.compile(r"^[0-9a-f]{64}$"), timeout=SETTLED_MS)
    window.picture("forced-action-pending")
    return shown.inner_text()


def _approves(approver: Window, address: str, digest: str) -> None:
    page, authenticator = approver.page, approver.person.authenticator
    assert authenticator is not None
    page.get_by_role("link", name="Force takeover of kzone1 to global1").first.click()
    assert page.url == address
    expect(page.locator("footer.digest code")).to_have_text(digest)
    expect(page.locator("blockquote")).to_have_text(REASON)
    expect(page.locator("input[name=evidence_sha256]")).to_have_value(digest)
    page.get_by_label("Code of your second factor").fill(authenticator.code())
    approver.picture(f"forced-action-{approver.person.name}")
    page.get_by_role("button", name="Approve force takeover of kzone1").click()
    mine = page.locator("ul.approvals li", has=page.get_by_text(approver.person.name, exact=True))
    expect(mine).to_contain_text(digest[:8])


def _watches(window: Window, approver: Window) -> None:
    """Nobody touches a page: both come to know by themselves."""
    order = window.page.locator("section.panel", has=window.page.get_by_role("heading", name="The order"))
    expect(order.locator("progress")).to_be_visible(timeout=SETTLED_MS)
    expect(order.locator("progress")).to_contain_text(re.compile(r"\d of \d"))
    expect(order.locator("figure.terminal pre")).to_contain_text("host data was claimed", timeout=SETTLED_MS)
    window.picture("forced-action-executing")
    for one in (window, approver):
        expect(one.page.locator(".title-row")).to_contain_text("done", timeout=SETTLED_MS)
        expect(one.page.locator("body")).to_contain_text("Settled by a reading")
    window.picture("forced-action-done")


def _is_on_disk(site: Site, olga: Rest, address: str) -> None:
    warrant = olga.get(f"/forced-actions/{address.rsplit('/', 1)[1]}")["warrant"]
    now = site.read("global1", "kzone1")
    assert "host data: installed, used by host 83a0cc71 (global1, solaris-1)" in now
    assert f"forced, warrant {warrant['payload_sha256']}" in now
    assert "before: host 848611d4 (global2)" in now
    assert site.state_of("global1", "kzone1") == "installed"


def _is_remembered(window: Window, olga: Rest, conflict: str, address: str, digest: str) -> None:
    page, forced_action = window.page, address.rsplit("/", 1)[1]
    page.goto(f"/conflicts/{conflict}")
    expect(page.locator(".note-ok")).to_contain_text("Resolved")
    expect(page.locator(".note-ok")).to_contain_text(f"forced takeover {forced_action}")
    window.picture("conflict-resolved")
    events = olga.list("/events", subject=f"forced-action:{forced_action}", page_size="200")
    by_type = {event["type"]: event for event in events}
    asked, quorum = by_type["forced-action.submit"], by_type["forced-action.quorum-reached"]
    approved = [event["record"] for event in events if event["type"] == "forced-action.approve"]
    assert asked["record"]["data"]["reason"] == REASON
    assert [one["data"]["account"] for one in approved] == ["adam", "ada"]
    assert {one["data"]["evidence_sha256"] for one in approved} == {digest}
    assert quorum["record"]["data"]["evidence_sha256"] == digest
    page.goto(address)
    story = page.locator("section.panel", has=page.get_by_role("heading", name="History")).locator("li")
    for words in ("olga requested", "adam approved", "ada approved"):
        expect(story.filter(has_text=words).first).to_be_visible()
    page.goto("/")
    expect(page.locator("li.need", has=page.get_by_role("link", name="kzone1"))).to_have_count(0)
    for path, name in (("/hosts", "hosts"), ("/zones", "zones"), ("/jobs", "jobs"), ("/history", "history")):
        page.goto(path)
        window.picture(name)
