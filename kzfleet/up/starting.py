"""`make run`, step by step: look, prepare, start, say where, keep running, stop."""

import signal
import time
from pathlib import Path
from types import FrameType

from django.conf import settings
from django.core.management import call_command
from django.db import DatabaseError, connections

from kzfleet.places import embedded_broker_url
from kzfleet.up import preparation
from kzfleet.up.accounts import NO_SECRET, Account, demonstration_accounts
from kzfleet.up.broker import broker_answers, broker_plan
from kzfleet.up.demonstration import SITE_TIMES, fleet_directory, prepared_agents
from kzfleet.up.guests import READY
from kzfleet.up.look import answers
from kzfleet.up.plans import agent_plan, guests_plan, site_plans
from kzfleet.up.refusals import CannotStart
from kzfleet.up.supervisor import Supervisor, say

BROKER_WAIT_S = 10.0
WEB_WAIT_S = 60.0
FLEET_WAIT_S = 60.0


def up(*, port: int, empty: bool, verbose: bool) -> None:
    """Start everything and keep it running until asked to stop.

    Raises: CannotStart, with one sentence for the person at the terminal.
    """
    var: Path = settings.VAR_DIR
    preparation.make_writable(var)
    with preparation.the_only_one(var):
        preparation.refuse_taken_port(port)
        # SIGINT too: a shell that starts us in the background has it ignored.
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, _stop_asked)
        supervisor = Supervisor(var / "log", verbose=verbose)
        try:
            _start(supervisor, var, port=port, empty=empty)
            supervisor.run()
        except KeyboardInterrupt:
            say("\nstopping ...")
        finally:
            supervisor.stop()
        say("stopped; `make run` goes on where this left off")


def _start(supervisor: Supervisor, var: Path, *, port: int, empty: bool) -> None:
    began, base_url = time.monotonic(), f"http://127.0.0.1:{port}"
    if preparation.make_keys(var):
        say(f"keys made in {var / 'keys'}")
    _start_broker(supervisor, var)
    _migrate()
    accounts = demonstration_accounts(var)
    connections.close_all()
    for plan in site_plans(var, port=port, extra={} if empty else SITE_TIMES):
        supervisor.start(plan)
    if not empty:
        _start_fleet(supervisor, var, base_url)
    if not supervisor.run_until(lambda: answers(f"{base_url}/healthz"), timeout_s=WEB_WAIT_S):
        raise CannotStart(f"The web process did not answer within {WEB_WAIT_S:g} s: see {var / 'log' / 'web.log'}.")
    _say_accounts(accounts)
    say(f"ready after {time.monotonic() - began:.1f} s: {base_url}  (Ctrl-C stops everything)")


def _start_fleet(supervisor: Supervisor, var: Path, base_url: str) -> None:
    guests = supervisor.start(guests_plan(fleet_directory(var)))
    if not supervisor.run_until(lambda: READY in guests.last_lines, timeout_s=FLEET_WAIT_S):
        raise CannotStart(f"The demonstration fleet did not start within {FLEET_WAIT_S:g} s: see {guests.path}.")
    agents = prepared_agents(var, base_url=base_url)
    connections.close_all()
    for directory in agents:
        supervisor.start(agent_plan(directory))


def _start_broker(supervisor: Supervisor, var: Path) -> None:
    if embedded_broker_url(var) != settings.BROKER_URL:
        say("broker: the one named in BROKER_URL")
        return
    supervisor.start(broker_plan(var))
    if not supervisor.run_until(lambda: broker_answers(var), timeout_s=BROKER_WAIT_S):
        raise CannotStart(f"The broker did not answer within {BROKER_WAIT_S:g} s: see {var / 'log' / 'broker.log'}.")
    say("broker ready")


def _migrate() -> None:
    try:
        call_command("migrate", interactive=False, verbosity=0)
    except DatabaseError as failed:
        reason = str(failed).strip().splitlines()[0]
        raise CannotStart(f"The database cannot be prepared ({reason}): see DATABASE_URL.") from failed
    finally:
        connections.close_all()
    say("database ready")


def _say_accounts(accounts: list[Account]) -> None:
    say("\naccounts of this demonstration:")
    for account in accounts:
        code = "" if account.secret == NO_SECRET else f"  code: .venv/bin/python manage.py totp {account.name}"
        say(f"  {account.name:<6} {account.role:<14} {account.password}{code}")
    say("")


def _stop_asked(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
