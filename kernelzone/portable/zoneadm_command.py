"""`zoneadm` as a command on a portable host. Source: zoneadm(8) of Solaris 11.4; exit codes are illumos' 0, 1, 2."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from functools import partial
from typing import Final

from kernelzone.facts import Outcome
from kernelzone.portable import asking, listing, migrate_command, verbs
from kernelzone.portable.host import Host
from kernelzone.zoneadm import Extended

USAGE: Final = """\
usage: zoneadm -z zonename subcommand
       zoneadm [-z zonename] list [-c] [-i] [-p | -v] [-s]
subcommands:
       install
       clone [-m copy] source
       attach [-x force-takeover | -x initialize-hostdata]
       detach [-n] [-F]
       uninstall [-F]
       ready
       boot [-R] [-- [-s] [-m milestone=... | verbose | quiet | debug]]
       reboot
       halt
       shutdown [-r]
       suspend
       mark incomplete | unavailable
       migrate [-nqw] [-c cipher] [-t auto | live] [ssh|rads|radg]://[user@]host[:port]
       verify
       apply [-n]
       rename newname
"""

Run = Callable[[Host, str], Outcome]
# What is printed on success goes where it can be piped; what went wrong, or what to be warned of, to the other stream.
_TALKATIVE: Final = frozenset({"install", "clone", "detach", "apply"})
_MILESTONE: Final = re.compile(r"(milestone=[a-z][a-z-]{0,31}|verbose|quiet|debug)\Z")


class Usage(Exception):
    """Options that the subcommand does not have."""


def run(host: Host, words: list[str]) -> int:
    """Run one subcommand and return its exit code: 0, 1 refused or failed, 2 usage."""
    zone, rest = (words[1], words[2:]) if words[:1] == ["-z"] and len(words) > 1 else (None, words)
    try:
        if rest[:1] == ["list"]:
            return _list(host, zone, rest[1:])
        if rest[:1] == ["migrate"] and zone is not None:
            return migrate_command.run(host, zone, rest[1:], USAGE)
        if zone is None or not rest or rest[0] not in _SUBCOMMANDS:
            raise Usage
        return _ended(_SUBCOMMANDS[rest[0]](rest[1:])(host, zone))
    except Usage:
        sys.stderr.write(USAGE)
        return 2


def _ended(outcome: Outcome) -> int:
    text = "".join(f"{line}\n" for line in outcome.lines)
    (sys.stdout if outcome.is_done and outcome.verb in _TALKATIVE else sys.stderr).write(text)
    return 0 if outcome.is_done else 1


def _list(host: Host, zone: str | None, options: list[str]) -> int:
    letters = "".join(option[1:] for option in options if option.startswith("-"))
    is_known = all(option.startswith("-") and len(option) > 1 for option in options) and set(letters) <= set("cipvs")
    if not is_known or {"p", "v"} <= set(letters):
        raise Usage
    return listing.show(host, zone, letters)


def _plain(verb: Run) -> Callable[[list[str]], Run]:
    """Return the subcommand of a verb without options."""
    return lambda words: _one_of({(): verb}, words)


def _one_of(forms: dict[tuple[str, ...], Run], words: list[str]) -> Run:
    if tuple(words) not in forms:
        raise Usage
    return forms[tuple(words)]


def _clone(words: list[str]) -> Run:
    words = words[2:] if words[:2] == ["-m", "copy"] else words
    if words[:1] == ["-s"]:
        return unsupported("clone", "portable boot storage has no snapshots; without -s the zone is cloned as it is")
    if len(words) != 1 or words[0].startswith("-"):
        raise Usage
    return partial(verbs.clone, source=words[0])


def unsupported(verb: str, why: str) -> Run:
    """Return a verb that says why a portable kernel zone does not have what was asked for."""

    def refused(_host: Host, zone: str) -> Outcome:
        return Outcome(verb, False, 1, "UNSUPPORTED", (f"zoneadm: zone '{zone}': {why}",))

    return refused


def _attach(words: list[str]) -> Run:
    for option, why in _NOT_TO_ATTACH.items():
        if option in words[:1]:
            return unsupported("attach", why)
    forms: dict[tuple[str, ...], Run] = {(): verbs.attach}
    for how in Extended:
        forms["-x", str(how)] = partial(verbs.attach, extended=how)
    return _one_of(forms, words)


def _boot(words: list[str]) -> Run:
    for option in ("-w", "-W"):
        if option in words[:2]:
            return unsupported("boot", f"what {option} does is not published; it is not guessed here")
    before, options = _parted(words)
    if {"-L", "-Z"} & set(options[:1]):
        return unsupported("boot", "a portable guest has no boot environments to list or choose")
    _demand_boot_options(options)
    given = tuple(options)
    forms: dict[tuple[str, ...], Run] = {
        (): partial(verbs.boot, options=given),
        ("-R",): partial(verbs.boot, fresh=True, options=given),
    }
    return _one_of(forms, before)


def _parted(words: list[str]) -> tuple[list[str], list[str]]:
    """Return what stands before `--` and what stands behind it."""
    place = words.index("--") if "--" in words else len(words)
    return words[:place], words[place + 1 :]


def _demand_boot_options(options: list[str]) -> None:
    rest = list(options)
    while rest:
        option = rest.pop(0)
        is_milestone = option == "-m" and rest and _MILESTONE.match(rest.pop(0))
        if option != "-s" and not is_milestone:
            raise Usage


def _detach(words: list[str]) -> Run:
    # Source: opensvc calls `detach -F`; what it forces is not published. Here it is the same detach.
    return _one_of({(): verbs.detach, ("-F",): verbs.detach, ("-n",): verbs.check_detach}, words)


def _apply(words: list[str]) -> Run:
    return _one_of({(): verbs.apply, ("-n",): partial(verbs.apply, dry_run=True)}, words)


def _rename(words: list[str]) -> Run:
    if len(words) != 1:
        raise Usage
    return partial(verbs.rename, name=words[0])


def _savecore(_words: list[str]) -> Run:
    return unsupported("savecore", "a portable guest has no kernel memory to save")


def _shutdown(words: list[str]) -> Run:
    return _one_of({(): verbs.shutdown, ("-r",): partial(verbs.shutdown, restart=True)}, words)


def _mark(words: list[str]) -> Run:
    return _one_of({("incomplete",): verbs.mark_incomplete, ("unavailable",): verbs.mark_unavailable}, words)


def _uninstall(words: list[str]) -> Run:
    return _one_of({(): _uninstall_if_meant, ("-F",): verbs.uninstall}, words)


def _uninstall_if_meant(host: Host, zone: str) -> Outcome:
    answer = asking.yes(f"Are you sure you want to uninstall zone {zone} (y/[n])? ")
    if answer is None:
        text = f"zoneadm: zone '{zone}': Input not from terminal and -F not specified: uninstall not done."
        return Outcome("uninstall", False, 1, "CONFIRM", (text,))
    # Source: illumos zoneadm: whoever says no gets what was asked for, which is nothing.
    return verbs.uninstall(host, zone) if answer else Outcome("uninstall", True, 0, "NOT_DONE", ())


_NOT_TO_ATTACH: Final = {
    "-F": "attach -F does not check the zone, and takes nothing over; to take a zone over: attach -x force-takeover",
    "-u": "the software of a kernel zone is its own: there is nothing to update on attach",
    "-n": "a kernel zone has no manifest to test; what an attach would find is shown by: kz HOSTDIR read ZONE",
}
_SUBCOMMANDS: Final[dict[str, Callable[[list[str]], Run]]] = {
    "install": _plain(verbs.install),
    "clone": _clone,
    "attach": _attach,
    "detach": _detach,
    "uninstall": _uninstall,
    "ready": _plain(verbs.ready),
    "boot": _boot,
    "reboot": _plain(verbs.reboot),
    "halt": _plain(verbs.halt),
    "shutdown": _shutdown,
    "suspend": _plain(verbs.suspend),
    "mark": _mark,
    "verify": _plain(verbs.verify),
    "apply": _apply,
    "rename": _rename,
    "savecore": _savecore,
}
