"""Zones: list them, show one, run a safe verb on one."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from kzfleet.cli import client, finding, jobs, show
from kzfleet.cli.client import Client, CliError
from kzfleet.cli.options import AsJson, NoWait, ZoneWord, group

zones = group("List the zones; 'zones show ZONE': one of them.")
VERDICTS = "free, ours, held-elsewhere, unreadable, contradictory, hidden or unknown"
VERBS = "attach, detach, ready, boot, halt, shutdown, suspend, mark-unavailable or disable-autoboot"


@zones.callback()
def list_zones(
    context: typer.Context,
    as_json: AsJson = False,
    verdict: Annotated[str | None, typer.Option(help=f"Only zones with this verdict: {VERDICTS}.")] = None,
) -> None:
    """List the zones; 'zones show ZONE': one of them."""
    if context.invoked_subcommand is not None:
        return
    site = client.from_environment()
    found = list(site.every("zones", **({"verdict": verdict} if verdict else {})))
    if as_json:
        show.as_json(found)
        return
    names = _hostnames(site)
    rows = ((row["name"], row["verdict"], _owner(row, names), show.age(row["verdict_at"]), row["id"]) for row in found)
    show.table(("ZONE", "VERDICT", "OWNER", "SINCE", "ID"), rows, empty="no zones")


@zones.command("show")
def show_zone(zone: ZoneWord, as_json: AsJson = False) -> None:
    """Show one zone: what readings prove, where it is configured, who read what and when."""
    site = client.from_environment()
    found = site.get(f"zones/{finding.zone(site, zone)['id']}")
    if as_json:
        show.as_json(found)
        return
    show.line(f"{found['name']}: {found['verdict']}", style="bold")
    show.line(f"owner {_owner(found, _hostnames(site))}; generation {found['high_water']} is the highest seen")
    show.line(f"zone {found['id']}, uuid in host data {show.plain(found['zone_uuid'])}")
    show.title("Where it is configured")
    headings = ("HOST", "NAME THERE", "STATE", "AUTOBOOT", "SINCE", "SEEN")
    show.table(headings, map(_placement, found["placements"]), empty="nowhere")
    show.title("What host data says")
    columns = ("READ BY", "READ", "STATUS", "GENERATION", "OWNER", "STATE", "WARNING", "DIGEST")
    show.table(columns, map(_sighting, found["sightings"]), empty="never read")


def run(
    verb: Annotated[str, typer.Argument(metavar="VERB", help=f"{VERBS}.")],
    zone: ZoneWord,
    host: Annotated[str, typer.Option("--on", metavar="HOST", help="The host that is to run it.")],
    as_json: AsJson = False,
    no_wait: NoWait = False,
) -> None:
    """Run a safe verb on a zone; the host checks host data again before it acts."""
    site = client.from_environment()
    body = {"verb": verb, "owner_hostid": finding.host(site, host)["owner_hostid"]}
    accepted = site.post(f"zones/{finding.zone(site, zone)['id']}/verbs", body)
    jobs.follow(site, accepted, as_json=as_json, no_wait=no_wait)


def _hostnames(site: Client) -> dict[str, str]:
    """Return hostnames by owner hostid; none for somebody who may not see hosts."""
    try:
        return {row["owner_hostid"]: row["hostname"] for row in site.every("hosts")}
    except CliError as error:
        if error.code != "not_allowed":
            raise
        return {}


def _owner(zone: dict[str, Any], names: dict[str, str]) -> str:
    owner_hostid = zone["owner_hostid"]
    if owner_hostid is None:
        return "-"
    return show.host({"hostname": names.get(owner_hostid, ""), "owner_hostid": owner_hostid})


def _placement(row: dict[str, Any]) -> tuple[Any, ...]:
    state = " ".join([row["state"], *row["auxiliary"]])
    autoboot = "on" if row["autoboot"] else "off"
    return show.host(row), row["name"], state, autoboot, show.age(row["state_since"]), show.age(row["last_seen_at"])


def _sighting(row: dict[str, Any]) -> tuple[Any, ...]:
    record = row["record"] or {}
    return (
        row["read_by"],
        show.age(row["confirmed_at"]),
        row["status"],
        row["generation"],
        row["owner_hostid"],
        record.get("state"),
        row["warning"],
        (row["raw_sha256"] or "")[:12],
    )
