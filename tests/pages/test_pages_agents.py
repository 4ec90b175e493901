"""The pages of agents: what waits for somebody is seen everywhere, and words are compared, not copied."""

from __future__ import annotations

import re
from typing import Any

import pytest
from enrolling_agent import NewAgent

from apps.fleet.agents import suspend_agent
from apps.fleet.joining import make_join_token
from apps.fleet.models import Agent, JoinToken
from apps.fleet.services import HostName
from kernelzone.fingerprint_words import WORDS

pytestmark = pytest.mark.django_db


@pytest.fixture
def pending(client: Any, ines: Any) -> NewAgent:
    """An agent that asks to speak for 848611d9, which people call new1."""
    agent = NewAgent(hosts=("848611d9",))
    agent.enrol(client, make_join_token([HostName("848611d9", "new1", "east")], actor=ines)[1])
    return agent


def test_a_join_token_is_shown_once_and_never_inside_the_command(browser_client, ines):
    browser = browser_client(ines)
    form = {"owner_hostid": " 848611D9 ", "hostname": "new1", "site": "", "rack": ""}
    shown = browser.post("/hosts/enrol", form).content.decode()
    (token,) = set(re.findall(r"kzj_[\w-]{43}", shown))
    (command,) = re.findall(r"kzagent enrol [^<]*", shown)
    assert token not in command
    assert JoinToken.objects.get().hosts[0]["owner_hostid"] == "848611d9"
    for address in ("/hosts/enrol", "/agents", "/history"):
        assert token not in browser.get(address).content.decode()
    assert "new1" in browser.get("/agents").content.decode()


def test_a_wrong_hostid_is_said_on_the_form_and_what_was_typed_stays(browser_client, ines):
    answer = browser_client(ines).post("/hosts/enrol", {"owner_hostid": "0x1", "hostname": "new1"})
    assert answer.status_code == 422
    assert 'value="new1"' in answer.content.decode()
    assert "exactly 8 hex digits" in answer.content.decode()


def test_a_pending_agent_is_seen_where_one_looks_and_its_words_are_nowhere(browser_client, vera, ines, pending):
    for user in (vera, ines):
        browser = browser_client(user)
        for address in ("/", "/agents", f"/agents/{pending.uuid}"):
            shown = browser.get(address).content.decode()
            assert "new1" in shown
            words = set(re.findall(r"[a-z]+", re.sub(r"<[^>]*>", " ", shown)))
            assert not set(pending.words.split()) <= words
        assert re.search(r'Agents<span class="count count-urgent">1', browser.get("/zones").content.decode())
    assert "Confirm agent" not in browser_client(vera).get(f"/agents/{pending.uuid}").content.decode()


def test_other_words_are_refused_on_the_page_and_the_right_ones_confirm(browser_client, ines, pending):
    browser = browser_client(ines)
    wrong = browser.post(f"/agents/{pending.uuid}/confirm", {"words": " ".join(WORDS[:6])})
    assert wrong.status_code == 409
    assert "not the six words" in wrong.content.decode()
    assert f'hx-get="/agents/{pending.uuid}"' in wrong.content.decode()
    right = browser.post(f"/agents/{pending.uuid}/confirm", {"words": pending.words}, follow=True)
    assert "is confirmed" in right.content.decode()
    assert Agent.objects.get().state == "trusted"
    assert "new1" in browser.get("/hosts").content.decode()


def test_a_suspended_agent_is_a_notice_with_its_reason(browser_client, vera, ines, pending):
    browser = browser_client(ines)
    browser.post(f"/agents/{pending.uuid}/confirm", {"words": pending.words})
    suspend_agent(pending.uuid, actor=ines, reason="Its machine was stolen <b>tonight</b>.")
    shown = browser_client(vera).get("/").content.decode()
    assert "Its machine was stolen &lt;b&gt;tonight&lt;/b&gt;." in shown
    assert "suspended" in browser.get("/hosts").content.decode()
    browser.post(f"/agents/{pending.uuid}/state", {"to": "revoke", "reason": "It does not come back."})
    assert Agent.objects.get().state == "revoked"


@pytest.mark.parametrize("to", ["", "confirm", "nonsense"])
def test_a_move_that_is_no_button_is_not_there(browser_client, ines, pending, to):
    answer = browser_client(ines).post(f"/agents/{pending.uuid}/state", {"to": to, "reason": "It is asked."})
    assert answer.status_code == 404
