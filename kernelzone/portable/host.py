"""A host as a directory: who it is, its zones, and what it finds out about them. Cheap to open: there are thousands.

host.json             who it is, and whether it is up, cut off or dead
zones/ZONE/           one placement each (placement.py)
log/                  what installs and attaches said
"""

from __future__ import annotations

import os
import re
import secrets
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from typing import Any, Final
from uuid import UUID, uuid4

from kernelzone import words, zonecfg
from kernelzone.facts import BootDevice, HostFacts, PlacementFacts, ReadingFacts, Sample
from kernelzone.portable import evacuation_targets, files, guests, maintenance, reading, sampling, storage
from kernelzone.portable.errors import PortableError
from kernelzone.portable.placement import Placement, PlacementState, text_digest
from kernelzone.portable.reading import Verified
from kernelzone.states import ACTIVE, AuxiliaryState, ZoneState
from kernelzone.words import BootEnvironment, Digest, HostId, ZoneName

RELEASE: Final = "11.4"
PEERS: Final = "../*"
UNKNOWN: Final = "unknown"
_HOSTNAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]{0,254}\Z")
_BOOT_ENVIRONMENT: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}\Z")


class Flag(StrEnum):
    """Whether a host lives, and whether its agent may speak for it.

    cut-off: no network; its guests write on. dead: no power; its guests are gone, host data stays as it was.
    """

    UP = "up"
    CUT_OFF = "cut-off"
    DEAD = "dead"


class Host:
    """One host. `agent` is the uuid that stands in host data for verbs typed by hand."""

    def __init__(self, directory: Path, fields: dict[str, Any]) -> None:
        self.directory = directory
        # by zone name and device URI; what the agent of this host need not open twice
        self.verified: dict[tuple[str, str], Verified] = {}
        self._zones = f"{directory}/zones"
        self._volumes = directory / "zvol"
        try:
            self.owner_hostid: HostId = words.host_id(fields["owner_hostid"])
            self.hostname = str(fields["hostname"])
            environment = fields["boot_environment"]
            self.boot_environment = BootEnvironment(environment["name"], UUID(environment["uuid"]))
            self.release = str(fields["release"])
            self.agent = UUID(fields["agent"])
            self.storage = Path(os.path.normpath(directory / fields["settings"]["storage"]))
            self.guest_interval_s = float(fields["settings"]["guest_interval_s"])
            self.peers = str(fields["settings"].get("peers", PEERS))
        except (KeyError, TypeError, ValueError) as error:
            raise PortableError("FILE", f"{directory}/host.json is damaged; restore it from a copy") from error

    @classmethod
    def create(  # noqa: PLR0913 - what a host is, each by its name
        cls,
        directory: str | os.PathLike[str],
        *,
        owner_hostid: str,
        hostname: str,
        boot_environment: str = "solaris-1",
        boot_environment_uuid: UUID | None = None,
        storage: str = "../storage",
        peers: str = PEERS,
        guest_interval_s: float = 1.0,
    ) -> Host:
        """Return a new host in a new directory.

        storage: the directory of the storage it shares with others, absolute or from the host's directory.
        peers: where the hosts are that a zone may be migrated to, a pattern from the host's directory.
        Raises: WordError HOSTID; PortableError HOST_NAME, BOOT_ENVIRONMENT, HOST_EXISTS.
        """
        path = Path(directory).absolute()
        _demand(_BOOT_ENVIRONMENT.match(boot_environment), "BOOT_ENVIRONMENT", "that is no name of a boot environment")
        fields = {
            "owner_hostid": words.host_id(owner_hostid),
            "hostname": host_name(hostname),
            "boot_environment": {"name": boot_environment, "uuid": str(boot_environment_uuid or uuid4())},
            "release": RELEASE,
            "agent": str(uuid4()),
            "boot_id": secrets.token_hex(16),
            "flag": str(Flag.UP),
            "settings": {"storage": storage, "peers": peers, "guest_interval_s": guest_interval_s},
        }
        _demand(not (path / "host.json").exists(), "HOST_EXISTS", f"{path} is a host already")
        for name in ("zones", "log"):
            (path / name).mkdir(parents=True, exist_ok=True)
        files.write_json(path / "host.json", fields)
        return cls(path, fields)

    @classmethod
    def open(cls, directory: str | os.PathLike[str]) -> Host:
        """Return the host in `directory`. Raises: PortableError NO_HOST, FILE."""
        path = Path(directory).absolute()
        try:
            return cls(path, files.read_json(path / "host.json"))
        except (FileNotFoundError, NotADirectoryError):
            raise PortableError("NO_HOST", f"{path} is no host: make one with `kz {path} create-host`") from None

    # --- whether it lives ---------------------------------------------------------------------------------------------

    @property
    def flag(self) -> Flag:
        """Whether the host is up, cut off or dead; read anew each time, for others may change it."""
        return Flag(self._fields()["flag"])

    @property
    def boot_id(self) -> str:
        """What changes with every start of the host, 32 hex digits."""
        return str(self._fields()["boot_id"])

    @property
    def named_now(self) -> str:
        """The hostid that `host.json` names now: another one after its board was changed."""
        return str(self._fields()["owner_hostid"])

    @property
    def is_reachable(self) -> bool:
        """Whether an agent may speak for this host."""
        return self.flag is Flag.UP

    def set_flag(self, flag: Flag | str) -> None:
        """Make the host up, cut-off or dead. Dead ends its guests like a power loss; up after dead is a new start."""
        flag, before = Flag(flag), self.flag
        if flag is Flag.DEAD:
            self.crash()
        elif before is Flag.DEAD:
            self.come_back(flag)
        else:
            self._save(flag=str(flag))

    def crash(self) -> None:
        """Take the power away: every guest dies at once, host data stays as it was."""
        self._save(flag=str(Flag.DEAD))
        for zone in self.zones():
            guests.kill(self.placement(zone).guest())

    def come_back(self, flag: Flag = Flag.UP) -> None:
        """Start the host again: a new boot id, and no zone runs yet (`verbs.autoboot` boots those that should)."""
        self._save(flag=str(flag), boot_id=secrets.token_hex(16))
        for zone in self.zones():
            placement = self.placement(zone)
            stored = placement.stored_or_none()
            if stored and stored.state in ACTIVE and AuxiliaryState.MIGRATING_IN not in stored.auxiliary:
                # a suspended zone that was made ready is suspended still
                kept = tuple(word for word in stored.auxiliary if word == AuxiliaryState.SUSPENDED)
                placement.save_state(PlacementState(ZoneState.INSTALLED, kept, stored.zone_uuid))

    def _fields(self) -> Mapping[str, Any]:
        return _parsed(files.read_bytes(f"{self.directory}/host.json"))

    def _save(self, **changes: str) -> None:
        with files.held(self.directory / "host.lock"):
            fields = files.read_json(self.directory / "host.json")
            files.write_json(self.directory / "host.json", {**fields, **changes})

    # --- what it knows ------------------------------------------------------------------------------------------------

    def zones(self) -> list[ZoneName]:
        """Return the names of the zones this host knows, sorted: those without configuration are incomplete."""
        with os.scandir(self._zones) as entries:
            names = sorted(entry.name for entry in entries if entry.is_dir())
        return [ZoneName(name) for name in names if _is_known(f"{self._zones}/{name}")]

    def placement(self, zone: str) -> Placement:
        """Return the placement of `zone`, which need not be configured yet. Raises: WordError ZONE_NAME."""
        name = words.zone_name(zone)
        return Placement(f"{self._zones}/{name}", name)

    def facts(self) -> HostFacts:
        """Return the host as it says it is."""
        return HostFacts(
            owner_hostid=self.owner_hostid,
            hostname=self.hostname,
            boot_environment=self.boot_environment.name,
            boot_environment_uuid=self.boot_environment.uuid,
            release=self.release,
            boot_id=self.boot_id,
            at=int(time.time()),
            maintenance=maintenance.message(self.directory),
        )

    def placements(self) -> list[PlacementFacts]:
        """Return every zone as this host knows it; one whose configuration is damaged or just deleted is left out."""
        found, targets = [], self._targets()
        for zone in self.zones():
            with suppress(PortableError):
                found.append(self.placement_facts(zone, targets))
        return found

    def placement_facts(self, zone: str, targets: dict[str, str] | None = None) -> PlacementFacts:
        """Return one zone as this host knows it; its state is `unknown` when the file of it is damaged.

        targets: the evacuation targets that count, where they were read already.
        Raises: PortableError NOT_CONFIGURED, CONFIGURATION.
        """
        placement = self.placement(zone)
        text = "" if placement.is_without_configuration() else placement.text()
        state = _state_or_none(placement)
        return PlacementFacts(
            zone=placement.zone,
            zone_uuid=state.zone_uuid if state else None,
            state=str(state.state) if state else UNKNOWN,
            auxiliary=state.auxiliary if state else (),
            autoboot=placement.autoboot(text),
            boot_storage=_boot_devices_or_none(placement, text),
            key_id=reading.configured_key_id(placement),
            configuration_sha256=text_digest(text) if text else None,
            evacuation_target=evacuation_targets.target_of(self._targets() if targets is None else targets, zone),
        )

    def _targets(self) -> dict[str, str]:
        """Return the evacuation targets that count, none when their file is damaged: it must not hide the zones."""
        try:
            return evacuation_targets.running(self.directory)
        except PortableError:
            return {}

    def configuration(self, zone: str) -> str:
        """Return what `zonecfg export` prints, without the key source. Raises: PortableError NOT_CONFIGURED."""
        return self.placement(zone).text()

    def export(self, zone: str) -> str:
        """Return what `zonecfg export` prints, the zone key in it. Raises: PortableError NOT_CONFIGURED."""
        placement = self.placement(zone)
        configuration, key = placement.configuration(), placement.key()
        return zonecfg.write(zonecfg.with_key_source(configuration, key) if key else configuration)

    # --- what it reads from boot storage ------------------------------------------------------------------------------

    def path_of(self, uri: str) -> Path:
        """Return the file or device behind a storage URI. Raises: SuriError, PortableError NO_STORAGE."""
        return storage.path_of(uri, self.storage, self._volumes)

    def read(self, zone: str, *, nonce: str | None = None, high_water: int = 0) -> list[ReadingFacts]:
        """Return one reading per boot storage of the zone, in boot order.

        nonce: 32 hex digits for all of them; a fresh one each without it. A zone uuid proven by a tag is kept where
        the host knew none. Raises: PortableError NOT_CONFIGURED.
        """
        return reading.read(self, self.placement(zone), nonce=nonce, high_water=high_water)

    def regions(self, zone: str) -> list[tuple[str, Digest | None]]:
        """Return (device URI, raw digest) of every boot storage; None where it could not be read."""
        return [(found.device, found.raw_sha256) for found in self.read(zone)]

    def sample(self, zone: str, window_s: float, interval_s: float = 0.5) -> Iterator[Sample]:
        """Yield, for `window_s` seconds, how much of the guest's part of each boot storage has changed."""
        placement = self.placement(zone)
        devices = [(found.uri, self.path_of(found.uri)) for found in placement.boot_devices()]
        return sampling.watch(devices, window_s=window_s, interval_s=interval_s)


def host_name(text: str) -> str:
    """Return `text` as a hostname. Raises: PortableError HOST_NAME."""
    _demand(_HOSTNAME.match(text), "HOST_NAME", "a hostname has letters, digits, '-' and '.'")
    return text


def _is_known(directory: str) -> bool:
    return os.path.exists(f"{directory}/configuration") or os.path.exists(f"{directory}/state.json")


@lru_cache(maxsize=8192)
def _parsed(content: bytes) -> Mapping[str, Any]:
    return files.parse_json(content, "host.json")


def _state_or_none(placement: Placement) -> PlacementState | None:
    try:
        return placement.state()
    except PortableError:
        return None


def _boot_devices_or_none(placement: Placement, text: str) -> tuple[BootDevice, ...]:
    """Return the boot storage, none of it when the configuration is damaged."""
    try:
        return placement.boot_devices(text)
    except PortableError:
        return ()


def _demand(holds: object, code: str, message: str) -> None:
    if not holds:
        raise PortableError(code, message)
