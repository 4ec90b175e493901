"""`zoneadm` as a command on a portable host. Source: zoneadm(8) of Solaris 11.4; exit codes are illumos' 0, 1, 2."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Final

from kernelzone.facts import Outcome
from kernelzone.portable import listing, verbs
from kernelzone.portable.host import Host
from kernelzone.zoneadm import Extended

USAGE: Final = """\
usage: zoneadm -z zonename subcommand
       zoneadm [-z zonename] list [-c] [-i] [-p | -v] [-s]
subcommands:
       install
       attach [-x force-takeover | -x initialize-hostdata]
       detach
       ready
       boot [-R]
       reboot
       halt
       shutdown [-r]
       suspend
       mark incomplete | unavailable
"""

Run = Callable[[Host, str], Outcome]


def run(host: Host, words: list[str]) -> int:
    """Run one subcommand and return its exit code: 0, 1 refused or failed, 2 usage."""
    zone, rest = (words[1], words[2:]) if words[:1] == ["-z"] and len(words) > 1 else (None, words)
    if rest[:1] == ["list"]:
        return _list(host, zone, rest[1:])
    verb = _VERBS.get(tuple(rest))
    if zone is None or verb is None:
        sys.stderr.write(USAGE)
        return 2
    outcome = verb(host, zone)
    text = "".join(f"{line}\n" for line in outcome.lines)
    # Progress goes where it can be piped; what went wrong, or what to be warned of, to the other stream.
    (sys.stdout if outcome.is_done and outcome.verb == "install" else sys.stderr).write(text)
    return 0 if outcome.is_done else 1


def _list(host: Host, zone: str | None, options: list[str]) -> int:
    letters = "".join(option[1:] for option in options if option.startswith("-"))
    is_known = all(option.startswith("-") and len(option) > 1 for option in options) and set(letters) <= set("cipvs")
    if not is_known or {"p", "v"} <= set(letters):
        sys.stderr.write(USAGE)
        return 2
    return listing.show(host, zone, letters)


def _attach(how: Extended | None) -> Run:
    return lambda host, zone: verbs.attach(host, zone, how)


_VERBS: Final[dict[tuple[str, ...], Run]] = {
    ("install",): verbs.install,
    ("attach",): _attach(None),
    ("attach", "-x", "force-takeover"): _attach(Extended.FORCE_TAKEOVER),
    ("attach", "-x", "initialize-hostdata"): _attach(Extended.INITIALIZE_HOSTDATA),
    ("detach",): verbs.detach,
    ("ready",): verbs.ready,
    ("boot",): verbs.boot,
    ("boot", "-R"): lambda host, zone: verbs.boot(host, zone, fresh=True),
    ("reboot",): verbs.reboot,
    ("halt",): verbs.halt,
    ("shutdown",): verbs.shutdown,
    ("shutdown", "-r"): lambda host, zone: verbs.shutdown(host, zone, restart=True),
    ("suspend",): verbs.suspend,
    ("mark", "incomplete"): verbs.mark_incomplete,
    ("mark", "unavailable"): verbs.mark_unavailable,
}
