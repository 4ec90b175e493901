"""The messages of `zoneadm` about host data: written for portable kernel zones, read on every host.

Source: Oracle Solaris 11.4 kernel zones guide, "Storage Information From Host Data" and "Encryption Keys and
Host Data"; 11.2 release notes for the missing host data (its prefix is an assumption).
"""

from __future__ import annotations

import re
import time
from typing import Final, NamedTuple

from kernelzone import facts
from kernelzone.words import HostId

_LABELS: Final = (
    "last known state",
    "hostname",
    "boot environment name",
    "boot environment uuid",
    "last update time",
)
_MAY_BE_EMPTY: Final = frozenset({"boot environment name", "boot environment uuid"})
_PREFIX: Final = re.compile(r"zone '?([A-Za-z0-9][A-Za-z0-9_.-]{0,63})'?: error:(.*)\Z")
_OWNER: Final = re.compile(r"(?:ERROR:\s*)?zone (\S+) is in use by host with\s+hostid ([0-9a-fA-F]{1,8})\Z")
_FIELD: Final = re.compile(rf"({'|'.join(_LABELS)}):(.*)\Z")
_LONGEST_FIELD: Final = 255


class InUse(NamedTuple):
    """Who uses a zone, as the refused attach says: six fields beside the zone, all text.

    owner_hostid: 8 lower-case hex digits, padded with zeros. last_known_state: a state as printed there.
    last_update_time: ctime of the owner's clock, compared as text since it names no time zone.
    """

    zone: str
    owner_hostid: str
    last_known_state: str
    hostname: str
    boot_environment_name: str
    boot_environment_uuid: str
    last_update_time: str

    def facts(self) -> facts.InUse:
        """Return the six fields as agents report them."""
        return facts.InUse(HostId(self.owner_hostid), *self[2:])


def in_use_message(in_use: InUse) -> str:
    """Return what `zoneadm -z ZONE attach` prints when another host uses the zone."""
    values = in_use[2:]
    lines = [
        f"ERROR: zone {in_use.zone} is in use by host with  hostid {in_use.owner_hostid}",
        *(f"{label:>22}: {value}" for label, value in zip(_LABELS, values, strict=True)),
        "To fix, detach the zone from the other host then attach it to this host",
        "If the zone is not active on another host, attach it with",
        f"   zoneadm -z {in_use.zone} attach -x force-takeover",
    ]
    return "".join(f"zone '{in_use.zone}': error: {line}\n" for line in lines)


def parse_in_use(text: str) -> InUse | None:
    """Return what the message says, or None when it is not the whole message about one zone.

    A field that is missing, repeated, over 255 characters or holds control characters makes it None, and so does a
    hostid of zero, which many hosts have that were never given one.
    """
    zones: set[str] = set()
    fields: dict[str, str] = {}
    for line in text.split("\n"):
        found = _PREFIX.match(line.rstrip())
        if found and not _take(found[2].strip(), fields, zones):
            return None
        if found:
            zones.add(found[1])
    if len(zones) != 1 or fields.keys() != {"hostid", *_LABELS}:
        return None
    return InUse(zones.pop(), fields["hostid"], *(fields[label] for label in _LABELS))


def ctime(posix_s: int) -> str:
    """Return `posix_s` as ctime prints it in UTC, `Sun Apr 13 20:08:13 2014`; `unknown` past year 9999."""
    try:
        return time.asctime(time.gmtime(posix_s)) if posix_s < 253402300800 else "unknown"
    except (OverflowError, ValueError, OSError):
        return "unknown"


def wrong_key_message(zone: str) -> str:
    """Return what attach and boot print when the zone key does not open the host data."""
    return (
        f"zone '{zone}': error: Encryption key is incorrect.  See solaris-kz(7) for configuration migration\n"
        f"zone '{zone}': procedure or update /etc/zones/keys/{zone}.\n"
    )


def no_host_data_message(zone: str) -> str:
    """Return what boot prints when no boot storage carries host data."""
    return f"zone '{zone}': error: could not read host data from any boot device\n"


def already_booted_message(zone: str) -> str:
    """Return what boot prints for a zone that runs."""
    return (
        "error: zone is already booted\n"
        f"zoneadm: zone {zone}: call to zoneadmd(8) failed: zoneadmd(8) returned an error 5"
        " (operation not allowed in the current zone state)\n"
    )


def initialised_message(zone: str, lost_image: str | None) -> str:
    """Return the warning after host data was begun anew. lost_image: the suspend image that the new key does not open.

    Ours: what Solaris prints, if anything, is not published.
    """
    lines = ["host data was begun anew: the clock offset and the OpenBoot variables are reset"]
    if lost_image:
        lines.append(f"the suspend image {lost_image} is lost: it is sealed under the old key")
    return "".join(f"zone '{zone}': warning: {line}\n" for line in lines)


def not_configured_message(zone: str) -> str:
    """Return what zoneadm prints for a zone that is not configured."""
    return f"zoneadm: {zone}: No such zone configured\n"


def wrong_state_message(zone: str, needed: str, verb: str) -> str:
    """Return what zoneadm prints when the zone must first be `needed`. Source: illumos zoneadm."""
    return f"zoneadm: zone '{zone}': must be {needed} before {verb}.\n"


def already_message(zone: str, state: str) -> str:
    """Return what zoneadm prints when the zone is `state` already. Source: illumos zoneadm."""
    return f"zoneadm: zone '{zone}': is already {state}.\n"


def _take(message: str, fields: dict[str, str], zones: set[str]) -> bool:
    """Put the field `message` carries, if any, into `fields`; False when it cannot be trusted."""
    owner = _OWNER.match(message)
    if owner:
        zones.add(owner[1])
        if int(owner[2], 16) == 0:
            return False  # a hostid of zero names no host
        return _put(fields, "hostid", owner[2].lower().rjust(8, "0"))
    found = _FIELD.match(message)
    return _put(fields, found[1], found[2].strip()) if found else True


def _put(fields: dict[str, str], label: str, value: str) -> bool:
    if label in fields or len(value) > _LONGEST_FIELD or not (value or label in _MAY_BE_EMPTY):
        return False
    fields[label] = value
    return value.isprintable()
