"""A Solaris host asked by its commands, over any transport."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import Final
from uuid import UUID

from kernelzone import suri, words, zoneadm
from kernelzone.facts import HostFacts
from kernelzone.orders import ZoneMoved
from kernelzone.words import WordError, ZoneName
from kzagent.drivers.solaris.answers import facts_of, posix_of, property_of
from kzagent.drivers.solaris.evacuation import moved_of
from kzagent.drivers.solaris.port import AttachLog, Finished, ListedPlacement
from kzagent.drivers.solaris.transport import OF_ONE_COMMAND, Read, Transport, running_of
from kzagent.errors import DriverError

BRAND: Final = "solaris-kz"
UNKNOWN: Final = "unknown"
_IN_SBIN: Final = frozenset({"zoneadm", "zonecfg", "sysadm", "suriadm", "svccfg", "svcadm", "beadm"})
_PRIVILEGED: Final = frozenset({"zoneadm", "zonecfg", "sysadm", "svccfg", "svcadm", "suriadm"})
_FACTS: Final = {
    "hostid": ("hostid",),
    "uname": ("uname", "-nv"),
    "beadm": ("beadm", "list", "-H"),
    "kstat": ("kstat", "-p", "unix:0:system_misc:boot_time"),
    "date": ("date", "-u", "+%Y%m%dT%H%M%SZ"),
    "maintenance": tuple(zoneadm.list_maintenance()),
}
_LOG: Final = re.compile(r"zoneadm\.(\d{8}T\d{6}Z)\.(.+)\.attach\Z")
_PS: Final = ("ps", "-e", "-o", "pid=", "-o", "etime=", "-o", "args=")
_OF_A_ZONE: Final = re.compile(r"-z ?(\S+)(?: (\S+))?")
# Source: ps(1), PRARGSZ of <sys/procfs.h>: 80 with the byte at the end.
_PS_CHARACTERS: Final = 79
_DATASET: Final = re.compile(r"([A-Za-z][A-Za-z0-9_.:-]{0,254})/\S+\s")
_TARGET: Final = "evacuation/target"


class CommandPort:
    """One host. `commands`: the one directory all of its commands are in, "" for Solaris' own places."""

    def __init__(self, transport: Transport, *, commands: str = "", logs: str = "/var/log/zones") -> None:
        self._transport = transport
        self._commands = commands
        self._logs = logs
        self._lists_all = True

    def is_reachable(self) -> bool:
        """Return whether the host can be asked now."""
        return self._transport.is_reachable()

    def facts(self) -> HostFacts:
        """Return the host as it says it is."""
        answers = self._read(_FACTS.values())
        return facts_of(dict(zip(_FACTS, answers, strict=True)))

    def zones(self) -> list[ListedPlacement]:
        """Return the kernel zones of the host by name."""
        asked = zoneadm.list_auxiliary(every_zone=self._lists_all)
        listed, auxiliary = self._read([zoneadm.list_placements(), asked])
        if self._lists_all and auxiliary.exit_code not in (None, 0):
            self._lists_all = False
            (auxiliary,) = self._read([zoneadm.list_auxiliary()])
        return placements_of(listed, auxiliary)

    def exports(self, zones: Sequence[ZoneName]) -> dict[ZoneName, str]:
        """Return the command file that `zonecfg export` prints, by zone."""
        answers = self._read_each([zoneadm.export(zone) for zone in zones])
        return {
            zone: said.stdout
            for zone, said in zip(zones, answers, strict=True)
            if said.exit_code == 0 and said.stdout.strip()
        }

    def evacuation_targets(self, zones: Sequence[ZoneName]) -> dict[ZoneName, str]:
        """Return the URI each zone is evacuated to, its own or the one for all."""
        services = [f"system/zones/zone:{zone}" for zone in zones]
        everyone, *own = self._read_each(
            [["svccfg", "-s", service, "listprop", _TARGET] for service in ["system/zones/zone", *services]]
        )
        found = {zone: property_of(said) or property_of(everyone) for zone, said in zip(zones, own, strict=True)}
        return {zone: target for zone, target in found.items() if target}

    def attach_logs(self, zones: Sequence[ZoneName]) -> dict[ZoneName, AttachLog]:
        """Return the newest attach log by zone."""
        if not zones:
            return {}
        (names,) = self._read([["ls", self._logs]])
        newest = _newest_logs(names.stdout.splitlines()) if names.exit_code == 0 else {}
        wanted = [(zone, *newest[zone]) for zone in zones if zone in newest]
        texts = self._read_each([["cat", f"{self._logs}/{name}"] for _, _, name in wanted])
        return {
            zone: AttachLog(at, text.stdout)
            for (zone, at, _), text in zip(wanted, texts, strict=True)
            if text.exit_code == 0
        }

    def device_ids(self, uris: Sequence[str]) -> dict[str, tuple[str, ...]]:
        """Return the NAA and EUI ids of the storage behind local `dev:` URIs, as far as `suriadm` knows it."""
        paths = [suri.local_path(uri) or "" for uri in uris]
        answers = self._read_each([["suriadm", "lookup-uri", path] for path in paths])
        return {uri: _ids_of(said) for uri, said in zip(uris, answers, strict=True) if said.exit_code == 0}

    def root_pool(self) -> str | None:
        """Return the pool of the root file system: the first part of its dataset, as `df` names it."""
        (said,) = self._read([["df", "-k", "/"]])
        found = _DATASET.match(said.stdout.splitlines()[-1]) if said.exit_code == 0 and said.stdout.strip() else None
        return found[1] if found else None

    def run(self, zone: ZoneName | None, words: Sequence[str], patience_s: float, place: Path) -> Finished:
        """Return how `zoneadm -z ZONE WORDS` ended, or `sysadm WORDS`."""
        command = ["sysadm"] if zone is None else ["zoneadm", "-z", zone]
        return self._transport.run(self._vector([*command, *words]), patience_s, place)

    def left(self, zone: ZoneName | None, place: Path) -> Finished | None:
        """Return how a verb ended that nobody waited for: by pid and start, else as `ps` has the zone's `zoneadm`."""
        found = self._transport.left(place)
        is_seen = found is not None and found.exit_code is not None
        return None if not is_seen and self.is_at_work(zone) else found

    def is_at_work(self, zone: ZoneName | None) -> bool:
        """Return whether a `zoneadm` that changes the zone is running on the host, ours or anybody's."""
        (said,) = self._read([_PS])
        if said.exit_code != 0 or not said.stdout.strip():
            raise DriverError("UNPARSED", "ps did not say what is running")
        running = running_of(said.stdout, int(time.time()))
        return any(_evacuates(one.words) if zone is None else _changes(one.words, zone) for one in running)

    def evacuated(self) -> list[ZoneMoved]:
        """Return what the last evacuation made of each zone."""
        (said,) = self._read([zoneadm.list_evacuation()])
        return moved_of(said)

    def configure(self, zone: ZoneName, commands: str) -> Finished:
        """Return how `zonecfg -z ZONE -f` took over a command file, which it reads from its standard input."""
        vector = self._vector(zoneadm.configure(zone, "/dev/stdin"))
        (finished,) = self._transport.read([Read(vector, commands.encode())])
        return finished

    def _read(self, vectors: Iterable[Sequence[str]]) -> list[Finished]:
        reads = [Read(self._vector(vector)) for vector in vectors]
        return self._transport.read(reads) if reads else []

    def _read_each(self, vectors: Sequence[Sequence[str]]) -> list[Finished]:
        """Return the answers about single zones: that none of these was given says nothing about the host."""
        try:
            return self._read(vectors)
        except DriverError as error:
            if error.code not in OF_ONE_COMMAND:
                raise
            return [Finished(None, "", f"kzagent: {error}\n") for _ in vectors]

    def _vector(self, vector: Sequence[str]) -> tuple[str, ...]:
        """Return the vector with absolute paths, run with the rights of a profile where the command needs them."""
        command = (self._path(vector[0]), *vector[1:])
        return (self._path("pfexec"), *command) if vector[0] in _PRIVILEGED else command

    def _path(self, name: str) -> str:
        return f"{self._commands or ('/usr/sbin' if name in _IN_SBIN else '/usr/bin')}/{name}"


def placements_of(listed: Finished, auxiliary: Finished) -> list[ListedPlacement]:
    """Return the kernel zones of `list -cp`, with what `list -s` adds where it was understood.

    Raises: DriverError UNPARSED when the list itself is in no form we know.
    """
    if listed.exit_code != 0:
        raise DriverError("UNPARSED", f"zoneadm list -cp ended with {listed.exit_code}")
    try:
        zones = zoneadm.parse_list_cp(listed.stdout)
    except zoneadm.UnparsedOutput as error:
        raise DriverError(error.code, f"zoneadm list -cp: {error.message}") from error
    added = _auxiliary(auxiliary)
    found = [_listed(zone, added) for zone in zones if zone.brand == BRAND]
    return sorted((one for one in found if one is not None), key=lambda one: one.name)


def _listed(zone: zoneadm.ListedZone, auxiliary: dict[str, tuple[str, ...]]) -> ListedPlacement | None:
    try:
        name = words.zone_name(zone.name)
    except WordError:
        return None  # Solaris has no such zone; nothing could be done with it
    return ListedPlacement(name, str(zone.state or UNKNOWN), auxiliary.get(name, ()), _uuid(zone.uuid))


def _auxiliary(finished: Finished) -> dict[str, tuple[str, ...]]:
    """Return the auxiliary states by zone; what `list -s` says in no known form adds nothing."""
    try:
        return {line.name: line.auxiliary for line in zoneadm.parse_list_s(finished.stdout)}
    except zoneadm.UnparsedOutput:
        return {}


def _uuid(text: str) -> UUID | None:
    try:
        return words.canonical_uuid(text.lower())
    except WordError:
        return None


def _newest_logs(names: Iterable[str]) -> dict[str, tuple[int, str]]:
    """Return (posix s, file name) of the newest attach log by zone; the names sort by their time."""
    found: dict[str, tuple[int, str]] = {}
    for name in sorted(names):
        matched = _LOG.match(name)
        if matched and "/" not in name:
            with suppress(DriverError):  # named like a log, at a time that never was
                found[matched[2]] = (posix_of(matched[1]), name)
    return found


def _ids_of(said: Finished) -> tuple[str, ...]:
    """Return the ids in the URIs that `suriadm lookup-uri` prints, one on a line."""
    found: set[str] = set()
    for line in said.stdout.splitlines():
        try:
            found.update(suri.device_ids(line.strip()))
        except suri.SuriError:
            continue  # a kind of URI that is not known here names nothing that could be compared
    return tuple(sorted(found))


def _evacuates(command: tuple[str, ...]) -> bool:
    """Return whether these words are a `sysadm evacuate` that is no mere list."""
    names = [PurePosixPath(word).name for word in command]
    if "sysadm" not in names:
        return False
    rest = command[names.index("sysadm") + 1 :]
    return rest[:1] == ("evacuate",) and rest[1:2] != ("-l",)


def _changes(command: tuple[str, ...], zone: ZoneName) -> bool:
    """Return whether these words are a `zoneadm -z ZONE` that is no mere list; `ps` may have cut the last word off."""
    names = [PurePosixPath(word).name for word in command]
    if "zoneadm" not in names:
        return False
    rest = " ".join(command[names.index("zoneadm") + 1 :])
    found = _OF_A_ZONE.match(rest)
    if found is None or found[2] == "list":
        return False
    is_cut = len(" ".join(command)) >= _PS_CHARACTERS and rest.endswith(found[1])
    return found[1] == zone or (is_cut and zone.startswith(found[1]))
