"""The command `kzfleet` in this process, speaking to the real site through its WSGI door."""

from __future__ import annotations

import getpass
import io
import json
import logging
import sys
from collections.abc import Callable
from typing import Any, NamedTuple

import httpx
import pytest
import typer
from django.core.signals import request_finished, request_started
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections
from fake_agent import Fleet
from fleet_fixtures import later

from apps.accounts.tokens import create_token
from apps.forced_actions.models import ForcedAction
from kzfleet.cli import client, live
from kzfleet.cli.main import main

__all__ = ["later"]

REASON = "global2 lost its power supply at 02:10 and does not come back before noon."


class Ended(NamedTuple):
    """How a command ended, and what it said."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


class Typed(io.TextIOWrapper):
    """A standard input with `text` in it. `is_terminal`: whether somebody seems to sit there."""

    is_terminal = False

    def isatty(self) -> bool:
        return self.is_terminal


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: Any) -> Callable[..., Ended]:
    """Return a function (*arguments, stdin="") that runs the command with the environment as it is."""

    def run(*arguments: str, stdin: str | bytes = "") -> Ended:
        content = stdin if isinstance(stdin, bytes) else stdin.encode()
        monkeypatch.setattr(sys, "stdin", Typed(io.BytesIO(content)))
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        said = capsys.readouterr()
        return Ended(int(ended.value.code or 0), said.out, said.err)

    return run


class Door(httpx.WSGITransport):
    """The site within this process, in the transaction of the test: no request ends the connection."""

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        signals = (request_started, request_finished)
        for signal in signals:
            signal.disconnect(close_old_connections)
        try:
            response = super().handle_request(request)
            response.read()
        finally:
            for signal in signals:
                signal.connect(close_old_connections)
        return response


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch, db: None) -> None:
    """Commands reach the site of this test."""
    door = Door(app=get_wsgi_application())
    monkeypatch.setattr(client, "transport", lambda: door)
    monkeypatch.delenv("KZFLEET_URL", raising=False)
    # the site's settings, which a command does not have, would let httpx tell of every request
    logging.getLogger("httpx").setLevel(logging.WARNING)
    monkeypatch.setattr(live, "sleep", lambda seconds: pytest.fail("this command was not expected to wait"))


@pytest.fixture
def kzfleet(command: Any, site: None, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Ended]:
    """Return a function (user, *arguments, stdin="") that runs the command as this user."""
    tokens: dict[Any, str] = {}

    def run(user: Any, *arguments: str, stdin: str | bytes = "") -> Ended:
        if user.pk not in tokens:
            tokens[user.pk] = create_token(user, name="of the command line")[1]
        monkeypatch.setenv("KZFLEET_TOKEN", tokens[user.pk])
        return command(*arguments, stdin=stdin)

    return run


@pytest.fixture
def fleet(db: None) -> Fleet:
    """Three hosts, their agent and a signer; global2 holds kzone1 and is dead."""
    fleet = Fleet()
    fleet.begin()
    return fleet


@pytest.fixture
def fleet_works(fleet: Fleet, site: None, later: Any, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """While a command waits, signer, agent and control work and 5 s pass; the list has an entry per wait."""
    waits: list[int] = []

    def work(seconds: float) -> None:
        waits.append(len(waits))
        assert len(waits) < 100, "the command waits for what never comes"
        fleet.turn()
        later(seconds=5)

    monkeypatch.setattr(live, "sleep", work)
    return waits


@pytest.fixture
def request_takeover(kzfleet: Any, fleet: Fleet) -> Callable[..., Ended]:
    """Return a function (user, *more) that requests the takeover of kzone1 without a terminal."""

    def ask(user: Any, *more: str) -> Ended:
        confirmed = ("--confirm-zone", "kzone1", "--confirm-loser", "848611d4")
        return kzfleet(user, "request", "kzone1", "--reason", REASON, *confirmed, *more)

    return ask


class Cast(NamedTuple):
    """Olga asks, Adam and Ada approve; all three are there before anything is requested."""

    olga: Any
    adam: Any
    ada: Any


@pytest.fixture
def people(olga: Any, adam: Any, ada: Any) -> Cast:
    """Who the story needs."""
    return Cast(olga, adam, ada)


@pytest.fixture
def frozen(fleet_works: list[int], request_takeover: Any, people: Cast) -> ForcedAction:
    """Olga's request for kzone1, its evidence complete."""
    asked = request_takeover(people.olga)
    assert asked.status == 0, asked.err
    action = ForcedAction.objects.get()
    while action.state == "observing":
        live.sleep(live.POLL_S)
        action.refresh_from_db()
    assert action.state == "pending", action.why_text
    return action


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """Return a function (*answers) after which somebody at a terminal answers so; it returns what was asked."""

    def give(*said: str) -> list[str]:
        waiting, asked = list(said), []

        def answer(question: str, **rest: Any) -> str:
            asked.append(question)
            return waiting.pop(0)

        monkeypatch.setattr(Typed, "is_terminal", True)
        monkeypatch.setattr(typer, "prompt", answer)
        monkeypatch.setattr(typer, "confirm", lambda question, **rest: answer(question) == "y")
        monkeypatch.setattr(getpass, "getpass", lambda question: answer(f"{question}(unseen)"))
        return asked

    return give
