"""Argument vectors of `zoneadm`, `zonecfg` and `sysadm`: lists for exec, never a command line for a shell.

Every zone name is checked here again, so that none can be read as an option. The first element is the bare
name of the command; the driver puts the absolute path in its place.
Source: zoneadm(8), zonecfg(8), sysadm(8) of Solaris 11.4.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from enum import StrEnum
from typing import Final

from kernelzone.states import Verb
from kernelzone.words import WordError, zone_name


class Extended(StrEnum):
    """The extended options (`-x`) of attach for a kernel zone. Both are forced actions."""

    FORCE_TAKEOVER = "force-takeover"
    INITIALIZE_HOSTDATA = "initialize-hostdata"


_TARGET: Final = re.compile(
    r"(?:ssh|rads|radg)://(?:[a-z_][a-z0-9_.-]{0,31}@)?[A-Za-z0-9][A-Za-z0-9.-]{0,252}(?::[0-9]{1,5})?\Z"
)
_CIPHER: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,31}\Z")


def attach(zone: str, extended: Extended | None = None) -> list[str]:
    """Return `zoneadm -z ZONE attach`, with `-x EXTENDED` when it is given. Raises: WordError ZONE_NAME."""
    return _zoneadm(zone, "attach", *(["-x", str(Extended(extended))] if extended else []))


def detach(zone: str) -> list[str]:
    """Return `zoneadm -z ZONE detach`. Raises: WordError ZONE_NAME."""
    return _zoneadm(zone, "detach")


def install(zone: str) -> list[str]:
    """Return `zoneadm -z ZONE install`. Raises: WordError ZONE_NAME."""
    return _zoneadm(zone, "install")


def ready(zone: str) -> list[str]:
    """Return `zoneadm -z ZONE ready`. Raises: WordError ZONE_NAME."""
    return _zoneadm(zone, "ready")


def boot(zone: str, *, fresh: bool = False) -> list[str]:
    """Return `zoneadm -z ZONE boot`; with `fresh` (`-R`) a suspended zone boots anew instead of resuming.

    Raises: WordError ZONE_NAME.
    """
    return _zoneadm(zone, "boot", *(["-R"] if fresh else []))


def halt(zone: str) -> list[str]:
    """Return `zoneadm -z ZONE halt`. Raises: WordError ZONE_NAME."""
    return _zoneadm(zone, "halt")


def shutdown(zone: str, *, restart: bool = False) -> list[str]:
    """Return `zoneadm -z ZONE shutdown`, with `-r` to start it again. Raises: WordError ZONE_NAME."""
    return _zoneadm(zone, "shutdown", *(["-r"] if restart else []))


def suspend(zone: str) -> list[str]:
    """Return `zoneadm -z ZONE suspend`. Raises: WordError ZONE_NAME."""
    return _zoneadm(zone, "suspend")


def mark_unavailable(zone: str) -> list[str]:
    """Return `zoneadm -z ZONE mark unavailable`. Raises: WordError ZONE_NAME."""
    return _zoneadm(zone, "mark", "unavailable")


def migrate(
    zone: str, target: str, *, dry_run: bool = False, live_only: bool = False, cipher: str | None = None
) -> list[str]:
    """Return `zoneadm -z ZONE migrate TARGET`.

    target: `ssh|rads|radg://[user@]host[:port]`. live_only: `-t live`, which needs the zone to run.
    Raises: WordError ZONE_NAME, MIGRATE_TARGET, MIGRATE_CIPHER.
    """
    if cipher is not None and not _CIPHER.match(cipher):
        raise WordError("MIGRATE_CIPHER", "a cipher is named in lower-case letters, digits and '-'")
    options = [
        *(["-n"] if dry_run else []),
        *(["-c", cipher] if cipher else []),
        *(["-t", "live"] if live_only else []),
    ]
    return _zoneadm(zone, "migrate", *options, migration_target(target))


def migration_target(text: object) -> str:
    """Return `text` as a migration target, `ssh|rads|radg://[user@]host[:port]`. Raises: WordError MIGRATE_TARGET."""
    if not isinstance(text, str) or not _TARGET.match(text):
        raise WordError("MIGRATE_TARGET", "a migration target is ssh, rads or radg://[user@]host[:port]")
    return text


def target_hostname(text: str) -> str:
    """Return the hostname in a migration target; a bare hostname is one as well.

    Source: zoneadm(8), migrate: a target that is a host alone goes by rads. Raises: WordError MIGRATE_TARGET.
    """
    target = migration_target(text if "://" in text else f"rads://{text}")
    return target.partition("://")[2].rpartition("@")[2].partition(":")[0]


def evacuate(*, dry_run: bool = False, every_zone: bool = False, is_return: bool = False) -> list[str]:
    """Return `sysadm evacuate -v`: the zones of this host move to their evacuation targets, or (`-r`) back."""
    options = [("-n", dry_run), ("-a", every_zone), ("-r", is_return)]
    return ["sysadm", "evacuate", "-v", *(option for option, is_wanted in options if is_wanted)]


def list_evacuation() -> list[str]:
    """Return `sysadm evacuate -l`: what the last evacuation made of each zone."""
    return ["sysadm", "evacuate", "-l"]


def list_maintenance() -> list[str]:
    """Return `sysadm maintain -l -p -o MESSAGE`: why the host is in maintenance, nothing when it is not."""
    return ["sysadm", "maintain", "-l", "-p", "-o", "MESSAGE"]


def list_placements() -> list[str]:
    """Return `zoneadm list -cp`: every zone of the host, one line of fields each."""
    return ["zoneadm", "list", "-cp"]


def list_auxiliary(*, every_zone: bool = False) -> list[str]:
    """Return `zoneadm list -s`: auxiliary states; with `every_zone` (`-c`) of zones that do not run too.

    That `-s` goes together with `-c` is in no source: a host that refuses it is asked without.
    """
    return ["zoneadm", "list", "-cs" if every_zone else "-s"]


def export(zone: str) -> list[str]:
    """Return `zonecfg -z ZONE export`. Its output holds the zone key. Raises: WordError ZONE_NAME."""
    return _zonecfg(zone, "export")


def configure(zone: str, command_file: str) -> list[str]:
    """Return `zonecfg -z ZONE -f FILE`: a key travels in the file (0600), never in an argument.

    Raises: WordError ZONE_NAME; ValueError for a path that is not absolute.
    """
    if not command_file.startswith("/"):
        raise ValueError("the command file is named by an absolute path")
    return _zonecfg(zone, "-f", command_file)


def disable_autoboot(zone: str) -> list[str]:
    """Return `zonecfg -z ZONE "set autoboot=false"`. Raises: WordError ZONE_NAME."""
    return _zonecfg(zone, "set autoboot=false")


def vector(verb: Verb, zone: str) -> list[str]:
    """Return the vector of `verb` without options. Raises: WordError ZONE_NAME; KeyError for other verbs."""
    return _WITHOUT_OPTIONS[verb](zone)


def _zoneadm(zone: str, *arguments: str) -> list[str]:
    return ["zoneadm", "-z", zone_name(zone), *arguments]


def _zonecfg(zone: str, *arguments: str) -> list[str]:
    return ["zonecfg", "-z", zone_name(zone), *arguments]


_WITHOUT_OPTIONS: Final[dict[Verb, Callable[[str], list[str]]]] = {
    Verb.INSTALL: install,
    Verb.ATTACH: attach,
    Verb.DETACH: detach,
    Verb.READY: ready,
    Verb.BOOT: boot,
    Verb.HALT: halt,
    Verb.SHUTDOWN: shutdown,
    Verb.SUSPEND: suspend,
    Verb.MARK_UNAVAILABLE: mark_unavailable,
}
