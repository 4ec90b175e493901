"""Forced actions: list, show as the letter they are, request, decide, take back, comment."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from kzfleet.cli import asking, client, finding, jobs, letter, live, show
from kzfleet.cli.client import REFUSED, Client, CliError
from kzfleet.cli.options import ActionWord, AsJson, Reason, ReasonFile, Timeout, group

forced_actions = group("List the open forced actions; 'forced-actions show ID': one of them.")
KIND = "force-takeover"
Comment = Annotated[str | None, typer.Option("--comment", help="Why; shown to everybody who reads the request.")]


@forced_actions.callback()
def list_forced_actions(
    context: typer.Context,
    as_json: AsJson = False,
    every: Annotated[bool, typer.Option("--all", help="Also those that have ended.")] = False,
) -> None:
    """List the open forced actions, newest first; 'forced-actions show ID': one of them."""
    if context.invoked_subcommand is not None:
        return
    rows = client.from_environment().every("forced-actions")
    found = [row for row in rows if every or row["ended_at"] is None]
    if as_json:
        show.as_json(found)
    else:
        headings = ("ID", "WHAT", "ZONE", "TO", "STATE", "APPROVALS", "BY", "ASKED", "EXPIRES")
        show.table(headings, map(_row, found), empty="no forced actions")


@forced_actions.command("show")
def show_forced_action(action: ActionWord, as_json: AsJson = False) -> None:
    """Show one forced action: the request, its evidence and digest, decisions, differences, order and outcome."""
    site = client.from_environment()
    found = _whole(site, finding.forced_action(site, action))
    if as_json:
        show.as_json(found)
    else:
        letter.tell(found)


def request(  # noqa: PLR0913, PLR0917 - each is an option a person sees
    conflict: Annotated[str, typer.Argument(metavar="ZONE|CONFLICT", help="A zone's name or id, or a conflict's id.")],
    kind: Annotated[str, typer.Option("--kind", help="force-takeover or initialize-hostdata.")] = KIND,
    target: Annotated[str | None, typer.Option("--target", metavar="HOST", help="Who is to have the zone.")] = None,
    reason: Reason = None,
    reason_file: ReasonFile = None,
    ticket: Annotated[str, typer.Option("--ticket", help="The ticket this belongs to.")] = "",
    confirm_zone: Annotated[str | None, typer.Option("--confirm-zone", help="The zone's name, typed.")] = None,
    confirm_loser: Annotated[str | None, typer.Option("--confirm-loser", help="The loser's hostid, typed.")] = None,
    as_json: AsJson = False,
) -> None:
    """Request a forced action: others must approve it. The zone's name and the loser's hostid are typed by hand."""
    site = client.from_environment()
    body = _reference(site, conflict, quiet=as_json)
    body |= {"kind": kind, "ticket": ticket}
    if target:
        body["target"] = finding.host(site, target)["owner_hostid"]
    body["reason"] = asking.reason(reason, reason_file)
    body["typed_zone_name"] = asking.typed("Type the name of the zone", confirm_zone, "--confirm-zone")
    question = "Type the hostid of the host that loses it (nothing if host data names none)"
    body["typed_loser_hostid"] = asking.typed(question, confirm_loser, "--confirm-loser")
    found = site.post("forced-actions", body)
    if as_json:
        show.as_json(found)
        return
    show.line(f"requested: {found['id']}, {found['state']}; it runs, once approved, on {show.host(found['target'])}:")
    show.line(f"  {found['command']}")
    show.line(f"Its evidence is being gathered. Follow it with 'kzfleet watch {show.short(found['id'])}'")


def approve(
    action: ActionWord,
    comment: Comment = None,
    digest: Annotated[
        str | None, typer.Option("--digest", help="The digest you were shown; then nothing is asked.")
    ] = None,
    code_stdin: Annotated[bool, typer.Option("--code-stdin", help="Read the code from standard input.")] = False,
    as_json: AsJson = False,
) -> None:
    """Approve a forced action on exactly the evidence that is shown, with a code of your second factor."""
    site = client.from_environment()
    found = _whole(site, finding.forced_action(site, action))
    if not as_json:
        letter.tell(found)
        show.line("")
    if digest is None:
        digest = _agreed(found)
    code = asking.second_factor(from_stdin=code_stdin)
    body = {"verdict": "approve", "digest": digest, "second_factor": code, "reason": comment or ""}
    _tell_decided(site.post(f"forced-actions/{found['id']}/decisions", body), as_json=as_json)


def deny(action: ActionWord, comment: Comment = None, as_json: AsJson = False) -> None:
    """Deny a forced action: one no ends it, until the host has begun."""
    site = client.from_environment()
    found = _whole(site, finding.forced_action(site, action))
    if not as_json:
        letter.tell(found)
        show.line("")
    body = {"verdict": "deny", "reason": asking.typed("Why not", comment, "--comment")}
    _tell_decided(site.post(f"forced-actions/{found['id']}/decisions", body), as_json=as_json)


def comment_on(action: ActionWord, text: Annotated[str, typer.Argument(help="Plain text.")]) -> None:
    """Add a comment to a forced action."""
    site = client.from_environment()
    found = finding.forced_action(site, action)
    site.post(f"forced-actions/{found['id']}/comments", {"text": text})
    show.line(f"commented on {found['id']}")


def cancel(
    work: Annotated[str, typer.Argument(metavar="ID|ZONE", help="Your forced action, or a job.")],
    as_json: AsJson = False,
) -> None:
    """Take back a forced action you requested, or a job."""
    site = client.from_environment()
    path, found = finding.work(site, work)
    after = site.post(f"{path}/{found['id']}/cancel")
    if as_json:
        show.as_json(after)
    else:
        show.line(f"{after['kind']} {after['id']}: {after['state']}")


def watch(
    work: Annotated[str, typer.Argument(metavar="ID|ZONE", help="A forced action or a job.")],
    timeout_s: Timeout = None,
    as_json: AsJson = False,
) -> None:
    """Follow a forced action or a job until it has ended; succeed only if it is done."""
    site = client.from_environment()
    path, found = finding.work(site, work)
    follow = live.job if path == "jobs" else live.forced_action
    jobs.end(follow(site, found["id"], timeout_s=timeout_s, quiet=as_json), as_json=as_json)


def _whole(site: Client, row: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = site.get(f"forced-actions/{row['id']}")
    return found


def _reference(site: Client, text: str, *, quiet: bool) -> dict[str, Any]:
    """Return what the request is about, shown first: a zone, whose fitting conflict the site chooses, or a conflict."""
    try:
        zone = finding.zone(site, text)
    except CliError as error:
        if error.code != "not_found":
            raise
        about = [finding.conflict(site, text)]
        body = {"conflict": about[0]["id"]}
    else:
        about = list(site.every("conflicts", zone=zone["id"], open="yes"))
        body = {"zone": zone["id"]}
    for row in about if not quiet else ():
        show.line(f"{row['zone']['name']}: {row['sentence']}")
    return body


def _agreed(found: dict[str, Any]) -> str:
    """Return the digest that was shown, once the person agreed to it."""
    digest: str | None = found["evidence_sha256"]
    if digest is None:
        raise CliError("its evidence is not complete yet", "Watch it, and approve once it is pending.", REFUSED)
    if not asking.at_terminal():
        raise CliError("there is no terminal to ask at", "Say what you were shown: --digest.")
    asking.agree("Approve exactly this?")
    return digest


def _tell_decided(found: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        show.as_json(found)
    else:
        show.line(f"{found['state']}: {found['approvals']} of {found['approvals_needed']} approvals")


def _row(action: dict[str, Any]) -> tuple[Any, ...]:
    return (
        show.short(action["id"]),
        action["kind"],
        action["zone"]["name"],
        show.host(action["target"]),
        action["state"],
        f"{action['approvals']} of {action['approvals_needed']}",
        action["requested_by"],
        show.age(action["requested_at"]),
        show.age(action["expires_at"]) if action["ended_at"] is None else "",
    )
