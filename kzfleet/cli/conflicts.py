"""Conflicts: list them, show one whole, gather evidence, say what one knows, take or give up a safe door."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from kzfleet.cli import asking, client, finding, jobs, live, sheets, show
from kzfleet.cli.options import AsJson, ConflictWord, NoWait, Reason, ReasonFile, group

conflicts = group("List the open conflicts; 'conflicts show ZONE|ID': one of them.")
DoorWord = Annotated[str, typer.Argument(metavar="DOOR", help="A way out, as 'conflicts show' names it.")]
WINDOW_S = 60


@conflicts.callback()
def list_conflicts(
    context: typer.Context,
    as_json: AsJson = False,
    every: Annotated[bool, typer.Option("--all", help="Also conflicts that are resolved.")] = False,
) -> None:
    """List the open conflicts, the most severe first; 'conflicts show ZONE|ID': one of them."""
    if context.invoked_subcommand is not None:
        return
    found = list(client.from_environment().every("conflicts", **({} if every else {"open": "yes"})))
    if as_json:
        show.as_json(found)
    else:
        show.table(("ID", "SEVERITY", "ZONE", "KIND", "OPENED", "WHAT"), map(_row, found), empty="no conflicts")


@conflicts.command("show")
def show_conflict(conflict: ConflictWord, as_json: AsJson = False) -> None:
    """Show one conflict: what zoneadm says, who was asked and when, and every way out with its reason."""
    site = client.from_environment()
    found = site.get(f"conflicts/{finding.conflict(site, conflict)['id']}")
    if as_json:
        show.as_json(found)
    else:
        tell(found)


def acknowledge(conflict: ConflictWord, as_json: AsJson = False) -> None:
    """Say that somebody looks after a conflict."""
    site = client.from_environment()
    found = site.post(f"conflicts/{finding.conflict(site, conflict)['id']}/acknowledge")
    if as_json:
        show.as_json(found)
    else:
        show.line(f"acknowledged by {found['acknowledged_by']} {show.age(found['acknowledged_at'])}")


def evidence(
    conflict: ConflictWord,
    window_s: Annotated[int, typer.Option("--window", min=1, help="Watch boot storage so many seconds.")] = WINDOW_S,
    as_json: AsJson = False,
    no_wait: NoWait = False,
) -> None:
    """Gather evidence about a conflict now: ask every agent that can know, and watch boot storage for writes."""
    site = client.from_environment()
    found = finding.conflict(site, conflict)
    sheet = site.post(f"conflicts/{found['id']}/evidence", {"window_s": window_s})
    if no_wait:
        show.as_json(sheet) if as_json else sheets.tell(sheet)
        return
    sheet = live.sheet(site, found["id"], sheet["id"], quiet=as_json)
    if as_json:
        show.as_json(sheet)
    else:
        show.line(f"complete; 'kzfleet conflicts show {show.short(found['id'])}' shows what it opens and shuts")
        show.line(f"digest {sheet['facts_sha256']}")


def say(
    conflict: ConflictWord,
    text: Annotated[str, typer.Argument(help="What you assert about the owner, as in 'I pulled the plug'.")],
    how: Annotated[str, typer.Option("--how", help="How you know it.")],
    as_json: AsJson = False,
) -> None:
    """Put your word about the owner on record: it is kept as asserted, with your name, never as proved."""
    site = client.from_environment()
    found = site.post(f"conflicts/{finding.conflict(site, conflict)['id']}/words", {"text": text, "how": how})
    if as_json:
        show.as_json(found)
    else:
        show.line(f"on record as asserted about {found['owner_hostid']}, {show.clock(found['said_at'])}")


def waive(
    conflict: ConflictWord,
    door: DoorWord,
    reason: Reason = None,
    reason_file: ReasonFile = None,
    as_json: AsJson = False,
) -> None:
    """Give up one safe way out of a conflict, saying why."""
    site = client.from_environment()
    path = f"conflicts/{finding.conflict(site, conflict)['id']}/waivers"
    found = site.post(path, {"door": door, "reason": asking.reason(reason, reason_file)})
    if as_json:
        show.as_json(found)
    else:
        show.line(f"{found['door']} is waived")


def take(conflict: ConflictWord, door: DoorWord, as_json: AsJson = False, no_wait: NoWait = False) -> None:
    """Take a safe way out of a conflict: its first job; the next follows by itself."""
    site = client.from_environment()
    accepted = site.post(f"conflicts/{finding.conflict(site, conflict)['id']}/doors", {"door": door})
    jobs.follow(site, accepted, as_json=as_json, no_wait=no_wait)


def tell(found: dict[str, Any]) -> None:
    """Print one conflict, whole."""
    show.line(f"{found['zone']['name']}: {found['kind']} ({found['severity']})", style="bold")
    show.line(found["sentence"])
    show.line(f"conflict {found['id']}; {_course(found)}")
    if found["message"]:
        show.title(f"What zoneadm says on {show.host(found['host'])}")
        show.block(found["message"].rstrip("\n"), indent="")
    if found["obligations"]:
        show.title("Lost by force, to be confirmed by the host that lost it")
        show.table(("LOST BY", "TAKEN BY", "SINCE", "CONFIRMED"), map(_obligation, found["obligations"]), empty="")
    show.title("Evidence")
    if found["sheets"]:
        sheets.tell(found["sheets"][0])
    else:
        show.line(f"none was gathered yet; 'kzfleet evidence {show.short(found['id'])}' does")
    show.title("Ways out, the safest first")
    for door in found["doors"]:
        _tell_door(door)


def _obligation(row: dict[str, Any]) -> tuple[Any, ...]:
    confirmed = f"{show.age(row['met_at'])}: {row['met_how']}" if row["met_at"] else "not yet"
    return row["owner_hostid"], row["new_owner_hostid"], show.age(row["opened_at"]), confirmed


def _tell_door(door: dict[str, Any]) -> None:
    notes = "forced: others must approve it" if door["is_forced"] else "by hand" if door["is_taken_by_hand"] else ""
    if door["job"]:
        notes = f"job {show.short(door['job'])}"
    show.line(f"  {door['state']:7} {door['door']}" + (f" ({notes})" if notes else ""))
    show.block(door["reason"], indent=" " * 10)


def _course(found: dict[str, Any]) -> str:
    told = f"opened {show.age(found['opened_at'])}, last seen {show.age(found['last_seen_at'])}"
    if found["acknowledged_by"]:
        told += f", acknowledged by {found['acknowledged_by']}"
    if found["resolved_at"]:
        told += f", resolved {show.age(found['resolved_at'])}: {found['resolved_how']}"
    return told


def _row(found: dict[str, Any]) -> tuple[Any, ...]:
    opened = "resolved" if found["resolved_at"] else show.age(found["opened_at"])
    what = (show.short(found["id"]), found["severity"], found["zone"]["name"], found["kind"], opened)
    return (*what, found["sentence"])
