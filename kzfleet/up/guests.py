"""Makes the demonstration's guests run, and ends them when kzfleet ends: `python -m kzfleet.up.guests FLEET`.

A guest is a process of its own that outlives the command that booted it, as a real one does. So one
child starts them, waits, and stops them; the kernel sends it SIGTERM when the supervisor is gone.
"""

import os
import signal
import sys
from contextlib import suppress
from pathlib import Path
from types import FrameType

from kernelzone.portable import demonstration, guests
from kernelzone.portable.host import Host

READY = "the demonstration fleet runs"
ENDS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def main(fleet: Path) -> None:
    """Build the fleet if it is not there, start its guests, say READY, wait, and stop them."""
    for number in ENDS:
        signal.signal(number, _end)
    try:
        demonstration.build(fleet, say=_say)
        _say(READY)
        _wait()
    finally:
        stop_guests(fleet)


def stop_guests(fleet: Path) -> None:
    """Stop every guest of every host that is there, also of a fleet whose making was interrupted."""
    for number in ENDS:
        signal.signal(number, signal.SIG_IGN)
    hosts = [Host.open(found.parent) for found in sorted(fleet.glob("hosts/*/*/host.json"))]
    guests.end_all([host.placement(zone).stored_state().guest for host in hosts for zone in host.zones()])


def _wait() -> None:
    """Wait for ever; collect the guests that end meanwhile."""
    signal.signal(signal.SIGCHLD, lambda *_: None)
    while True:
        with suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        signal.pause()


def _end(_number: int, _frame: FrameType | None) -> None:
    sys.exit(0)


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
