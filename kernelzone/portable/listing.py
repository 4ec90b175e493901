"""`zoneadm list` on a portable host, in the forms that `kernelzone.zoneadm` reads.

Source: kernel zones of Solaris 11.3 and 11.4 (`-cv`, `-s`); `-p` in the ten fields of 11.2 and later.
"""

from __future__ import annotations

import sys
from typing import Final, NamedTuple
from uuid import UUID

from kernelzone import words, zoneadm
from kernelzone.portable.host import Host
from kernelzone.states import ACTIVE, ZoneState

_HEAD_V: Final = "  ID NAME             STATUS      PATH                         BRAND      IP    "
_HEAD_S: Final = "NAME             STATUS           AUXILIARY STATE"


class Line(NamedTuple):
    """One zone of a list."""

    zone_id: str
    name: str
    state: ZoneState
    auxiliary: tuple[str, ...]
    zone_uuid: UUID | None
    is_global: bool = False


def show(host: Host, zone: str | None, letters: str) -> int:
    """Print the list and return the exit code: 1 when `zone` is not configured."""
    lines = _lines(host, zone, letters)
    if zone is not None and not lines:
        sys.stderr.write(zoneadm.not_configured_message(words.zone_name(zone)))
        return 1
    sys.stdout.write("".join(f"{text}\n" for text in _texts(lines, letters)))
    return 0


def _texts(lines: list[Line], letters: str) -> list[str]:
    if "s" in letters:
        return [_HEAD_S, *(_auxiliary(line) for line in lines)]
    if "v" in letters:
        return [_HEAD_V, *(_verbose(line) for line in lines)]
    if "p" in letters:
        return [_parseable(line) for line in lines]
    return [line.name for line in lines]


def _lines(host: Host, zone: str | None, letters: str) -> list[Line]:
    """Return the zones asked for: one by name, else all (`-c`), the installed (`-i`), or the running ones."""
    if zone is not None:
        return [_line(host, zone)] if zone != "global" and host.placement(zone).exists() else []
    own = [_line(host, name) for name in host.zones()]
    if "c" not in letters:
        shown = set(ACTIVE) | ({ZoneState.INSTALLED, ZoneState.UNAVAILABLE} if "i" in letters else set())
        own = [line for line in own if line.state in shown]
    return [Line("0", "global", ZoneState.RUNNING, (), None, is_global=True), *own]


def _line(host: Host, zone: str) -> Line:
    state = host.placement(zone).state()
    number = str(state.zone_id) if state.zone_id is not None else "-"
    return Line(number, zone, state.state, state.auxiliary, state.zone_uuid)


def _verbose(line: Line) -> str:
    path, brand, ip = ("/", "solaris", "shared") if line.is_global else ("-", "solaris-kz", "excl  ")
    return f"{line.zone_id:>4} {line.name:<16} {line.state:<11} {path:<28} {brand:<10} {ip}"


def _parseable(line: Line) -> str:
    if line.is_global:
        return f"{line.zone_id}:global:running:/::solaris:shared:-::"
    path = f"/system/volatile/zones/{line.name}/zonepath"
    return f"{line.zone_id}:{line.name}:{line.state}:{path}:{line.zone_uuid or ''}:solaris-kz:excl:R:solaris-kz:"


def _auxiliary(line: Line) -> str:
    return f"{line.name:<16} {line.state:<16} {','.join(line.auxiliary)}".rstrip()
