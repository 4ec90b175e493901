"""The `kzfleet` command: its verbs, and how it ends."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import typer

from kzfleet.cli import agents, client, conflicts, events, fleet, forced_actions, jobs, moves, show, zones
from kzfleet.cli.client import UNREACHABLE, CliError
from kzfleet.cli.options import AsJson

ABOUT = """What the pages of kzfleet do, from a terminal.

KZFLEET_URL is the site's address (http://127.0.0.1:8000). The token is in KZFLEET_TOKEN, or in
~/.config/kzfleet/token, which nobody else may read.

Ids may be shortened to their beginning or end where one thing is meant. Exit status: 0 done, 1 the site said no
or it ended otherwise, 2 the command was not used rightly, 3 the site could not be asked.
"""
EPILOG = "docs/command-line.md tells the story of one takeover in these commands."

app = typer.Typer(
    help=ABOUT, epilog=EPILOG, no_args_is_help=True, rich_markup_mode=None, pretty_exceptions_enable=False
)
GROUPS = (
    ("hosts", "host", fleet.hosts),
    ("agents", "agent", agents.agents),
    ("zones", "zone", zones.zones),
    ("conflicts", "conflict", conflicts.conflicts),
    ("forced-actions", "forced-action", forced_actions.forced_actions),
    ("jobs", "job", jobs.jobs),
)
for plural, singular, found in GROUPS:
    app.add_typer(found, name=plural)
    app.add_typer(found, name=singular, hidden=True)
for verb in (
    fleet.inspect,
    zones.run,
    moves.migrate,
    moves.evacuate,
    conflicts.evidence,
    conflicts.say,
    conflicts.acknowledge,
    conflicts.take,
    conflicts.waive,
    forced_actions.request,
    forced_actions.approve,
    forced_actions.deny,
    forced_actions.cancel,
    forced_actions.watch,
    events.events,
    agents.confirm,
    agents.reject,
    agents.suspend,
    agents.resume,
    agents.revoke,
):
    app.command()(verb)
app.command("enrol-token")(agents.enrol_token)
app.command("comment")(forced_actions.comment_on)


@app.command()
def me(as_json: AsJson = False) -> None:
    """Show who you are to the site, and what you may do."""
    found = client.from_environment().get("users/me")
    if as_json:
        show.as_json(found)
        return
    show.line(f"{found['name']}: {', '.join(found['roles']) or 'no role'}", style="bold")
    show.line(f"second factor: {'enrolled' if found['second_factor'] else 'none'}")
    show.line(f"may: {', '.join(found['permissions']) or 'nothing'}")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command and leave with its exit status. A terminal that lacks a character shows `?` for it."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    command = typer.main.get_command(app)
    try:
        command.main(args=None if arguments is None else list(arguments), prog_name="kzfleet")
    except CliError as error:
        show.refusal(error)
        sys.exit(error.exit_code)
    except (KeyError, TypeError, ValueError) as error:
        hint = "It may be newer or older than this command."
        answer = f"the site's answer is not understood ({type(error).__name__}: {error})"
        show.refusal(CliError(answer, hint))
        sys.exit(UNREACHABLE)
