"""Hosts: list them, show one, have one inspected."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from kzfleet.cli import client, finding, jobs, show
from kzfleet.cli.options import AsJson, HostWord, NoWait, group

hosts = group("List the hosts; 'hosts show HOST': one of them.")


@hosts.callback()
def list_hosts(
    context: typer.Context,
    as_json: AsJson = False,
    silent: Annotated[bool, typer.Option("--silent", help="Only hosts nobody has spoken for of late.")] = False,
) -> None:
    """List the hosts; 'hosts show HOST': one of them."""
    if context.invoked_subcommand is not None:
        return
    found = list(client.from_environment().every("hosts", **({"silent": "true"} if silent else {})))
    if as_json:
        show.as_json(found)
    else:
        headings = ("HOST", "HOSTID", "SITE", "RACK", "HEARD FROM", "INSPECTED", "NOTE")
        show.table(headings, map(_row, found), empty="no hosts")


@hosts.command("show")
def show_host(host: HostWord, as_json: AsJson = False) -> None:
    """Show one host and the names it was seen under."""
    site = client.from_environment()
    found = site.get(f"hosts/{finding.host(site, host)['owner_hostid']}")
    if as_json:
        show.as_json(found)
        return
    show.line(show.host(found), style="bold")
    show.line(f"site {show.plain(found['site'])}, rack {show.plain(found['rack'])}")
    if note := _note(found):
        show.line(note)
    release, environment = show.plain(found["release"]), show.plain(found["boot_environment"])
    show.line(f"Solaris {release}, boot environment {environment} ({show.plain(found['boot_environment_uuid'])})")
    heard, inspected = show.age(found["last_heard_at"]), show.age(found["inspected_at"])
    show.line(f"heard from {heard}, inspected {inspected}; agent {show.plain(found['agent'])}")
    show.title("Seen as")
    headings = ("HOSTNAME", "BOOT ENVIRONMENT", "FIRST SEEN", "LAST SEEN")
    show.table(headings, map(_identity, found["identities"]), empty="never inspected")


def inspect(host: HostWord, as_json: AsJson = False, no_wait: NoWait = False) -> None:
    """Have a host look at all its zones now."""
    site = client.from_environment()
    accepted = site.post(f"hosts/{finding.host(site, host)['owner_hostid']}/inspect")
    jobs.follow(site, accepted, as_json=as_json, no_wait=no_wait)


def _row(host: dict[str, Any]) -> tuple[Any, ...]:
    return (
        host["hostname"],
        host["owner_hostid"],
        host["site"],
        host["rack"],
        show.age(host["last_heard_at"]),
        show.age(host["inspected_at"]),
        _note(host),
    )


def _note(host: dict[str, Any]) -> str:
    notes = []
    if host["maintenance_since"]:
        notes.append(f"in maintenance since {show.clock(host['maintenance_since'])}")
    if host["maintenance_on_host"]:
        notes.append(f"sysadm maintain: {host['maintenance_on_host']}")
    if host["agent"] is None:
        notes.append("no agent")
    elif host["is_silent"]:
        notes.append("silent: whether it runs is unknown")
    return "; ".join(notes)


def _identity(row: dict[str, Any]) -> tuple[Any, ...]:
    return row["hostname"], row["boot_environment"], show.clock(row["first_seen_at"]), show.clock(row["last_seen_at"])
