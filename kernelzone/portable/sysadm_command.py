"""`sysadm` as a command on a portable host. Source: sysadm(8) of Solaris 11.4 and its printed examples.

`-e` for the end of a maintenance is not in a source that we have seen.
"""

from __future__ import annotations

import getopt
import sys
import time
from typing import Final

from kernelzone.portable import evacuating, maintenance
from kernelzone.portable.evacuating import Wishes
from kernelzone.portable.host import Host

USAGE: Final = """\
usage: sysadm maintain -s -m message | -e | -l [-p -o TYPE,USER,DATE,MESSAGE]
       sysadm evacuate [-anqrvw] | -l
"""
_COLUMNS: Final = ("TYPE", "USER", "DATE", "MESSAGE")
_HEAD: Final = "TYPE   USER     DATE               MESSAGE"
_HEAD_EVACUATION: Final = "ZONENAME         STATE     DEST                                     ERROR"
# what is told without -v
_IN_SHORT: Final = ("preparing ", "evacuating ", "returning ", "evacuation ", "return ", "dry-run ")


class Usage(Exception):
    """Options that the subcommand does not have."""


def run(host: Host, words: list[str]) -> int:
    """Run one subcommand and return its exit code: 0, 1 refused or failed, 2 usage."""
    try:
        if words[:1] == ["maintain"]:
            return _maintain(host, words[1:])
        if words[:1] == ["evacuate"]:
            return _evacuate(host, words[1:])
    except (Usage, getopt.GetoptError):
        pass
    sys.stderr.write(USAGE)
    return 2


def _maintain(host: Host, words: list[str]) -> int:
    given, rest = getopt.getopt(words, "selpm:o:")
    options = dict(given)
    actions = options.keys() & {"-s", "-e", "-l"}
    if rest or len(actions) != 1 or ("-m" in options) != ("-s" in options) or ("-p" in options) != ("-o" in options):
        raise Usage
    if "-l" in options:
        return _show_maintenance(host, options.get("-o"))
    if "-o" in options:
        raise Usage
    if "-s" in options:
        maintenance.start(host.directory, options["-m"])
        evacuating.forget(host.directory)  # Source: sysadm(8): starting maintenance clears evacuation state
        return 0
    if not maintenance.end(host.directory):
        sys.stderr.write("sysadm:   no active maintenance\n")
        return 1
    return 0


def _show_maintenance(host: Host, columns: str | None) -> int:
    found = maintenance.current(host.directory)
    if columns is None:
        sys.stdout.write(f"{_HEAD}\n")
    wanted = columns.split(",") if columns else []
    if not set(wanted) <= set(_COLUMNS):
        raise Usage
    if found is None:
        return 0
    date = time.strftime("%Y-%m-%d %H:%M", time.gmtime(found.since))
    values = dict(zip(_COLUMNS, ("admin", found.user, date, found.message), strict=True))
    if columns is None:
        sys.stdout.write(f"{values['TYPE']:<6} {values['USER']:<8} {values['DATE']:<18} {values['MESSAGE']}\n")
    else:
        sys.stdout.write(":".join(values[name].replace(":", "\\:") for name in wanted) + "\n")
    return 0


def _evacuate(host: Host, words: list[str]) -> int:
    given, rest = getopt.getopt(words, "anqrvwl")
    letters = {name[1] for name, _ in given}
    if rest or {"n", "w"} <= letters or {"q", "v"} <= letters or ("l" in letters and len(letters) > 1):
        raise Usage
    if "l" in letters:
        return _show_evacuation(host)

    def show(line: str) -> None:
        if "q" not in letters and ("v" in letters or line.removeprefix("sysadm: ").startswith(_IN_SHORT)):
            sys.stdout.write(f"{line}\n")
            sys.stdout.flush()

    wishes = Wishes(
        dry_run="n" in letters, every_zone="a" in letters, is_return="r" in letters, overwrite="w" in letters
    )
    ended = evacuating.evacuate(host, wishes, say=show)
    if not ended.outcome.is_done and "v" not in letters:
        wrong = [f"sysadm: {one.zone}: {one.error}\n" for one in ended.zones if one.error]
        sys.stderr.write("".join(wrong) or f"{ended.outcome.lines[-1]}\n")
    return 0 if ended.outcome.is_done else 1


def _show_evacuation(host: Host) -> int:
    found = evacuating.kept(host.directory)
    if not found:
        sys.stdout.write("sysadm:   no active evacuation\n")
        return 0
    rows = [f"{one.zone:<16} {one.fate:<9} {one.target or '-':<40} {one.error}".rstrip() for one in found]
    sys.stdout.write("".join(f"{row}\n" for row in (_HEAD_EVACUATION, *rows)))
    return 0
