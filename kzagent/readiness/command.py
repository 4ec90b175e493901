"""`kzagent check DIR`: every finding, one line each, and whether the agent could run."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from kernelzone.orders import Kind
from kzagent.clock import Clock
from kzagent.errors import SetupError
from kzagent.identity import SETTINGS_NAME, Settings, load_settings
from kzagent.readiness import broker, hosts, machine, site
from kzagent.readiness.findings import Finding, missing, ok


def check(parsed: argparse.Namespace) -> int:
    """Print what is there and what is missing; return 1 when something the agent needs is missing."""
    found: list[Finding] = []
    for finding in findings(parsed.directory):
        found.append(finding)
        if not parsed.json:
            print(finding.line(), flush=True)  # noqa: T201 - the command's answer
    in_the_way = [finding for finding in found if finding.is_in_the_way]
    if parsed.json:
        print(json.dumps({"can_run": not in_the_way, "findings": [asdict(finding) for finding in found]}))  # noqa: T201
    elif in_the_way:
        print(f"\nthe agent cannot do its work: {', '.join(finding.what for finding in in_the_way)}")  # noqa: T201
    return 1 if in_the_way else 0


def findings(directory: Path) -> Iterator[Finding]:
    """Yield every finding about the agent in `directory`, the quick ones first."""
    yield machine.python()
    if not directory.is_dir():
        yield missing("directory", f"{directory} is not there", "run 'kzagent enrol' or 'kzagent init' first")
        return
    yield from machine.files(directory)
    try:
        settings = load_settings(directory)
    except SetupError as error:
        yield missing("settings", str(error), "nothing that agent.json says can be looked at")
        return
    yield ok("settings", f"{SETTINGS_NAME}: agent {settings.agent}, {len(settings.hosts)} hosts{_refused(settings)}")
    yield machine.packages(settings)
    yield machine.journal(directory)
    yield machine.room(directory)
    yield from hosts.hosts(settings, directory)
    yield from broker.broker(settings)
    yield from site.site(settings, Clock())


def _refused(settings: Settings) -> str:
    """Return which kinds of orders the file refuses: one from before an update does not name the newer ones."""
    absent = [kind for kind in Kind if kind not in settings.kinds]
    return f"; its kinds refuse {', '.join(absent)}" if absent else ""
