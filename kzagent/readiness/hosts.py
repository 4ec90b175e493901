"""The hosts: opened, reached, asked; and for the machine itself the commands and the rights to run them."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from kernelzone.words import shown
from kzagent.assembly import open_hosts
from kzagent.drivers import ZoneDriver
from kzagent.drivers.solaris.local import ENVIRONMENT
from kzagent.errors import DriverError, SetupError
from kzagent.host_settings import SolarisSettings, Way
from kzagent.identity import Settings
from kzagent.readiness.findings import Finding, missing, ok, unknown

SBIN: Final = ("zoneadm", "zonecfg", "suriadm", "svccfg", "svcadm", "beadm")
BIN: Final = ("pfexec", "hostid", "uname", "kstat", "date", "ps")
ANSWER_WITHIN_S: Final = 20
# What the rights profile of docs/agents/solaris-rights.md grants.
AUTHORIZATIONS: Final = ("solaris.zone.manage", "solaris.zone.config")
EVERY_ZONE: Final = "*"
MIGRATION: Final = "solaris.zone.migrate"


def hosts(settings: Settings, directory: Path) -> Iterator[Finding]:
    """Yield what each host says, and what this machine lacks to ask it."""
    for host in settings.hosts:
        if host.solaris is not None and host.solaris.way is Way.LOCAL:
            yield _commands(host.solaris)
            yield _rights(host.solaris)
    try:
        drivers = open_hosts(settings, directory)
    except SetupError as error:
        yield missing("hosts", str(error), "look at hosts in agent.json")
        return
    for _, driver in sorted(drivers.items()):
        yield _host(driver)


def _host(driver: ZoneDriver) -> Finding:
    what = f"host {driver.owner_hostid}"
    if not driver.is_reachable():
        return unknown(what, f"out of reach{_reason(driver)}: the agent keeps silent about it")
    try:
        facts, placements = driver.host(), driver.placements()
    except DriverError as error:
        return missing(what, str(error), _to_do(error))
    if facts.owner_hostid != driver.owner_hostid:
        return missing(what, f"it says it is {facts.owner_hostid}", "agent.json names another hostid than it has")
    return ok(what, f"{shown(facts.hostname)} answers, {len(placements)} zones")


def _reason(driver: ZoneDriver) -> str:
    """Return why a host is out of reach, in brackets, where its driver says more than that."""
    try:
        driver.host()
    except DriverError as error:
        return f" ({error.message})"
    return ""


def _to_do(error: DriverError) -> str:
    if error.code == "NO_COMMAND":
        return "is this a Solaris host with kernel zones? agent.json may name the directory of its commands"
    return "run 'pfexec zoneadm list -cp' there as the agent's user; the rights profile may be missing"


def _commands(solaris: SolarisSettings) -> Finding:
    paths = [Path(solaris.commands or "/usr/sbin") / name for name in SBIN]
    paths += [Path(solaris.commands or "/usr/bin") / name for name in BIN]
    absent = [str(path) for path in paths if not os.access(path, os.X_OK)]
    if absent:
        to_do = "install system/zones/brand/brand-solaris-kz, or let another agent reach this host by ssh"
        return missing("commands", f"not there: {', '.join(absent)}", to_do)
    return ok("commands", f"{len(paths)} in {paths[0].parent} and {paths[-1].parent}")


def _rights(solaris: SolarisSettings) -> Finding:
    if os.geteuid() == 0:
        return ok("rights", "root; a user of its own with the rights profile would do")
    held = _authorizations(Path(solaris.commands or "/usr/bin") / "auths")
    if held is None:
        return unknown("rights", "'auths' could not be asked", "compare docs/agents/solaris-rights.md by hand")
    absent = [wanted for wanted in AUTHORIZATIONS if not zones_covered(wanted, held)]
    if absent:
        return missing("rights", f"not authorized: {', '.join(absent)}", "assign the profile 'Kernel Zone Agent'")
    limited = [zones for zones in (zones_covered(wanted, held) for wanted in AUTHORIZATIONS) if EVERY_ZONE not in zones]
    only = ", ".join(sorted(set.intersection(*limited))) or "no zone" if limited else ""
    found = f"authorized for {only} alone" if limited else "authorized for every zone"
    return ok("rights", found if zones_covered(MIGRATION, held) else f"{found}, without {MIGRATION}: it cannot migrate")


def _authorizations(command: Path) -> list[str] | None:
    """Return what `auths` prints for this user, None when it could not be asked. Source: auths(1)."""
    try:
        done = subprocess.run(  # noqa: S603 - a vector, no shell
            [str(command)], env=ENVIRONMENT, capture_output=True, text=True, timeout=ANSWER_WITHIN_S, check=True
        )
    except (OSError, subprocess.SubprocessError, UnicodeDecodeError):
        return None
    return [word for word in done.stdout.replace(",", " ").split() if word.startswith("solaris.")]


def zones_covered(wanted: str, held: list[str]) -> set[str]:
    """Return the zones for which one of the authorizations `held` grants `wanted`; EVERY_ZONE among them for all.

    Source: auth_attr(5) for the trailing `.*`; kernel-zones.md part 7 for `solaris.zone.manage/zone`.
    """
    everywhere = any(one == wanted or (one.endswith(".*") and wanted.startswith(one[:-1])) for one in held)
    own = {one.partition("/")[2] for one in held if one.startswith(f"{wanted}/")}
    return {EVERY_ZONE} if everywhere else own
