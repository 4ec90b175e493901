"""What a person types by hand: names, a yes, a reason, a code. A secret is never shown and never an argument."""

from __future__ import annotations

import getpass
import sys
from pathlib import Path
from typing import Final

import typer

from kzfleet.cli.client import MISUSED, REFUSED, CliError

# A reason has at most 4096 bytes; the site says so. This only keeps a wrong file out.
FILE_LIMIT_BYTES: Final = 64 * 1024


def at_terminal() -> bool:
    """Return whether there is somebody to ask."""
    return sys.stdin.isatty()


def typed(question: str, given: str | None, option: str) -> str:
    """Return what was given by `option`, else what is typed now. Raises: CliError without a terminal."""
    if given is not None:
        return given
    if not at_terminal():
        raise CliError(f"{option} is missing, and there is no terminal to ask at", f"Give it by {option}.", MISUSED)
    answer: str = typer.prompt(question, default="", show_default=False)
    return answer.strip()


def reason(given: str | None, file: Path | None) -> str:
    """Return the reason as it was given, read from `file` ("-": standard input) or typed. Raises: CliError."""
    if given is not None and file is not None:
        raise CliError("the reason is given twice", "Give either --reason or --reason-file.", MISUSED)
    return _content(file) if file is not None else typed("Reason", given, "--reason")


def second_factor(*, from_stdin: bool) -> str:
    """Return the code of the second factor, from standard input or typed unseen. Raises: CliError."""
    if from_stdin:
        return sys.stdin.readline(64).strip()
    if not at_terminal():
        raise CliError("there is no terminal to ask for the code at", "Send it to --code-stdin.", MISUSED)
    # not typer.prompt: it asks before it stops the echo, so that a quick answer is shown, and lost
    return getpass.getpass("Code of your second factor: ").strip()


def agree(question: str) -> None:
    """Return when the person says yes. Raises: CliError for anything else."""
    if not typer.confirm(question, default=False):
        raise CliError("nothing was decided", "", REFUSED)


def _content(file: Path) -> str:
    try:
        content = _bytes(file)
    except OSError as error:
        raise CliError(f"{file} cannot be read: {error.strerror}", "Name a readable file.", MISUSED) from None
    if len(content) > FILE_LIMIT_BYTES:
        raise CliError(f"{file} is too long for a reason", "Shorten it to 4096 bytes.", MISUSED)
    try:
        return content.decode()
    except UnicodeDecodeError:
        raise CliError(f"{file} is not UTF-8 text", "Save it as UTF-8.", MISUSED) from None


def _bytes(file: Path) -> bytes:
    if str(file) == "-":
        return sys.stdin.buffer.read(FILE_LIMIT_BYTES + 1)
    with file.open("rb") as opened:
        return opened.read(FILE_LIMIT_BYTES + 1)
