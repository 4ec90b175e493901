"""Ends the demonstration's guests when kzfleet ends, however that happens: `python -m kzfleet.up.guests FLEET`.

A guest is a process of its own that outlives the command that booted it, as a real one does. So one
child does nothing but wait; the kernel sends it SIGTERM when the supervisor is gone.
"""

import signal
import sys
from pathlib import Path

from kernelzone.portable import demonstration


def main(fleet: Path) -> None:
    """Wait for SIGTERM or SIGINT, then stop every guest of the fleet in `fleet`."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT, signal.SIGHUP})
    signal.sigwait({signal.SIGTERM, signal.SIGINT, signal.SIGHUP})
    demonstration.stop(fleet)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
