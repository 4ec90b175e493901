"""Two new agents at once, with real transactions: for one join token, and for one host."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from django.db import connection
from enrolling_agent import NewAgent

from apps.base.errors import DomainError
from apps.fleet import enrolling, joining, services
from apps.fleet.enrolling import confirm_agent, enrol_agent
from apps.fleet.joining import MAX_GUESSES, count_guess, make_join_token
from apps.fleet.models import Agent, Host, JoinToken
from apps.fleet.services import HostName
from apps.history.models import Event

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True)]
HOST = HostName("848611d4", "global2")


def _at_once(*functions: Callable[[], Any]) -> list[str]:
    """Return what became of each function, begun at the same moment in its own thread: "done", or a refusal's code."""
    start = threading.Barrier(len(functions))
    found = ["" for _ in functions]

    def run(number: int, function: Callable[[], Any]) -> None:
        start.wait()
        try:
            function()
            found[number] = "done"
        except DomainError as refusal:
            found[number] = refusal.stable_code
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=one) for one in enumerate(functions)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    return sorted(found)


def _slowly(monkeypatch: pytest.MonkeyPatch, module: Any, name: str) -> None:
    """Before this step there is time for the other one."""
    step = getattr(module, name)

    def slow(*arguments: Any, **named: Any) -> Any:
        time.sleep(0.2)
        return step(*arguments, **named)

    monkeypatch.setattr(module, name, slow)


def test_of_two_agents_with_one_token_one_is_taken_in(ines, monkeypatch):
    _slowly(monkeypatch, enrolling, "_new_agent")
    token = make_join_token([HOST], actor=ines)[1]
    said = [NewAgent().said(token) for _ in range(2)]
    found = _at_once(*(partial(enrol_agent, **one) for one in said))
    assert found == ["done", "join_token"]
    assert (Agent.objects.count(), JoinToken.objects.get().agent_id) == (1, Agent.objects.get().pk)


def test_of_two_agents_for_one_host_one_is_confirmed(ines, monkeypatch):
    _slowly(monkeypatch, services, "_save_assigned")
    Host.objects.create(owner_hostid=HOST.owner_hostid)  # of an agent that was revoked, perhaps
    agents = [NewAgent(), NewAgent()]
    for agent in agents:
        enrol_agent(**agent.said(make_join_token([HOST], actor=ines)[1]))
    found = _at_once(*(partial(confirm_agent, one.uuid, actor=ines, words=one.words) for one in agents))
    assert found == ["agent_exists", "done"]
    assert Agent.objects.get(state="trusted").pk == Host.objects.get().agent_id
    assert Agent.objects.filter(state="pending").count() == 1


def test_an_agent_is_confirmed_once(ines, monkeypatch):
    _slowly(monkeypatch, enrolling, "move_agent")
    agent = NewAgent()
    enrol_agent(**agent.said(make_join_token([HOST], actor=ines)[1]))
    found = _at_once(*[lambda: confirm_agent(agent.uuid, actor=ines, words=agent.words)] * 2)
    assert found == ["done", "state"]
    assert Event.objects.filter(type="agent.confirm").count() == 1


def test_guesses_at_once_are_all_counted_and_one_alarm_is_given(db, monkeypatch):
    count_guess("192.0.2.1")
    found = _at_once(*[lambda: count_guess("192.0.2.1")] * MAX_GUESSES)
    assert found == ["done"] * MAX_GUESSES
    assert joining.JoinGuesses.objects.get().count == MAX_GUESSES + 1
    assert Event.objects.filter(type="join-token.guessing").count() == 1
