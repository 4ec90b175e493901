"""`svccfg` and `svcadm` on a portable host, as far as evacuation targets need them.

Source: "Setting Evacuation Targets" of Solaris 11.4, and svccfg(8) for the form of `listprop`.
"""

from __future__ import annotations

import re
import sys
from typing import Final

from kernelzone import zoneadm
from kernelzone.portable import evacuation_targets
from kernelzone.portable.evacuation_targets import EVERY_ZONE
from kernelzone.portable.host import Host

PROPERTY: Final = "evacuation/target"
SVCCFG_USAGE: Final = f"""\
usage: svccfg -s {EVERY_ZONE}[:ZONE] setprop {PROPERTY}=ssh://host
       svccfg -s {EVERY_ZONE}[:ZONE] listprop [{PROPERTY}] | delprop {PROPERTY} | refresh
"""
SVCADM_USAGE: Final = f"usage: svcadm refresh {EVERY_ZONE}[:ZONE]\n"
_ASSIGNMENT: Final = re.compile(rf"{PROPERTY}\s*=\s*(?:astring:\s*)?\"?([^\s\"]+)\"?\Z")


def svccfg(host: Host, words: list[str]) -> int:
    """Run one command of svccfg and return its exit code: 0, 1 refused, 2 usage. Raises: WordError MIGRATE_TARGET."""
    if len(words) < 3 or words[0] != "-s":
        sys.stderr.write(SVCCFG_USAGE)
        return 2
    service, command, rest = words[1].removeprefix("svc:/"), words[2], words[3:]
    if not _is_known(host, service):
        return _no_service("svccfg", words[1])
    assignment = _ASSIGNMENT.match(" ".join(rest))
    if command == "setprop" and assignment:
        evacuation_targets.store(host.directory, service, zoneadm.migration_target(assignment[1]))
    elif command == "delprop" and rest == [PROPERTY]:
        evacuation_targets.store(host.directory, service, None)
    elif command == "refresh" and not rest:
        evacuation_targets.refresh(host.directory, service)
    elif command == "listprop" and rest in ([], [PROPERTY]):
        target = evacuation_targets.stored(host.directory).get(service)
        sys.stdout.write(f"{PROPERTY} astring     {target}\n" if target else "")
    else:
        sys.stderr.write(SVCCFG_USAGE)
        return 2
    return 0


def svcadm(host: Host, words: list[str]) -> int:
    """Run one command of svcadm and return its exit code: 0, 1 refused, 2 usage."""
    if len(words) != 2 or words[0] != "refresh":
        sys.stderr.write(SVCADM_USAGE)
        return 2
    service = words[1].removeprefix("svc:/")
    if not _is_known(host, service):
        return _no_service("svcadm", words[1])
    evacuation_targets.refresh(host.directory, service)
    return 0


def _is_known(host: Host, service: str) -> bool:
    return service == EVERY_ZONE or service in {f"{EVERY_ZONE}:{zone}" for zone in host.zones()}


def _no_service(command: str, service: str) -> int:
    sys.stderr.write(f"{command}: Pattern '{service}' doesn't match any instances or services\n")
    return 1
