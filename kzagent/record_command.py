"""`kzagent record`: show what would be written about a host, and write it when a person says so."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from kernelzone import transcripts
from kernelzone.transcripts import Bundle, BundleError
from kernelzone.words import WordError, host_id
from kzagent import recording
from kzagent.drivers.solaris.local import LocalTransport
from kzagent.drivers.solaris.opening import open_transport
from kzagent.drivers.solaris.rad.client import RadClient
from kzagent.drivers.solaris.transport import Transport
from kzagent.errors import DriverError, SetupError
from kzagent.host_settings import SolarisSettings
from kzagent.identity import load_settings
from kzagent.rad_recording import record_rad
from kzagent.recording import Place

EXPECTED = "expected.json"


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `record` to the commands of `kzagent`."""
    one = commands.add_parser("record", help="record what a Solaris host's commands print, without secrets")
    one.add_argument("target", type=Path, metavar="DIR|FILE.tar", help="what to write; it must not be there yet")
    one.add_argument("--agent", type=Path, metavar="DIR", help="reach the host as this agent does; else this machine")
    one.add_argument("--host", metavar="HOSTID", help="which host of the agent, when it has several")
    one.add_argument("--commands", default="", metavar="DIR", help="where the commands are, on this machine")
    one.add_argument("--logs", default=recording.LOGS, metavar="DIR", help="where the logs are, on this machine")
    one.add_argument("--pseudonyms", action="store_true", help="replace hostnames, users and addresses")
    one.add_argument("--print", action="store_true", help="print every output as it would be written")
    one.add_argument("--yes", action="store_true", help="write without asking")
    one.add_argument("--as-fixture", type=Path, metavar="BUNDLE", help="make a fixture of a bundle instead")
    one.set_defaults(command=run)


def run(parsed: argparse.Namespace) -> int:
    """Record, show, ask and write; with `--as-fixture`, make a fixture of what was recorded elsewhere."""
    try:
        if parsed.as_fixture:
            return _as_fixture(parsed.as_fixture, parsed.target)
        if parsed.target.exists():
            raise SetupError(f"{parsed.target} is there already")
        if not parsed.target.absolute().parent.is_dir():
            raise SetupError(f"{parsed.target.parent} is no directory")
        bundle = _recorded(parsed)
        _say(_shown(bundle, with_texts=parsed.print))
        _check(bundle)
        if not parsed.yes and not _agreed(parsed.target):
            _say("nothing was written")
            return 1
        transcripts.write_bundle(bundle, parsed.target)
    except (BundleError, DriverError) as error:
        raise SetupError(str(error)) from error
    _say(f"written: {parsed.target} (only you may read it)")
    return 0


def _recorded(parsed: argparse.Namespace) -> Bundle:
    if parsed.agent is None:
        return _bundle(LocalTransport(), Place(parsed.commands, parsed.logs), parsed.pseudonyms)
    solaris = _host(parsed)
    if solaris.rad is not None:
        return record_rad(RadClient(solaris.rad), pseudonyms=parsed.pseudonyms)
    place = Place(solaris.commands, solaris.logs or recording.LOGS)
    return _bundle(open_transport(solaris), place, parsed.pseudonyms)


def _bundle(transport: Transport, place: Place, pseudonyms: bool) -> Bundle:
    bundle = recording.record(transport, place, pseudonyms=pseudonyms)
    if not any(one.exit_code == 0 for one in bundle.manifest.transcripts if one.kind == "list-cp"):
        raise SetupError("zoneadm list cannot be run: is this a Solaris host, and may you manage its zones?")
    return bundle


def _host(parsed: argparse.Namespace) -> SolarisSettings:
    """Return the settings of the host asked for. Raises: SetupError."""
    hosts = [host.solaris for host in load_settings(parsed.agent).hosts if host.solaris is not None]
    try:
        wanted = host_id(parsed.host) if parsed.host else None
    except WordError as error:
        raise SetupError(error.message) from error
    found = [host for host in hosts if wanted in (None, host.owner_hostid)]
    if len(found) != 1:
        raise SetupError("the agent has no such Solaris host" if not found else "say which host with --host HOSTID")
    return found[0]


def _check(bundle: Bundle) -> None:
    """Refuse a bundle in which anything still looks like a key: it is a fault of ours, and nothing is written."""
    left = transcripts.secrets_left(bundle)
    if left:
        raise BundleError(f"nothing was written: something in {', '.join(left)} still looks like a key")


def _shown(bundle: Bundle, *, with_texts: bool) -> str:
    """Return the manifest as a table, and the texts below it where they are wanted."""
    found = bundle.manifest
    lines = [f"release {found.release or 'unknown'}, {len(found.transcripts)} outputs, recorded by {found.product}"]
    for one in found.transcripts:
        ended = "not run" if one.exit_code is None else f"exit {one.exit_code}"
        blanked = f", {one.blanked} blanked" if one.blanked else ""
        lines.append(f"  {one.name:<36} {ended:>8} {one.bytes:>8} bytes{blanked}  {' '.join(one.command)}")
    lines.append("hostnames, users and addresses: " + ("replaced" if found.pseudonyms else "kept (--pseudonyms)"))
    lines.append("hostids, zone names, paths and ids of disks are kept; keys are not")
    if with_texts:
        lines += [f"\n----- {name}\n{text}" for name, text in sorted(bundle.texts.items())]
    return "\n".join(lines)


def _agreed(target: Path) -> bool:
    if not sys.stdin.isatty():
        raise SetupError("nobody is there to agree: look at what is shown, then run it again with --yes")
    return input(f"Write this to {target}? [y/N] ").strip().lower() in ("y", "yes")


def _as_fixture(source: Path, target: Path) -> int:
    """Write the bundle's files, and what our readers make of them now, to a new directory."""
    bundle = transcripts.read_bundle(source)
    _check(bundle)
    transcripts.write_bundle(bundle, target)
    found = transcripts.found_by_readers(bundle)
    (target / EXPECTED).write_text(json.dumps(found, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    _say(f"written: {target}; look through {target / EXPECTED}: the tests hold the readers to it from now on")
    return 0


def _say(text: str) -> None:
    print(text)  # noqa: T201 - the command's answer
