"""The arguments and options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

AsJson = Annotated[bool, typer.Option("--json", help="Print what the site answers, for programs.")]
NoWait = Annotated[bool, typer.Option("--no-wait", help="Do not follow it until it has ended.")]
ZoneWord = Annotated[str, typer.Argument(metavar="ZONE", help="A zone's name or id.")]
ConflictWord = Annotated[
    str, typer.Argument(metavar="ZONE|ID", help="The zone that has the conflict, or the conflict's id.")
]
ActionWord = Annotated[str, typer.Argument(metavar="ID|ZONE", help="A forced action's id, or its zone's name.")]
JobWord = Annotated[str, typer.Argument(metavar="ID", help="A job's id.")]
HostWord = Annotated[str, typer.Argument(metavar="HOST", help="A hostname or owner hostid.")]
Reason = Annotated[str | None, typer.Option("--reason", help="Why: at least 20 characters. Asked for when left out.")]
ReasonFile = Annotated[Path | None, typer.Option("--reason-file", help="A file with the reason; - is standard input.")]
Timeout = Annotated[float | None, typer.Option("--timeout", min=0, help="Stop watching after so many seconds.")]


def group(text: str) -> typer.Typer:
    """Return a group of commands that does something by itself: it lists."""
    return typer.Typer(help=text, invoke_without_command=True, no_args_is_help=False, rich_markup_mode=None)
