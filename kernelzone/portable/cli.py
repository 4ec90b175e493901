"""`kz`: a portable host's commands, with the syntax, messages and exit codes of Solaris where it has them.

Exit codes: 0 done, 1 refused or failed (fsck: corrupt), 2 usage.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

from kernelzone import suri
from kernelzone.hostdata import HostDataError
from kernelzone.portable import (
    commands,
    drill_commands,
    fsck,
    reading_words,
    smf_command,
    storage_commands,
    suriadm_command,
    sysadm_command,
    verbs,
    zoneadm_command,
    zonecfg_command,
)
from kernelzone.portable.drill_commands import Usage
from kernelzone.portable.errors import PortableError
from kernelzone.portable.host import Flag, Host
from kernelzone.words import WordError, canonical_uuid

USAGE: Final = """\
usage: kz HOSTDIR create-host --owner-hostid HEX --hostname NAME [--boot-environment NAME]
                              [--boot-environment-uuid UUID] [--storage DIR]
       kz HOSTDIR create-storage URI [--size 16M]
       kz HOSTDIR erase-storage URI [-F] all that is on it is lost; asks for the URI again
       kz HOSTDIR zoneadm ...            as zoneadm(8): list, install, attach, detach, boot, halt, ...
       kz HOSTDIR zonecfg ...            as zonecfg(8): -z ZONE info | export | delete -F | "commands" | -f FILE
       kz HOSTDIR sysadm ...             as sysadm(8): maintain -s -m MESSAGE | -e | -l; evacuate [-anqrvw] | -l
       kz HOSTDIR svccfg | svcadm ...    -s system/zones/zone:ZONE setprop evacuation/target=ssh://HOST
       kz HOSTDIR suriadm ...            as suriadm(8): parse | normalize URI, lookup-uri DEVICE
       kz HOSTDIR read ZONE              what host data says
       kz HOSTDIR fsck ZONE              whether what its guests wrote is one sequence
       kz HOSTDIR flag [up|cut-off|dead]
       kz HOSTDIR panic ZONE             its guest panics: it stays and writes no more
       kz HOSTDIR guest ZONE date | set-clock [+|-]SECONDS | eeprom [NAME[=VALUE]]
       kz HOSTDIR clone-host NEWDIR [--hostname NAME]   a copy with the same hostid, switched off
       kz HOSTDIR set-hostid HEX         another hostid, as after a change of the main board
       kz HOSTDIR commands DIR           write Solaris' commands for this host, as executables, to DIR
       kz DIR demonstration build|start|stop
"""


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return its exit code."""
    words = sys.argv[1:] if arguments is None else arguments
    try:
        if len(words) < 2 or words[1] not in _COMMANDS:
            raise Usage
        return _COMMANDS[words[1]](Path(words[0]), words[2:])
    except Usage:
        sys.stderr.write(USAGE)
        return 2
    except (PortableError, WordError, suri.SuriError, HostDataError) as error:
        sys.stderr.write(f"kz: {error.message}\n")
        return 1
    except OSError as error:
        sys.stderr.write(f"kz: {error.filename or 'system'}: {error.strerror or error}\n")
        return 1


def _zoneadm(directory: Path, words: list[str]) -> int:
    host = Host.open(directory)
    verbs.recover(host)
    return zoneadm_command.run(host, words)


def _sysadm(directory: Path, words: list[str]) -> int:
    host = Host.open(directory)
    verbs.recover(host)
    return sysadm_command.run(host, words)


def _svccfg(directory: Path, words: list[str]) -> int:
    return smf_command.svccfg(Host.open(directory), words)


def _svcadm(directory: Path, words: list[str]) -> int:
    return smf_command.svcadm(Host.open(directory), words)


def _zonecfg(directory: Path, words: list[str]) -> int:
    return zonecfg_command.run(Host.open(directory), words)


def _suriadm(directory: Path, words: list[str]) -> int:
    return suriadm_command.run(Host.open(directory), words)


def _create_host(directory: Path, words: list[str]) -> int:
    names = {"--owner-hostid", "--hostname", "--boot-environment", "--boot-environment-uuid", "--storage"}
    options = _options(words, names)
    if not {"owner_hostid", "hostname"} <= options.keys():
        raise Usage
    uuid = options.get("boot_environment_uuid")
    Host.create(
        directory,
        owner_hostid=options["owner_hostid"],
        hostname=options["hostname"],
        boot_environment=options.get("boot_environment", "solaris-1"),
        boot_environment_uuid=canonical_uuid(uuid) if uuid else None,
        storage=options.get("storage", "../storage"),
    )
    return 0


def _create_storage(directory: Path, words: list[str]) -> int:
    if not words:
        raise Usage
    size = _options(words[1:], {"--size"}).get("size")
    return storage_commands.create(Host.open(directory), words[0], size)


def _erase_storage(directory: Path, words: list[str]) -> int:
    uris = [word for word in words if word != "-F"]
    if len(uris) != 1 or len(words) > 2:
        raise Usage
    return storage_commands.erase(Host.open(directory), uris[0], is_meant="-F" in words)


def _flag(directory: Path, words: list[str]) -> int:
    host = Host.open(directory)
    if len(words) > 1 or (words and words[0] not in set(Flag)):
        raise Usage
    if words:
        was_dead = host.flag is Flag.DEAD
        host.set_flag(words[0])
        if was_dead and words[0] == Flag.UP:
            verbs.recover(host)
            for outcome in verbs.autoboot(host):
                sys.stderr.write("".join(f"{line}\n" for line in outcome.lines))
    sys.stdout.write(f"{host.hostname}: {host.flag}\n")
    return 0


def _read(directory: Path, words: list[str]) -> int:
    if len(words) != 1:
        raise Usage
    for reading in Host.open(directory).read(words[0]):
        sys.stdout.write("".join(f"{line}\n" for line in reading_words.lines(reading)))
    return 0


def _fsck(directory: Path, words: list[str]) -> int:
    if len(words) != 1:
        raise Usage
    host = Host.open(directory)
    placement = host.placement(words[0])
    uuid = placement.stored_state().zone_uuid
    is_clean = True
    for device in placement.boot_devices():
        found = fsck.check(host.path_of(device.uri), uuid.bytes if uuid else None)
        name = f"{placement.zone}: {device.uri}"
        sys.stdout.write("".join(f"{line}\n" for line in fsck.words(name, found)))
        is_clean = is_clean and found.is_clean
    return 0 if is_clean else 1


def _write_commands(directory: Path, words: list[str]) -> int:
    if len(words) != 1:
        raise Usage
    written = commands.write(Host.open(directory), Path(words[0]))
    sys.stdout.write("".join(f"{name}\n" for name in written))
    return 0


def _about_the_host(name: str) -> Callable[[Path, list[str]], int]:
    return lambda directory, words: commands.ABOUT_THE_HOST[name](Host.open(directory), words)


def _demonstration(directory: Path, words: list[str]) -> int:
    # Imported here: a guest's parent or a reading must not wait for what only a demonstration needs.
    from kernelzone.portable import demonstration  # noqa: PLC0415

    actions: dict[str, Callable[[Path], object]] = {
        "build": demonstration.build,
        "start": demonstration.start,
        "stop": demonstration.stop,
    }
    if len(words) != 1 or words[0] not in actions:
        raise Usage
    actions[words[0]](directory)
    return 0


def _options(words: list[str], names: set[str]) -> dict[str, str]:
    """Return `--name value` pairs by name, in underscores. Raises: Usage."""
    if len(words) % 2 or not set(words[::2]) <= names or len(set(words[::2])) != len(words) // 2:
        raise Usage
    return {name[2:].replace("-", "_"): value for name, value in zip(words[::2], words[1::2], strict=True)}


_COMMANDS: Final[dict[str, Callable[[Path, list[str]], int]]] = {
    "create-host": _create_host,
    "create-storage": _create_storage,
    "erase-storage": _erase_storage,
    "zoneadm": _zoneadm,
    "zonecfg": _zonecfg,
    "sysadm": _sysadm,
    "svccfg": _svccfg,
    "svcadm": _svcadm,
    "suriadm": _suriadm,
    "read": _read,
    "fsck": _fsck,
    "flag": _flag,
    **drill_commands.COMMANDS,
    "demonstration": _demonstration,
    "commands": _write_commands,
    **{name: _about_the_host(name) for name in commands.ABOUT_THE_HOST},
}


if __name__ == "__main__":
    sys.exit(main())
