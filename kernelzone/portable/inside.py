"""What a guest does from inside: it sets its clock and its OpenBoot variables. Host data keeps both.

The clock of a zone is the host's clock and the offset in host data, so it survives a suspend, another host and a
takeover. OpenBoot variables are SPARC's; portable zones have them everywhere.
"""

from __future__ import annotations

import re
import time
from functools import partial
from typing import Final

from kernelzone.facts import Outcome
from kernelzone.hostdata import Record
from kernelzone.portable import changes, turn
from kernelzone.portable.host import Host
from kernelzone.portable.turn import Turn
from kernelzone.portable.verdicts import Refused, said, true_record

MOST_OFFSET_S: Final = 100 * 366 * 86400
MOST_VARIABLE_BYTES: Final = 1024
_VARIABLE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9?#_.-]{0,62}\Z")


def date(host: Host, zone: str) -> Outcome:
    """Return the guest's own time, in UTC, as the outcome's line."""
    return turn.run_inside(host, zone, "date", _date)


def set_clock(host: Host, zone: str, offset_s: int) -> Outcome:
    """Return how the guest set its clock to the host's and `offset_s` seconds."""
    return turn.run_inside(host, zone, "set-clock", partial(_set_clock, offset_s=offset_s))


def eeprom(host: Host, zone: str, name: str | None = None, value: str | None = None) -> Outcome:
    """Return the guest's OpenBoot variables as lines `name=value`: all, one, or none when one was set to `value`."""
    act = _variables if name is None else partial(_variable, name=name, value=value)
    return turn.run_inside(host, zone, "eeprom", act)


def _date(own: Turn) -> tuple[str, ...]:
    offset_s = _record(own).time_of_day_offset_s or 0
    shown = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + offset_s))
    return (f"{shown} (the host's clock {offset_s:+d} s)",)


def _set_clock(own: Turn, *, offset_s: int) -> tuple[str, ...]:
    if abs(offset_s) > MOST_OFFSET_S:
        raise Refused("OFFSET", said(own.placement.zone, "a clock is off by at most a hundred years"))
    _keep(own, time_of_day_offset_s=offset_s)
    return ()


def _variables(own: Turn) -> tuple[str, ...]:
    return tuple(sorted((_record(own).obp_variables or "").splitlines()))


def _variable(own: Turn, *, name: str, value: str | None) -> tuple[str, ...]:
    kept = dict(line.split("=", 1) for line in _variables(own) if "=" in line)
    if value is None:
        if name not in kept:
            raise Refused("NO_VARIABLE", said(own.placement.zone, f"{name}: data not available."))
        return (f"{name}={kept[name]}",)
    if not _VARIABLE.match(name) or not value.isprintable():
        raise Refused("VARIABLE", said(own.placement.zone, "a variable is NAME=VALUE, both printable, NAME at most 63"))
    text = "\n".join(f"{one}={said_value}" for one, said_value in sorted({**kept, name: value}.items()))
    if len(text.encode()) > MOST_VARIABLE_BYTES:
        text = f"there is room for {MOST_VARIABLE_BYTES} bytes of variables"
        raise Refused("VARIABLE", said(own.placement.zone, text))
    _keep(own, obp_variables=text)
    return ()


def _record(own: Turn) -> Record:
    return true_record(own.placement, own.look())


def _keep(own: Turn, **fields: object) -> None:
    looks = own.look()
    true_record(own.placement, looks)
    changes.claim_all(own.writer(), changes.inside_change(own.host, own.agent, **fields), looks)
