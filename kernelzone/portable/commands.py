"""The commands of a Solaris host as executables that act on a portable one: `kz HOSTDIR commands DIR` writes them.

An agent with the `solaris` driver, or a person with them in PATH, meets the portable host as if it were Solaris:
directly or over ssh. Those that Solaris shares with other systems (`ls`, `cat`, `date`) are that system's own.
"""

from __future__ import annotations

import os
import shlex
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from kernelzone.portable.errors import PortableError
from kernelzone.portable.host import Host

ZONES: Final = ("zoneadm", "zonecfg", "sysadm", "suriadm", "svccfg", "svcadm")
OF_THE_SYSTEM: Final = ("ls", "cat", "date")
_POOL: Final = "rpool"
_PROC: Final = Path("/proc")


def write(host: Host, directory: Path) -> list[str]:
    """Return the names of the commands written to `directory`; those of another host there are replaced."""
    directory.mkdir(parents=True, exist_ok=True)
    own = [sys.executable, "-I", "-m", "kernelzone.portable.cli", str(host.directory)]
    scripts = {name: f'exec {shlex.join([*own, name])} "$@"' for name in (*ZONES, *ABOUT_THE_HOST)}
    scripts["pfexec"] = 'exec "$@"'
    for name in OF_THE_SYSTEM:
        found = shutil.which(name, path=os.defpath)
        if found is None:
            raise PortableError("NO_COMMAND", f"this system has no {name}")
        scripts[name] = f'exec {shlex.quote(found)} "$@"'
    for name, script in scripts.items():
        path = directory / name
        path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
        path.chmod(0o755)
    return sorted(scripts)


def _hostid(host: Host, words: list[str]) -> int:
    return _print(host.owner_hostid)


def _uname(host: Host, words: list[str]) -> int:
    letters = "".join(word[1:] for word in words)
    known = {"n": host.hostname, "v": host.release, "s": "SunOS"}
    return _print(" ".join(known[letter] for letter in "snv" if letter in letters or (letter == "s" and not letters)))


def _beadm(host: Host, words: list[str]) -> int:
    environment = host.boot_environment
    return _print(f"{environment.name};{environment.uuid};NR;/;0;static;0")


def _kstat(host: Host, words: list[str]) -> int:
    # A portable host has no boot time; what changes with every start of it serves as well.
    return _print(f"unix:0:system_misc:boot_time\t{int(host.boot_id[:7], 16)}")


def _df(host: Host, words: list[str]) -> int:
    return _print(
        "Filesystem           1024-blocks        Used   Available Capacity  Mounted on\n"
        f"{_POOL}/ROOT/{host.boot_environment.name}   0   0   0   0%    /"
    )


def _ps(host: Host, words: list[str]) -> int:
    """Print pid, elapsed time and words of the commands of this host that are running."""
    for pid, elapsed_s, command in _commands_of(host):
        _print(f"{pid:>6} {elapsed_s // 60:>6}:{elapsed_s % 60:02} {shlex.join(command)}")
    return _print(f"{os.getpid():>6} {0:>6}:00 ps")


def _commands_of(host: Host) -> Iterator[tuple[int, int, list[str]]]:
    for place in _PROC.iterdir():
        if not place.name.isdigit():
            continue
        try:
            command = (place / "cmdline").read_bytes().decode("utf-8", "replace").split("\0")[:-1]
            began = place.stat().st_mtime
        except OSError:
            continue  # it has ended meanwhile
        if "kernelzone.portable.cli" in command and str(host.directory) in command:
            yield int(place.name), max(0, int(time.time() - began)), command[command.index(str(host.directory)) + 1 :]


def _print(text: str) -> int:
    sys.stdout.write(f"{text}\n")
    return 0


ABOUT_THE_HOST: Final[dict[str, Callable[[Host, list[str]], int]]] = {
    "hostid": _hostid,
    "uname": _uname,
    "beadm": _beadm,
    "kstat": _kstat,
    "df": _df,
    "ps": _ps,
}
