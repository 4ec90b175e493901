"""Zones that go to another host: one of them, or all that a host has."""

from __future__ import annotations

from typing import Annotated

import typer

from kzfleet.cli import client, finding, jobs
from kzfleet.cli.client import REFUSED, CliError
from kzfleet.cli.options import AsJson, HostWord, NoWait, ZoneWord

DryRun = Annotated[bool, typer.Option("--dry-run", "-n", help="Find out whether it could be done; nothing changes.")]


def migrate(  # noqa: PLR0913 - one argument for each option of the command
    zone: ZoneWord,
    target: Annotated[str, typer.Argument(metavar="HOST", help="The host it goes to.")],
    *,
    source: Annotated[str | None, typer.Option("--from", help="The host it is on; else the one that owns it.")] = None,
    dry_run: DryRun = False,
    live_only: Annotated[bool, typer.Option("--live-only", help="Only if the zone runs.")] = False,
    as_json: AsJson = False,
    no_wait: NoWait = False,
) -> None:
    """Migrate a zone to another host: live if it runs. Both hosts check that it can be done."""
    site = client.from_environment()
    found = finding.zone(site, zone)
    owner_hostid = finding.host(site, source)["owner_hostid"] if source else found["owner_hostid"]
    if owner_hostid is None:
        raise CliError(f"which host has {found['name']} is not known", "Name it with --from.", exit_code=REFUSED)
    body = {
        "owner_hostid": owner_hostid,
        "target_hostid": finding.host(site, target)["owner_hostid"],
        "dry_run": dry_run,
        "live_only": live_only,
    }
    accepted = site.post(f"zones/{found['id']}/migrations", body)
    jobs.follow(site, accepted, as_json=as_json, no_wait=no_wait)


def evacuate(
    host: HostWord,
    dry_run: DryRun = False,
    every_zone: Annotated[bool, typer.Option("--all", "-a", help="Also zones that do not run.")] = False,
    is_return: Annotated[bool, typer.Option("--return", "-r", help="Bring back what went away.")] = False,
    as_json: AsJson = False,
    no_wait: NoWait = False,
) -> None:
    """Send the zones of a host to their evacuation targets, or bring them back."""
    site = client.from_environment()
    body = {
        "owner_hostid": finding.host(site, host)["owner_hostid"],
        "dry_run": dry_run,
        "every_zone": every_zone,
        "is_return": is_return,
    }
    jobs.follow(site, site.post("evacuations", body), as_json=as_json, no_wait=no_wait)
