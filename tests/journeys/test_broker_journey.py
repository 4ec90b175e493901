"""What somebody who has broken into the broker can do: nothing but delay."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from broker import Broker, body_of, order_in, with_body, with_order
from people import Rest
from running_site import Site, wait_for

pytestmark = pytest.mark.journey

AGENT, OTHER_AGENT = "agent-frankfurt", "agent-munich"
HOST, OWNER_HOSTID, ZONE, OTHER_ZONE = "global1", "83a0cc71", "kz-web01", "kz-app01"


@pytest.fixture
def broker(site: Site) -> Iterator[Broker]:
    found = Broker(site)
    yield found
    found.close()


def test_an_edited_order_is_refused_and_the_true_one_is_carried_out_later(
    site: Site, olga: Rest, broker: Broker
) -> None:
    dropped = site.said(AGENT).count("(SIGNATURE")
    with broker.frozen(AGENT):
        job = olga.run("halt", ZONE, OWNER_HOSTID)
        true = broker.take(AGENT, job)
        order = order_in(true)
        zone = {**order["zone"], "name": OTHER_ZONE, "uuid": None}
        edited = [
            with_order(true, zone=zone),
            with_order(true, kind="shutdown"),
            with_order(true, not_after=order["not_after"] + 3600),
            with_order(true, agent=broker.queue(OTHER_AGENT).removeprefix("agent.")),
            with_body(true, [["no envelope"], {}, {}]),
        ]
        broker.add(AGENT, *edited)
        broker.add(OTHER_AGENT, true, edited[3])
    wait_for(lambda: site.said(AGENT).count("(SIGNATURE") >= dropped + 4, 15, "four edited orders are not dropped")
    wait_for(lambda: "(AUDIENCE" in site.said(OTHER_AGENT), 10, "the other agent does not say it was for somebody else")
    assert site.said(AGENT).count(f"order {job}") == 0, "nothing was done about it"
    assert site.state_of(HOST, OTHER_ZONE) == "running"

    done = olga.job(job)
    assert (done["state"], done["sent_count"]) == ("done", 2), done
    assert site.state_of(HOST, ZONE) == "installed"
    assert site.state_of(HOST, OTHER_ZONE) == "running"


def test_of_a_message_only_the_signed_order_counts_and_it_is_run_once(site: Site, olga: Rest, broker: Broker) -> None:
    if site.state_of(HOST, ZONE) != "running":
        site.zoneadm(HOST, ZONE, "boot")
    with broker.frozen(AGENT):
        job = olga.run("halt", ZONE, OWNER_HOSTID)
        true = broker.take(AGENT, job)
        evil = {"task": "kzagent.run", "args": ["x"], "kwargs": {}, "options": {}, "subtask_type": None}
        headers = {"task": "celery.backend_cleanup", "eta": "2099-01-01T00:00:00+00:00", "retries": 9, "id": "x"}
        edited = with_body(true, [*body_of(true)[:2], {"callbacks": [evil], "errbacks": [evil], "chain": [evil]}])
        properties = {**true["properties"], "reply_to": "control", "priority": 9}
        broker.add(AGENT, {**edited, "headers": {**true["headers"], **headers}, "properties": properties})
    done = olga.job(job)
    assert (done["state"], done["sent_count"]) == ("done", 1), "it was the edited message that came"
    assert site.state_of(HOST, ZONE) == "installed"

    assert site.zoneadm(HOST, ZONE, "boot").returncode == 0
    broker.add(AGENT, true, true)
    broker.wait_until_empty(AGENT)
    time.sleep(2)  # whoever took them has begun, if anything is to begin
    assert site.state_of(HOST, ZONE) == "running", "an order that comes again is not run again"
    assert olga.get(f"/jobs/{job}") == done
