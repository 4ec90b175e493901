"""Jobs: list them, show one, follow one to its end."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from kzfleet.cli import client, finding, live, show
from kzfleet.cli.client import REFUSED, Client
from kzfleet.cli.options import AsJson, JobWord, group

jobs = group("List the jobs, newest first; 'jobs show ID': one of them.")
LIST_LIMIT = 50


@jobs.callback()
def list_jobs(
    context: typer.Context,
    as_json: AsJson = False,
    state: Annotated[str | None, typer.Option(help="Only jobs in this state, as in running or done.")] = None,
    host: Annotated[str | None, typer.Option(help="Only jobs of this host.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = LIST_LIMIT,
) -> None:
    """List the jobs somebody wanted, newest first; 'jobs show ID': one of them."""
    if context.invoked_subcommand is not None:
        return
    site = client.from_environment()
    wanted = {"state": state, "owner_hostid": finding.host(site, host)["owner_hostid"] if host else None}
    rows = site.every("jobs", **{name: value for name, value in wanted.items() if value})
    found = [row for row, _ in zip(rows, range(limit), strict=False)]
    if as_json:
        show.as_json(found)
    else:
        show.table(("ID", "JOB", "ZONE", "HOST", "STATE", "BY", "MADE"), map(_row, found), empty="no jobs")


@jobs.command("show")
def show_job(job: JobWord, as_json: AsJson = False) -> None:
    """Show one job with its output."""
    site = client.from_environment()
    found = site.get(f"jobs/{finding.job(site, job)['id']}")
    if as_json:
        show.as_json(found)
        return
    show.line(f"{found['kind']} of {show.plain(found['zone_name'])} on {_host(found)}: {found['state']}", style="bold")
    show.line(f"job {found['id']}, asked for by {found['requested_by'] or 'the site'} {show.age(found['created_at'])}")
    for name in ("signed", "sent", "started", "finished"):
        if found[f"{name}_at"]:
            show.line(f"{name} {show.clock(found[f'{name}_at'])}")
    for line in found["lines"]:
        show.line(f"  | {show.plain(line['text'])}")


def follow(site: Client, accepted: dict[str, Any], *, as_json: bool, no_wait: bool) -> None:
    """Follow the job that was accepted to its end, or only tell it. Raises: typer.Exit when it did not end as done."""
    if no_wait:
        show.as_json(accepted) if as_json else tell_accepted(accepted["job"])
        return
    end(live.job(site, accepted["job"], quiet=as_json), as_json=as_json)


def tell_accepted(job_id: str) -> None:
    """Say that a job was made, and how to follow it."""
    show.line(f"job {job_id}; follow it with 'kzfleet watch {show.short(job_id)}'")


def end(found: dict[str, Any], *, as_json: bool) -> None:
    """Tell what was followed to its end. Raises: typer.Exit with 1 unless it is done."""
    if as_json:
        show.as_json(found)
    if found["state"] != live.DONE:
        raise typer.Exit(REFUSED)


def _row(job: dict[str, Any]) -> tuple[Any, ...]:
    code = f" ({job['code']})" if job["code"] and job["code"] != "DONE" else ""
    return (
        show.short(job["id"]),
        job["kind"],
        job["zone_name"],
        job["hostname"] or job["owner_hostid"],
        f"{job['state']}{code}",
        job["requested_by"],
        show.age(job["created_at"]),
    )


def _host(job: dict[str, Any]) -> str:
    return show.host({"hostname": job["hostname"], "owner_hostid": job["owner_hostid"]})
