"""`zonecfg` as a command on a portable host. Source: zonecfg(8) of Solaris 11.4, its synopsis."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

from kernelzone.portable import asking, configuring, files
from kernelzone.portable.configuring import Session
from kernelzone.portable.host import Host

USAGE: Final = """\
usage: zonecfg -z zonename subcommand [; subcommand ...]
       zonecfg -z zonename -f command_file
       zonecfg -z zonename export [-f output_file]
"""


def run(host: Host, words: list[str]) -> int:
    """Run one session and return its exit code: 0, 1 refused, 2 usage."""
    if len(words) < 3 or words[0] != "-z":
        sys.stderr.write(USAGE)
        return 2
    zone, rest = words[1], words[2:]
    if rest[0] == "-f":
        return _from_file(host, zone, rest[1:])
    if rest[:2] == ["export", "-f"]:
        return _export_to_file(host, zone, rest[2:])
    return _session(host, zone, " ".join(rest))


def _from_file(host: Host, zone: str, words: list[str]) -> int:
    if len(words) != 1:
        sys.stderr.write(USAGE)
        return 2
    try:
        text = sys.stdin.buffer.read() if words[0] == "-" else Path(words[0]).read_bytes()
    except OSError as error:
        sys.stderr.write(f"zonecfg: {words[0]}: {error.strerror}\n")
        return 1
    return _session(host, zone, text)


def _export_to_file(host: Host, zone: str, words: list[str]) -> int:
    if len(words) != 1:
        sys.stderr.write(USAGE)
        return 2
    session = configuring.run(host, zone, "export")
    if session.exit_code == 0:
        files.write_text(Path(words[0]), session.output, mode=0o600)  # the zone key is in it
    sys.stderr.write(session.errors)
    return session.exit_code


def _session(host: Host, zone: str, text: str | bytes) -> int:
    session = configuring.run(host, zone, text)
    if session.code == "CONFIRM":
        answer = asking.yes(f"Are you sure you want to delete zone {zone} (y/[n])? ")
        if answer is not None:
            session = configuring.run(host, zone, "delete -F") if answer else Session(0, "NOT_DONE", "", "")
    sys.stdout.write(session.output)
    sys.stderr.write(session.errors)
    return session.exit_code
