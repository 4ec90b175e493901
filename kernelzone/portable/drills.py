"""What a drill does to a host or a zone, by hand or from Python: the accidents that kzfleet is there for."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Final

from kernelzone.facts import Outcome
from kernelzone.portable import turn
from kernelzone.portable.errors import PortableError
from kernelzone.portable.guest import PANIC
from kernelzone.portable.host import Host
from kernelzone.portable.turn import Turn
from kernelzone.states import AuxiliaryState, ZoneState

PANIC_S: Final = 5.0


def panic(host: Host, zone: str) -> Outcome:
    """Return how the guest was made to panic: it writes no more, but stays; its console says so."""
    return turn.run_inside(host, zone, "panic", _panic)


def _panic(own: Turn) -> tuple[str, ...]:
    state = own.state
    assert state.guest is not None
    console = own.placement.console
    before = console.stat().st_size
    os.kill(state.guest.pid, signal.SIGUSR2)
    if not _said(console, before):
        raise PortableError("GUEST", f"the zone did not panic in time: see {console}")
    panicked = (str(AuxiliaryState.PANICKED),)
    own.save(
        ZoneState.RUNNING, auxiliary=panicked, guest=state.guest, zone_id=state.zone_id, incarnation=state.incarnation
    )
    return ()


def _said(console: Path, before: int) -> bool:
    """Return whether the guest has said in time that it panicked."""
    deadline = time.monotonic() + PANIC_S
    while time.monotonic() < deadline:
        if PANIC.encode() in console.read_bytes()[before:]:
            return True
        time.sleep(0.01)
    return False
