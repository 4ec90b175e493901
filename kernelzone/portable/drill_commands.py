"""The commands of `kz` that do to a host or a zone what fleets must live with, and what only a guest does to itself."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

from kernelzone.facts import Outcome
from kernelzone.portable import drills, inside
from kernelzone.portable.host import Host

_SECONDS: Final = re.compile(r"[+-]?[0-9]{1,12}\Z")


class Usage(Exception):
    """Arguments that no command here has."""


def _panic(directory: Path, words: list[str]) -> int:
    if len(words) != 1:
        raise Usage
    return _ended(drills.panic(Host.open(directory), words[0]))


def _guest(directory: Path, words: list[str]) -> int:
    if len(words) < 2 or words[1] not in _INSIDE:
        raise Usage
    return _ended(_INSIDE[words[1]](Host.open(directory), words[0], words[2:]))


def _date(host: Host, zone: str, words: list[str]) -> Outcome:
    if words:
        raise Usage
    return inside.date(host, zone)


def _set_clock(host: Host, zone: str, words: list[str]) -> Outcome:
    if len(words) != 1 or not _SECONDS.match(words[0]):
        raise Usage
    return inside.set_clock(host, zone, int(words[0]))


def _eeprom(host: Host, zone: str, words: list[str]) -> Outcome:
    if len(words) > 1:
        raise Usage
    name, equals, value = "".join(words).partition("=")
    return inside.eeprom(host, zone, name or None, value if equals else None)


def _clone_host(directory: Path, words: list[str]) -> int:
    if len(words) not in (1, 3) or (len(words) == 3 and words[1] != "--hostname"):
        raise Usage
    copy = drills.clone_host(Host.open(directory), words[0], words[2] if len(words) == 3 else None)
    sys.stdout.write(f"{copy.hostname}: {copy.owner_hostid}, {copy.flag}; `kz {copy.directory} flag up` starts it\n")
    return 0


def _set_hostid(directory: Path, words: list[str]) -> int:
    if len(words) != 1:
        raise Usage
    host = drills.set_hostid(Host.open(directory), words[0])
    sys.stdout.write(f"{host.hostname}: {host.owner_hostid}, {host.flag}\n")
    return 0


def _ended(outcome: Outcome) -> int:
    (sys.stdout if outcome.is_done else sys.stderr).write("".join(f"{line}\n" for line in outcome.lines))
    return 0 if outcome.is_done else 1


_INSIDE: Final[dict[str, Callable[[Host, str, list[str]], Outcome]]] = {
    "date": _date,
    "set-clock": _set_clock,
    "eeprom": _eeprom,
}
COMMANDS: Final[dict[str, Callable[[Path, list[str]], int]]] = {
    "panic": _panic,
    "guest": _guest,
    "clone-host": _clone_host,
    "set-hostid": _set_hostid,
}
