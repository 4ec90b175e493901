"""Runs one verb and waits for it, as a process of its own: it outlives the agent, and keeps how the verb ended.

`python -I -S runner.py PLACE`: PLACE/vector.json is what to run; its output goes to this process's own. Who has which
pid and when it began is kept in PLACE/processes.json, the exit code in PLACE/exit.json. Only the parent of a process
is told its exit code: without this one, a killed agent would have lost it. Nothing but the standard library is used.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Final

VECTOR, PROCESSES, EXIT = "vector.json", "processes.json", "exit.json"
_ELAPSED: Final = re.compile(r"(?:(?:(\d{1,6})-)?(\d{1,2}):)?(\d{1,4}):(\d{2})\Z")
_PS: Final = "/usr/bin/ps"
# `etime` is in whole seconds, and the clock is read a moment later.
_GIVE_OR_TAKE_S: Final = 2


def elapsed_s(text: str) -> int | None:
    """Return the seconds in `[[dd-]hh:]mm:ss`, None for another form. Source: ps(1) of Solaris and POSIX, etime."""
    found = _ELAPSED.match(text)
    if found is None:
        return None
    days, hours, minutes, seconds = (int(part or 0) for part in found.groups())
    return ((days * 24 + hours) * 60 + minutes) * 60 + seconds


def started(pid: int) -> str | None:
    """Return what tells the process from every later one with its pid, None when there is none, or it has ended.

    Linux: the start of the machine and the tick the process began with. Elsewhere: when it began, posix s.
    Source: proc(5) of Linux, fields 3 and 22 of `stat`; ps(1) of Solaris, `-o etime= -p`.
    """
    return _started_on_linux(pid) if sys.platform == "linux" else _started_by_ps(pid)


def is_same(kept: str | None, found: str | None) -> bool:
    """Return whether two answers of `started` are about one process."""
    if kept is None or found is None or kept == found:
        return kept is not None and kept == found
    kinds, times = zip(kept.split(" ", 1), found.split(" ", 1), strict=True)
    return kinds == ("posix", "posix") and abs(int(times[0]) - int(times[1])) <= _GIVE_OR_TAKE_S


def _started_on_linux(pid: int) -> str | None:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
        boot_id = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return None
    fields = stat.rpartition(")")[2].split()  # the name before may hold anything
    return None if fields[0] in "ZX" else f"{boot_id} {fields[19]}"


def _started_by_ps(pid: int) -> str | None:
    said = subprocess.run([_PS, "-o", "etime=", "-p", str(pid)], capture_output=True, text=True, check=False)  # noqa: S603 - a vector
    elapsed = elapsed_s(said.stdout.strip())
    return None if elapsed is None else f"posix {int(time.time()) - elapsed}"


def keep(path: Path, content: Any) -> None:
    """Write a file that is there whole or not at all."""
    new = path.with_name(f".{path.name}")
    new.write_text(json.dumps(content), encoding="utf-8")
    new.replace(path)


def run(place: Path) -> None:
    """Run the verb of `place`; its exit code is kept when it has ended, or why it was not begun."""
    vector = json.loads((place / VECTOR).read_text(encoding="utf-8"))
    try:
        # this interpreter ignores two signals, which the verb must not inherit
        pid = os.posix_spawn(vector[0], vector, os.environ, setsigdef=[signal.SIGPIPE, signal.SIGXFSZ])
    except OSError as error:
        keep(place / EXIT, {"error": error.strerror})
        return
    keep(place / PROCESSES, [[one, started(one)] for one in (os.getpid(), pid)])
    _, status = os.waitpid(pid, 0)
    keep(place / EXIT, {"exit_code": os.waitstatus_to_exitcode(status)})


if __name__ == "__main__":
    run(Path(sys.argv[1]))
