"""`zoneadm` as a command on a portable host. Source: zoneadm(8) of Solaris 11.4; exit codes are illumos' 0, 1, 2."""

from __future__ import annotations

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
       detach
       uninstall [-F]
       ready
       boot [-R]
       reboot
       halt
       shutdown [-r]
       suspend
       mark incomplete | unavailable
       migrate [-nqw] [-c cipher] [-t auto | live] [ssh|rads|radg]://[user@]host[:port]
"""

Run = Callable[[Host, str], Outcome]
# What is printed on success goes where it can be piped; what went wrong, or what to be warned of, to the other stream.
_TALKATIVE: Final = frozenset({"install", "clone"})


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
    forms: dict[tuple[str, ...], Run] = {(): verbs.attach}
    for how in Extended:
        forms["-x", str(how)] = partial(verbs.attach, extended=how)
    return _one_of(forms, words)


def _boot(words: list[str]) -> Run:
    return _one_of({(): verbs.boot, ("-R",): partial(verbs.boot, fresh=True)}, words)


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


_SUBCOMMANDS: Final[dict[str, Callable[[list[str]], Run]]] = {
    "install": _plain(verbs.install),
    "clone": _clone,
    "attach": _attach,
    "detach": _plain(verbs.detach),
    "uninstall": _uninstall,
    "ready": _plain(verbs.ready),
    "boot": _boot,
    "reboot": _plain(verbs.reboot),
    "halt": _plain(verbs.halt),
    "shutdown": _shutdown,
    "suspend": _plain(verbs.suspend),
    "mark": _mark,
}
