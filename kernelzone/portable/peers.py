"""The hosts that a portable host can reach: the directories that its setting `peers`, a pattern, finds from its own.

By default those are the ones in the folder it lies in. A migration target names one of them by its hostname. A host
that is dead or cut off answers nobody.
"""

from __future__ import annotations

import glob
import os
from pathlib import Path
from typing import TYPE_CHECKING

from kernelzone.portable import files
from kernelzone.portable.errors import PortableError

if TYPE_CHECKING:
    from kernelzone.portable.host import Host


def find(host: Host, hostname: str) -> Host:
    """Return the host of that hostname among the peers of `host`; it answers.

    Raises: PortableError TARGET_UNKNOWN, TARGET_AMBIGUOUS, TARGET_IS_SOURCE, TARGET_UNREACHABLE.
    """
    found = [path for path in _directories(host) if _hostname(path) == hostname.lower()]
    if not found:
        raise PortableError("TARGET_UNKNOWN", f"could not connect to {hostname}: no host of that name is known")
    if len(found) > 1:
        raise PortableError("TARGET_AMBIGUOUS", f"could not connect to {hostname}: {len(found)} hosts have that name")
    other = type(host).open(found[0])
    if other.owner_hostid == host.owner_hostid:
        raise PortableError("TARGET_IS_SOURCE", f"{hostname} is the host the zone is on")
    demand_answer(host, other)
    return other


def demand_answer(host: Host, other: Host) -> None:
    """Return when the two hosts can reach each other. Raises: PortableError TARGET_UNREACHABLE."""
    for one in (host, other):
        if not one.is_reachable:
            text = f"could not connect to {other.hostname}: {one.hostname} is {one.flag}"
            raise PortableError("TARGET_UNREACHABLE", text)


def _directories(host: Host) -> list[Path]:
    pattern = f"{glob.escape(str(host.directory))}/{host.peers}/host.json"
    return sorted({Path(os.path.normpath(path)).parent for path in glob.iglob(pattern)})


def _hostname(directory: Path) -> str:
    try:
        return str(files.read_json(directory / "host.json").get("hostname", "")).lower()
    except (PortableError, OSError):
        return ""
