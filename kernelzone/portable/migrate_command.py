"""`zoneadm migrate` as a command on a portable host. Source: zoneadm(8) of Solaris 11.4."""

from __future__ import annotations

import getopt
import sys

from kernelzone.portable import verbs
from kernelzone.portable.host import Host
from kernelzone.portable.migrating import Options
from kernelzone.portable.migration_checks import CIPHERS


def run(host: Host, zone: str, words: list[str], usage: str) -> int:
    """Run one migration and return its exit code: 0, 1 refused or failed, 2 usage."""
    try:
        given, targets = getopt.getopt(words, "nqwc:t:")
        options = dict(given)
    except getopt.GetoptError:
        options, targets = {}, []
    if options.get("-c") == "list" and not targets:
        sys.stdout.write("".join(f"{cipher}\n" for cipher in CIPHERS))
        return 0
    # a dry run changes nothing, so it cannot overwrite a configuration either
    is_wrong = len(targets) != 1 or {"-n", "-w"} <= options.keys() or options.get("-t", "auto") not in ("auto", "live")
    if is_wrong:
        sys.stderr.write(usage)
        return 2
    return _migrate(host, zone, targets[0], options)


def _migrate(host: Host, zone: str, target: str, options: dict[str, str]) -> int:
    wanted = Options(
        dry_run="-n" in options,
        overwrite="-w" in options,
        live_only=options.get("-t") == "live",
        cipher=options.get("-c"),
    )
    shown: list[str] = []

    def show(line: str) -> None:
        shown.append(line)
        if "-q" not in options:
            sys.stdout.write(f"{line}\n")
            sys.stdout.flush()

    outcome = verbs.migrate(host, zone, target, wanted, say=show)
    sys.stderr.write("".join(f"{line}\n" for line in outcome.lines[len(shown) :]))
    return 0 if outcome.is_done else 1
