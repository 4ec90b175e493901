"""The `kzagent` command: enrol, init, rotate, run, check, guard, record."""

from __future__ import annotations

import argparse
import json
import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit
from uuid import UUID

from kernelzone import words
from kernelzone.envelope import raw_public_key
from kernelzone.facts import HeldBack
from kzagent import enrol_command, hosts_file, identity, record_command
from kzagent.assembly import assemble, hold_directory, open_hosts
from kzagent.errors import JournalError, LinkError, SetupError
from kzagent.guard import Guard, guard_hosts, would_boot
from kzagent.hosts_file import hosts_named
from kzagent.obligations import KeptObligations
from kzagent.stop import stop_agent
from kzagent.zones_at_work import ZonesAtWork

BROKERS: Final = ("redis", "rediss", "redis+socket")


def main(arguments: Sequence[str] | None = None) -> int:
    """Return the exit code of one command: 0 done, 1 refused with one sentence, 2 wrong usage."""
    parsed = _parser().parse_args(arguments)
    try:
        return int(parsed.command(parsed))
    except (SetupError, LinkError) as error:
        print(f"kzagent: {error}", file=sys.stderr)  # noqa: T201 - the command's answer
        return 1
    except KeyboardInterrupt:
        return 130


def init(parsed: argparse.Namespace) -> int:
    """Make a new agent in a directory and print who it is."""
    settings = identity.new_settings(
        deployment=parsed.deployment,
        url=parsed.url,
        broker=_broker(parsed.broker),
        authority_keys=parsed.authority_key,
        hosts=hosts_named(parsed),
        name=parsed.site,
    )
    hosts = sorted(open_hosts(settings, parsed.directory))
    key = identity.create(parsed.directory, settings)
    made: dict[str, object] = {"agent": str(settings.agent), "public_key": raw_public_key(key).hex(), "hosts": hosts}
    _print(made if parsed.json else _sentence(made))
    return 0


def set_broker(parsed: argparse.Namespace) -> int:
    """Write another broker's URL, or other credentials for it, into the agent's settings."""
    identity.replace_settings(parsed.directory, broker=_broker(parsed.broker))
    _print("the broker's URL is replaced; a running agent takes it up at its next start")
    return 0


def run(parsed: argparse.Namespace) -> int:
    """Recover from what a crash left, then work until told to stop."""
    # Celery takes a fifth of a second to import; the other commands do without.
    from kzagent.recovery import recover  # noqa: PLC0415
    from kzagent.worker import serve  # noqa: PLC0415

    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s", level=logging.INFO)
    logging.getLogger("celery").setLevel(logging.WARNING)
    held = hold_directory(parsed.directory)
    agent = assemble(parsed.directory)
    guard_hosts(agent.guard, agent.drivers.values())  # before anything else: a zone may be about to boot
    try:
        recover(agent)
    except JournalError as error:
        raise SetupError(f"the journal cannot be used, so nothing is run: {error}") from error
    logging.getLogger(__name__).info(
        "agent %s acts for %s (lock %d)", agent.settings.agent, ", ".join(sorted(agent.drivers)), held
    )
    return serve(agent)


def guard(parsed: argparse.Namespace) -> int:
    """Keep zones that other hosts have taken from booting; run once, before the host boots its zones.

    It needs neither site nor broker nor journal. 1 when a lost zone would still boot with its host.
    """
    settings = identity.load_settings(parsed.directory)
    keeper = Guard(KeptObligations(parsed.directory, settings), ZonesAtWork())
    drivers = open_hosts(settings, parsed.directory)
    is_safe = True
    for driver, held in guard_hosts(keeper, [drivers[owner_hostid] for owner_hostid in sorted(drivers)]):
        for line in _guard_lines(driver.owner_hostid, held):
            _print(line)
        is_safe = is_safe and not any(would_boot(one) for one in held or ())
    return 0 if is_safe else 1


def _guard_lines(owner_hostid: str, held: tuple[HeldBack, ...] | None) -> list[str]:
    if held is None:
        return [f"host {owner_hostid}: out of reach, nothing was guarded"]
    if not held:
        return [f"host {owner_hostid}: no zone is known to be another host's"]
    return [f"host {owner_hostid}: {_guard_line(one)}" for one in held]


def _guard_line(one: HeldBack) -> str:
    autoboot = "ON" if one.autoboot else "off"
    return f"{one.zone} is host {one.owner_hostid}'s (by {one.why}): {one.state} here, autoboot {autoboot}"


def check(parsed: argparse.Namespace) -> int:
    """Say what is missing on this machine before the agent can run. Nothing is changed."""
    from kzagent.readiness.command import check as look  # noqa: PLC0415 - redis takes a while to import

    return look(parsed)


def rotate(parsed: argparse.Namespace) -> int:
    """Take a new identity key; a running agent signs with it from its next report on."""
    from kzagent import rotating  # noqa: PLC0415 - HTTP and TLS take a while to import

    key = rotating.rotate(parsed.directory)
    _print(f"key {key} is this agent's from now on; the site believes the one before for a day")
    return 0


def stop(parsed: argparse.Namespace) -> int:
    """End the agent that runs from the directory; what it has begun on its hosts goes on."""
    _print("stopped" if stop_agent(parsed.directory) else "no agent runs from there")
    return 0


_COMMANDS = (
    ("rotate", rotate, "take a new identity key"),
    ("run", run, "run the agent"),
    ("check", check, "say what is missing on this machine, if anything"),
    ("stop", stop, "end the agent that runs; what it has begun on its hosts goes on"),
    ("guard", guard, "keep zones that other hosts have taken from booting"),
)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="kzagent", description="The agent of kernel-zone hosts.")
    names = "enrol | init | set-broker | rotate | run | check | stop | guard | record"
    commands = parser.add_subparsers(required=True, metavar=names)
    enrol_command.add(commands)
    record_command.add(commands)
    make = commands.add_parser("init", help="make a new agent that is made known by hand")
    make.add_argument("directory", type=Path, metavar="DIR")
    make.add_argument("--deployment", type=_uuid, required=True, help="the deployment's uuid")
    make.add_argument("--url", required=True, help="the site's address, https://...")
    make.add_argument("--broker", required=True, help="the broker's URL, or @FILE when it holds a password")
    make.add_argument("--authority-key", action="append", required=True, metavar="HEX", help="64 hex digits")
    hosts_file.add_options(make)
    make.add_argument("--site", default="", help="where it stands, for people")
    make.add_argument("--json", action="store_true", help="print JSON")
    make.set_defaults(command=init)
    broker = commands.add_parser("set-broker", help="give an agent another broker, or other credentials for it")
    broker.add_argument("directory", type=Path, metavar="DIR")
    broker.add_argument("broker", help="the broker's URL, or @FILE when it holds a password")
    broker.set_defaults(command=set_broker)
    for name, command, purpose in _COMMANDS:
        one = commands.add_parser(name, help=purpose)
        one.add_argument("directory", type=Path, metavar="DIR")
        one.set_defaults(command=command)
        if command is check:
            one.add_argument("--json", action="store_true", help="print JSON")
    return parser


def _uuid(text: str) -> UUID:
    try:
        return words.canonical_uuid(text)
    except words.WordError as error:
        raise argparse.ArgumentTypeError(error.message) from error


def _broker(text: str) -> str:
    """Return the broker's URL; one with a password comes from a file, for argument lists are public."""
    url = text
    if text.startswith("@"):
        try:
            url = Path(text[1:]).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise SetupError(f"{text[1:]} cannot be read") from error
    try:
        parts = urlsplit(url)
    except ValueError:
        parts = urlsplit("")  # not told on: it may hold a password
    if parts.scheme not in BROKERS:
        raise SetupError(f"a broker's URL begins with {', '.join(f'{scheme}://' for scheme in BROKERS)}")
    if url is text and parts.password:
        raise SetupError("a broker URL with a password is given as @FILE: argument lists are public")
    return url


def _sentence(made: dict[str, object]) -> str:
    return f"agent {made['agent']}\npublic key {made['public_key']}"


def _print(said: object) -> None:
    print(json.dumps(said) if isinstance(said, dict) else said)  # noqa: T201 - the command's answer


if __name__ == "__main__":
    sys.exit(main())
