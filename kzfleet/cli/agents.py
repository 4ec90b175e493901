"""Agents: list them, show one, take a new one in, decide about one."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from kzfleet.cli import asking, client, finding, show
from kzfleet.cli.client import MISUSED, Client, CliError
from kzfleet.cli.options import AsJson, Reason, ReasonFile, group

AgentWord = Annotated[str, typer.Argument(metavar="AGENT", help="An agent's name or id.")]
_HOST_FIELDS: Final = ("owner_hostid", "hostname", "site", "rack")

agents = group("List the agents, those that wait for somebody first; 'agents show AGENT': one of them.")


@agents.callback()
def list_agents(context: typer.Context, as_json: AsJson = False) -> None:
    """List the agents, those that wait for somebody first; 'agents show AGENT': one of them."""
    if context.invoked_subcommand is not None:
        return
    found = list(client.from_environment().every("agents"))
    if as_json:
        show.as_json(found)
        return
    first = sorted(found, key=lambda row: (row["state"] not in ("pending", "suspended"), row["name"]))
    headings = ("AGENT", "NAME", "STATE", "HOSTS", "LAST REPORT", "KEY")
    show.table(headings, map(_row, first), empty="no agents")


@agents.command("show")
def show_agent(agent: AgentWord, as_json: AsJson = False) -> None:
    """Show one agent: its state, its keys, its hosts."""
    _tell(_agent(client.from_environment(), agent), as_json=as_json)


def enrol_token(
    hosts: Annotated[list[str], typer.Argument(metavar="HOSTID[:HOSTNAME[:SITE[:RACK]]]...")],
    out: Annotated[Path | None, typer.Option(help="Write the token to a new file that only you may read.")] = None,
    as_json: AsJson = False,
) -> None:
    """Make a join token for one new agent of these hosts; it is shown once and ends in 15 minutes."""
    wanted = [_host(text) for text in hosts]
    if out is not None and os.path.lexists(out):
        raise CliError(f"{out} is there already: a secret is never overwritten", "Name another file.", MISUSED)
    made = client.from_environment().post("join-tokens", {"hosts": wanted})
    token = made["token"]
    if out is not None:
        _write(out, token)
        made.pop("token")
    if as_json:
        show.as_json(made)
    else:
        show.line(token if out is None else f"the join token is in {out}", style="bold")
        given = "-" if out is None else f"@{out.name}"
        show.line(f"on the host: kzagent enrol DIRECTORY --url SITE --token {given} --hosts-file FILE")


def confirm(
    agent: AgentWord,
    words: Annotated[str | None, typer.Option(help="The six words, as the host's terminal shows them.")] = None,
    as_json: AsJson = False,
) -> None:
    """Believe a new agent, once you typed the six words that stand on its host's own terminal."""
    site = client.from_environment()
    found = _agent(site, agent)
    if words is None:
        wanted = ", ".join(_named(host) for host in found["hosts_wanted"]) or "no host"
        show.line(f"agent {found['name']} ({found['id']}) asks to speak for {wanted}")
    typed = asking.typed("The six words on the host's terminal", words, "--words")
    _tell(site.post(f"agents/{found['id']}/confirm", {"words": typed}), as_json=as_json)


def reject(agent: AgentWord, as_json: AsJson = False) -> None:
    """Refuse a new agent for ever."""
    site = client.from_environment()
    _tell(site.post(f"agents/{_agent(site, agent)['id']}/reject"), as_json=as_json)


def suspend(agent: AgentWord, reason: Reason = None, reason_file: ReasonFile = None, as_json: AsJson = False) -> None:
    """Believe an agent no more for now."""
    _change(agent, "suspend", asking.reason(reason, reason_file), as_json=as_json)


def resume(agent: AgentWord, reason: Reason = None, reason_file: ReasonFile = None, as_json: AsJson = False) -> None:
    """Believe a suspended agent again."""
    _change(agent, "resume", asking.reason(reason, reason_file), as_json=as_json)


def revoke(agent: AgentWord, reason: Reason = None, reason_file: ReasonFile = None, as_json: AsJson = False) -> None:
    """Never believe an agent again; its hosts are enrolled anew."""
    _change(agent, "revoke", asking.reason(reason, reason_file), as_json=as_json)


def _change(agent: str, verb: str, reason: str, *, as_json: bool) -> None:
    site = client.from_environment()
    _tell(site.post(f"agents/{_agent(site, agent)['id']}/{verb}", {"reason": reason}), as_json=as_json)


def _agent(site: Client, text: str) -> dict[str, Any]:
    """Return the agent with this name or id. Raises: CliError."""
    return finding.pick(text, site.every("agents"), "agent", lambda row: [row["name"]], _short)


def _tell(found: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        show.as_json(found)
        return
    show.line(f"agent {found['name']} ({found['id']}): {found['state']}", style="bold")
    if found["state_reason"]:
        show.line(found["state_reason"])
    wanted = ", ".join(_named(host) for host in found["hosts_wanted"])
    show.line(f"asks to speak for {wanted}" if wanted else f"speaks for {', '.join(found['hosts']) or 'no host'}")
    show.line(f"key {found['key_id']} since {show.clock(found['key_since'])}")
    if found["old_key_until"]:
        show.line(f"the key before is believed until {show.clock(found['old_key_until'])}")
    show.line(f"last report {show.age(found['last_report_at'])}, number {found['last_seq']}")


def _row(agent: dict[str, Any]) -> tuple[Any, ...]:
    wanted = [host["owner_hostid"] for host in agent["hosts_wanted"]]
    hosts = ", ".join(agent["hosts"] or [f"{owner_hostid} (asked)" for owner_hostid in wanted])
    last = show.age(agent["last_report_at"])
    return show.short(agent["id"]), agent["name"], agent["state"], hosts, last, agent["key_id"]


def _short(agent: dict[str, Any]) -> str:
    return f"{agent['id']} ({agent['name']}, {agent['state']})"


def _named(host: dict[str, str]) -> str:
    return f"{host['hostname'] or '?'} ({host['owner_hostid']})"


def _host(text: str) -> dict[str, str]:
    parts = text.split(":")
    if len(parts) > len(_HOST_FIELDS):
        raise CliError("a host is written HOSTID:HOSTNAME:SITE:RACK, with at most three colons", exit_code=MISUSED)
    return dict(zip(_HOST_FIELDS, parts, strict=False))


def _write(path: Path, token: str) -> None:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(token + "\n")
    except OSError as error:
        hint = "Withdraw the token that was made, name another file, and make a new one."
        raise CliError(f"{path} cannot be written: {error.strerror}", hint, MISUSED) from None
