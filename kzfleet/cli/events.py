"""The history: events in the order of their numbers, from any number on, and as they come."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from typing import Annotated, Any

import typer

from kzfleet.cli import client, live, show
from kzfleet.cli.client import PAGE_SIZE, Client

JsonLines = Annotated[bool, typer.Option("--json", help="One JSON object a line, for programs.")]


def events(
    after: Annotated[int, typer.Option(min=0, help="Only events with a higher number.")] = 0,
    kind: Annotated[str | None, typer.Option("--type", help="Only of this type, as in forced-action.approve.")] = None,
    subject: Annotated[str | None, typer.Option(metavar="KIND:ID", help="Only about this, as in zone:ID.")] = None,
    follow: Annotated[bool, typer.Option("--follow", help="Go on with the events to come, until Ctrl-C.")] = False,
    as_json: JsonLines = False,
) -> None:
    """Print the history, oldest first."""
    site = client.from_environment()
    wanted = {name: value for name, value in (("type", kind), ("subject", subject)) if value}
    for event in _events(site, after, wanted, follow=follow):
        if as_json:
            show.json_line(event)
        else:
            show.line(_told(event))


def _events(site: Client, after: int, wanted: dict[str, str], *, follow: bool) -> Iterator[dict[str, Any]]:
    patience, more = live.Patience(), True
    with live.Teller() as teller:
        while more or follow:
            if not more:
                patience.pause()
            ask = partial(site.get, "events", after=str(after), page_size=str(PAGE_SIZE), **wanted)
            page = patience.read(ask, teller) if follow else ask()
            yield from page["results"]
            after, more = page["after"], page["more"]


def _told(event: dict[str, Any]) -> str:
    record = event["record"]
    subject, actor = record["subject"], record["actor"]
    data = json.dumps(record["data"], ensure_ascii=False, separators=(", ", ": ")) if record["data"] else ""
    told = f"{event['seq']:>6} {show.clock(event['recorded_at'])} {event['type']} by {actor['name'] or actor['id']}"
    return f"{told}, {subject['kind']} {subject['id']}" + (f": {data}" if data else "")
