"""`kzagent enrol`: the dialogue with the person who sits at the host."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from kernelzone.envelope import key_id
from kzagent import draft as drafts
from kzagent import hosts_file
from kzagent.assembly import hold_directory, open_hosts
from kzagent.errors import SetupError
from kzagent.hosts_file import hosts_named


def add(commands: Any) -> None:
    """Add `enrol` to the commands of a parser."""
    one = commands.add_parser("enrol", help="make a new agent and ask the site to take it in")
    one.add_argument("directory", type=Path, metavar="DIR")
    one.add_argument("--url", default="", help="the site's address, https://...")
    one.add_argument("--token", metavar="@FILE|-", help="the join token: in a file, or from standard input")
    hosts_file.add_options(one)
    one.add_argument("--site", default="", help="where it stands, for people")
    one.add_argument("--ca-file", default="", metavar="FILE", help="certificates to verify the site by")
    one.add_argument("--no-wait", action="store_true", help="do not wait for the confirmation")
    one.set_defaults(command=enrol)


def enrol(parsed: argparse.Namespace) -> int:
    """Ask the site to take this agent in, show six words, and wait until a person has compared them."""
    is_new = not drafts.has_draft(parsed.directory)
    if is_new:
        _begin(parsed)
    held = hold_directory(parsed.directory)
    try:
        return _enrol(parsed, is_new=is_new)
    finally:
        os.close(held)


def _enrol(parsed: argparse.Namespace, *, is_new: bool) -> int:
    from kzagent.enrolling import Enrolling, read_token  # noqa: PLC0415 - HTTP and TLS take a while to import

    enrolling = Enrolling.of(parsed.directory)
    _refuse_other_options(parsed, enrolling.draft)
    hosts = sorted(open_hosts(enrolling.draft, parsed.directory))
    if is_new or enrolling.standing() is None:
        if parsed.token is None:
            raise SetupError(
                "the site does not know this agent yet: give a join token with --token @FILE, or --token -"
            )
        enrolling.ask(read_token(parsed.token), hosts)
    _print(_words_shown(enrolling.draft, enrolling.words(), hosts))
    if parsed.no_wait:
        return 0
    settings = enrolling.wait(_print)
    keys = ", ".join(key_id(key) for key in settings.authority())
    _print(f"confirmed: orders are believed when key {keys} signed them\nrun it: kzagent run {parsed.directory}")
    return 0


def _begin(parsed: argparse.Namespace) -> None:
    if not parsed.url:
        raise SetupError("name the site with --url https://...")
    hosts = hosts_named(parsed)
    draft = drafts.new_draft(url=parsed.url, ca_file=parsed.ca_file, name=parsed.site, hosts=hosts)
    open_hosts(draft, parsed.directory)
    drafts.create(parsed.directory, draft)


def _refuse_other_options(parsed: argparse.Namespace, draft: drafts.Draft) -> None:
    """An enrolment that goes on keeps what it was begun with: its words were perhaps told to somebody."""
    same_url = parsed.url.rstrip("/") in ("", draft.url)
    same_ca = not parsed.ca_file or str(Path(parsed.ca_file).resolve()) == draft.ca_file
    same_hosts = not (parsed.host or parsed.hosts_file) or tuple(hosts_named(parsed)) == draft.hosts
    if not (same_url and same_ca and same_hosts):
        raise SetupError(
            f"an enrolment was begun in {parsed.directory} for another site, with another --ca-file or for other hosts:"
            " remove it first"
        )


def _words_shown(draft: drafts.Draft, six: Sequence[str], hosts: Sequence[str]) -> str:
    return (
        f"agent {draft.agent} for {', '.join(hosts)}\n\n    {' '.join(six)}\n\n"
        f"Tell these words to an administrator, who types them at {draft.url}/agents/{draft.agent}\n"
        "Ctrl-C only ends the waiting: the same command, without a token, goes on."
    )


def _print(said: str) -> None:
    print(said, flush=True)  # noqa: T201 - the command's answer
