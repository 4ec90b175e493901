"""Become another program that dies with its parent: `python launch.py PARENT_PID SIGNAL PROGRAM ARGUMENT...`.

Run as a script without the site packages, so it costs a few milliseconds. The kernel keeps the
parent-death signal across `execve` (Linux: prctl(2), PR_SET_PDEATHSIG), so a supervisor killed with
`kill -9` leaves no process behind. Elsewhere than on Linux children are stopped in an orderly stop only.
"""

import ctypes
import os
import sys

PR_SET_PDEATHSIG = 1


def main() -> None:
    """Replace this process by the program named in the arguments."""
    parent_pid, death_signal, program = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, death_signal, 0, 0, 0)
    if os.getppid() != parent_pid:  # it died before the line above: nobody would ever stop us
        sys.exit(1)
    os.execvp(program[0], program)  # noqa: S606 - no shell is the point


if __name__ == "__main__":
    main()
