"""What must not work, tried for real."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from broker import Broker, message_of
from browsing import Window
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from people import Approver, Person, Rest, add_person, request_takeover
from playwright.sync_api import Browser, expect
from running_site import QUIET_WINDOW_S, Site, wait_for

from kernelzone import envelope, orders
from kernelzone.facts import RegionStatus
from kernelzone.ids import uuid7
from kernelzone.orders import Approver as ApprovedBy
from kernelzone.orders import Expectation, Kind, Order, PolicyRef, ReadingRef, RegionDigest, Warrant, ZoneRef
from kernelzone.words import Digest, HostId, ZoneName

pytestmark = pytest.mark.journey

REASON = "This is asked for to see that it does not happen: whoever reads it, do not be alarmed."


def test_no_takeover_while_the_owners_agent_says_running(site: Site, olga: Rest) -> None:
    before = site.read("global3", "kz-web02")
    conflict = olga.conflict("kz-web02")
    doors = {door["door"]: door for door in conflict["doors"]}
    assert doors["force-takeover"]["state"] == "shut"
    assert doors["force-takeover"]["reason"] == "global1 says that the zone is running there."
    assert doors["shutdown-and-attach"]["state"] == "open"
    status, said = _asked_for(olga, conflict, "83a0cc71")
    assert (status, said["code"]) == (409, "door_shut"), said
    assert site.read("global3", "kz-web02") == before


def test_no_takeover_of_a_zone_whose_cut_off_host_still_writes(
    site: Site, olga: Rest, people: dict[str, Person], browser: Browser
) -> None:
    before = site.read("global3", "kz-db02")
    conflict = olga.conflict("kz-db02")
    olga.post(f"/conflicts/{conflict['id']}/evidence", window_s=QUIET_WINDOW_S)
    seen = olga.until(f"/conflicts/{conflict['id']}", _has_sheet, 60)
    samples = [row for row in seen["sheets"][0]["rows"] if row["probe"] == "write-samples"]
    assert [row["word"] for row in samples] == ["proves-on"], seen
    assert "somebody writes to the boot storage" in samples[0]["sentence"]
    status, said = _asked_for(olga, conflict, "8510b7e4")
    assert (status, said["code"]) == (409, "door_shut"), said
    _door_is_shut_on_the_page(Window(browser, site, people["vera"]), conflict["id"], samples[0]["sentence"])
    _agent_refuses_even_a_signed_order(site, olga)
    assert site.read("global3", "kz-db02") == before


def _has_sheet(conflict: Any) -> bool:
    return bool(conflict["sheets"]) and conflict["sheets"][0]["state"] == "complete"


def _asked_for(rest: Rest, conflict: Any, loser_hostid: str) -> tuple[int, Any]:
    return rest.refused(
        "/forced-actions",
        kind="force-takeover",
        conflict=conflict["id"],
        reason=REASON,
        typed_zone_name=conflict["zone"]["name"],
        typed_loser_hostid=loser_hostid,
    )


def _door_is_shut_on_the_page(window: Window, conflict: str, sentence: str) -> None:
    window.sign_in()
    window.page.goto(f"/conflicts/{conflict}")
    door = window.page.locator("li.door-forced", has_text="global3").or_(window.page.locator("li.door-forced")).first
    expect(door).to_contain_text(sentence)
    expect(door.get_by_role("link", name="Request this …")).to_have_count(0)
    expect(window.page.locator("#evidence")).to_contain_text("proves it is on")
    window.picture("conflict-still-writing")


# --- past the site: whoever has the authority key -----------------------------------------------------------------


def _agent_refuses_even_a_signed_order(site: Site, olga: Rest) -> None:
    """An order as the signer would have signed it, had everybody been deceived: all is right but the writes."""
    order = _signed_takeover(site, olga, "kz-db02", "84f1a2c3", "agent-frankfurt")
    broker = Broker(site)
    broker.add("agent-frankfurt", message_of(_sealed(site.var, order)))
    wait_for(lambda: f"order {order.order} (force-takeover): " in site.said("agent-frankfurt"), 40, "no end of it")
    (ended,) = [line for line in site.said("agent-frankfurt").splitlines() if f"{order.order} (force" in line]
    assert ended.endswith("refused STORAGE_ACTIVE")
    broker.close()
    # the site never made this order: its reports change nothing, and are kept
    kept = wait_for(lambda: olga.list("/events", subject=f"job:{order.order}"), 20, "the reports were not put aside")
    assert {event["type"] for event in kept} == {"report.put-aside"}


def _signed_takeover(site: Site, olga: Rest, zone: str, owner_hostid: str, agent: str) -> Order:
    known = olga.zone(zone)
    (reading,) = [row for row in known["sightings"] if row["read_by"] == owner_hostid]
    query = "SELECT epoch, boot_id, facts FROM zones_reading WHERE id = ?"
    ((epoch, boot_id, facts),) = site.rows(query, reading["id"])
    settings = json.loads((site.fleet / "agents" / agent / "agent.json").read_text())
    now = int(time.time())
    return Order(
        v=1,
        deployment=UUID(settings["deployment"]),
        order=uuid7(),
        kind=Kind.FORCE_TAKEOVER,
        agent=UUID(settings["agent"]),
        owner_hostid=HostId(owner_hostid),
        zone=ZoneRef(ZoneName(zone), UUID(known["zone_uuid"])),
        not_before=now,
        not_after=now + 300,
        args={"quiet_window_s": QUIET_WINDOW_S},
        warrant=_warrant(reading, ReadingRef(reading["nonce"], epoch, boot_id), json.loads(facts)["device"], now),
    )


def _warrant(reading: Any, ref: ReadingRef, device: str, now: int) -> Warrant:
    region = RegionDigest(device, Digest(reading["raw_sha256"]))
    status, record = RegionStatus(reading["status"]), Digest(reading["record_sha256"])
    return Warrant(
        id=uuid7(),
        attempt=0,
        requester=uuid7(),
        approvers=(ApprovedBy(uuid7(), now, 1), ApprovedBy(uuid7(), now, 2)),
        quorum=2,
        break_glass=False,
        policy=PolicyRef("default", 1, 1800),
        evidence_sha256=Digest("a" * 64),
        reason_sha256=Digest("b" * 64),
        reading=ref,
        expect=Expectation(status, reading["generation"], record, (region,), None),
        high_water=0,
        checkpoint=None,
        proofs=None,
        fence=None,
    )


def _sealed(var: Path, order: Order) -> str:
    key = Ed25519PrivateKey.from_private_bytes(bytes.fromhex((var / "keys" / "authority.key").read_text().strip()))
    return envelope.sign(orders.write_order(order), payload_type=orders.ORDER_TYPE, key=key).decode()


# --- approving what must not be approved ---------------------------------------------------------------------------


@pytest.mark.usefixtures("begun")
def test_nobody_approves_alone_or_on_old_evidence_and_a_change_voids_it(
    site: Site, people: dict[str, Person], olga: Rest, approvers: list[Approver], browser: Browser
) -> None:
    otto = add_person(site, "otto", "operator", "approver")
    assert otto.authenticator is not None
    old = _old_digest(olga)
    with Rest(site, "otto") as rest:
        forced_action = request_takeover(rest, "kz-web03", "86a91f05", REASON)
        pending = rest.forced_action(forced_action, "pending")
        assert pending["state"] == "pending", pending
        _nobody_approves_alone(Approver(rest, otto.authenticator), pending)
    _nobody_approves_the_old(approvers[0], pending, old)
    for approver in approvers:
        approver.approve(pending)
    taken = site.zoneadm("global7", "kz-web03", "attach", "-x", "force-takeover")
    assert taken.returncode == 0, taken

    voided = olga.forced_action(forced_action, timeout_s=90)
    assert (voided["state"], voided["why"]) == ("voided", "evidence_changed"), voided
    assert any((one["before"], one["after"]) == ("86a91f05", "87c45e27") for one in voided["difference"]), voided
    _difference_is_shown(Window(browser, site, people["vera"]), forced_action)
    assert "used by host 87c45e27 (global7" in site.read("global6", "kz-web03")
    assert olga.conflict("kz-web03", "forced-outside")["facts"]["owner_hostname"] == "global7"


def _old_digest(olga: Rest) -> str:
    """Return the digest of evidence that has been overtaken: somebody has said something since."""
    conflict = olga.conflict("kz-web03")
    sheet = olga.until(f"/conflicts/{conflict['id']}", _has_sheet, 60)["sheets"][0]
    olga.post(f"/conflicts/{conflict['id']}/words", text="global5 is without power", how="I pulled both plugs")
    return str(sheet["facts_sha256"])


def _nobody_approves_alone(otto: Approver, pending: Any) -> None:
    path, digest = f"/forced-actions/{pending['id']}/decisions", pending["evidence_sha256"]
    status, said = otto.rest.refused(
        path, verdict="approve", digest=f"sha256:{digest}", second_factor=otto.authenticator.code()
    )
    assert (status, said["code"]) == (403, "self_approval"), said
    assert otto.rest.get(f"/forced-actions/{pending['id']}")["approvals"] == 0


def _nobody_approves_the_old(adam: Approver, pending: Any, old: str) -> None:
    assert old != pending["evidence_sha256"]
    path = f"/forced-actions/{pending['id']}/decisions"
    status, said = adam.rest.refused(path, verdict="approve", digest=f"sha256:{old}", second_factor="000000")
    assert (status, said["code"]) == (409, "evidence_changed"), said
    assert adam.rest.get(f"/forced-actions/{pending['id']}")["approvals"] == 0


def _difference_is_shown(window: Window, forced_action: str) -> None:
    window.sign_in()
    window.page.goto(f"/forced-actions/{forced_action}")
    expect(window.page.locator(".title-row")).to_contain_text("voided")
    row = window.page.locator("table.changes tr", has_text="owner hostid").first
    expect(row.locator("del")).to_have_text("86a91f05")
    expect(row.locator("ins")).to_have_text("87c45e27")
    window.picture("forced-action-voided")
