"""What the commands about a host itself print, read strictly: `hostid`, `uname`, `beadm`, `kstat`, `date`, `svccfg`.

Source: their manual pages of Solaris 11; that `beadm list -H` prints name;uuid;active;... is recollection, and the
first field with the active flag N in the third is all that is relied on.
"""

from __future__ import annotations

import calendar
import re
import time
from typing import Final
from uuid import UUID

from kernelzone.facts import HostFacts
from kernelzone.words import HostId, WordError, canonical_uuid, host_id, shown
from kzagent.drivers.solaris.port import Finished
from kzagent.errors import DriverError

_HOSTID: Final = re.compile(r"(?:0x)?([0-9a-fA-F]{1,8})\s*\Z")
_NUMBER: Final = re.compile(r"([0-9]{1,19})\s*\Z")
_DATE: Final = "%Y%m%dT%H%M%SZ"
NO_UUID: Final = UUID(int=0)


def facts_of(answers: dict[str, Finished]) -> HostFacts:
    """Return the host as the answers to hostid, uname, beadm, kstat, date and sysadm have it. Raises: DriverError."""
    hostname, release = _uname(_said(answers, "uname"))
    owner_hostid = hostid_of(_said(answers, "hostid"))
    environment, uuid = _boot_environment(_said(answers, "beadm"))
    return HostFacts(
        owner_hostid=owner_hostid,
        hostname=hostname,
        boot_environment=environment,
        boot_environment_uuid=uuid,
        release=release,
        boot_id=f"{owner_hostid}-{_boot_time(_said(answers, 'kstat'))}",
        at=posix_of(_said(answers, "date")),
        maintenance=_maintenance(answers["maintenance"]),
    )


def hostid_of(output: str) -> HostId:
    """Return the owner hostid that `hostid` prints, padded to 8 digits. Raises: DriverError for zero too."""
    found = _HOSTID.match(output.strip())
    try:
        return host_id(found[1].rjust(8, "0") if found else output)
    except WordError as error:
        raise DriverError("HOSTID", error.message) from error


def property_of(finished: Finished) -> str | None:
    """Return the value of one property that `svccfg listprop` prints, None when it is not set."""
    words = finished.stdout.split()
    return words[2].strip('"') if finished.exit_code == 0 and len(words) == 3 else None


def _maintenance(finished: Finished) -> str | None:
    """Return why the host is in maintenance. None too where nobody says: before 11.4, or without the profile."""
    lines = [line.strip().replace("\\:", ":") for line in finished.stdout.splitlines() if line.strip()]
    return shown("; ".join(lines), 255) if finished.exit_code == 0 and lines else None


def _said(answers: dict[str, Finished], name: str) -> str:
    finished = answers[name]
    if finished.exit_code != 0 or not finished.stdout.strip():
        why = shown((finished.stderr.strip().splitlines() or ["it printed nothing"])[0], 120)
        raise DriverError("UNPARSED", f"{name} ended with {finished.exit_code}: {why}")
    return finished.stdout


def _uname(output: str) -> tuple[str, str]:
    """Return (hostname, release) of `uname -nv`."""
    words = output.split()
    if len(words) != 2:
        raise DriverError("UNPARSED", "uname -nv did not print two words")
    return shown(words[0], 255), shown(words[1], 64)


def _boot_environment(output: str) -> tuple[str, UUID]:
    """Return (name, uuid) of the boot environment that is active now; its uuid is all zero where none is printed."""
    for line in output.splitlines():
        fields = line.strip().split(";")
        if len(fields) >= 3 and "N" in fields[2]:
            return shown(fields[0], 64), _uuid(fields[1])
    raise DriverError("UNPARSED", "beadm list -H names no active boot environment")


def _uuid(text: str) -> UUID:
    try:
        return canonical_uuid(text.lower())
    except WordError:
        return NO_UUID


def _boot_time(output: str) -> int:
    found = _NUMBER.search(output.strip())
    if found is None:
        raise DriverError("UNPARSED", "kstat did not print the boot time")
    return int(found[1])


def posix_of(text: str) -> int:
    """Return the posix s of a time like 20261123T170000Z, as `date` prints and attach logs are named.

    Raises: DriverError UNPARSED.
    """
    try:
        return calendar.timegm(time.strptime(text.strip(), _DATE))
    except ValueError as error:
        raise DriverError("UNPARSED", "that is no time in the form YYYYMMDDTHHMMSSZ") from error
