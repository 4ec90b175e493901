"""A small supervisor of its own process, for tests that must kill it: `python supervised.py FOLDER`.

Its one child writes its pid and sleeps; the supervisor says `started` when that pid is there.
"""

import signal
import sys
from pathlib import Path

from kzfleet.up.children import Plan
from kzfleet.up.supervisor import Supervisor, say

SLEEPER = "import os, pathlib, sys, time; pathlib.Path(sys.argv[1]).write_text(str(os.getpid())); time.sleep(60)"


def main(folder: Path) -> None:
    """Start the child and run until stopped."""
    supervisor = Supervisor(folder / "log")
    pid_file = folder / "pid"
    signal.signal(signal.SIGINT, signal.default_int_handler)  # may be ignored where the tests run
    try:
        supervisor.start(Plan("sleeper", (sys.executable, "-c", SLEEPER, str(pid_file)), {}))
        supervisor.run_until(lambda: pid_file.exists() and bool(pid_file.read_text()), timeout_s=30)
        say("started")
        supervisor.run()
    except KeyboardInterrupt:
        supervisor.stop()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
