"""One zone as one portable host knows it: a directory with its configuration, key and state.

configuration   what `zonecfg` stored, without key source
key             32 hex digits, mode 0600; `key.next` while a new one is being put in place, then `key.previous`
state.json      primary and auxiliary states, zone uuid, the guest's process
claim-N.json    the journal of the last claim on the device with id N
high-water.json the highest generation of host data seen on each boot storage
verb.lock, claim.lock, console
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from kernelzone import suri, zonecfg
from kernelzone.facts import BootDevice
from kernelzone.portable import files
from kernelzone.portable.errors import PortableError
from kernelzone.portable.guests import GuestProcess, is_alive
from kernelzone.states import AuxiliaryState, ZoneState
from kernelzone.words import Digest, ZoneName
from kernelzone.zonecfg import Configuration, ZoneCfgError

GLOBAL_ROOTZPOOL: Final = "rpool"
KEY_BYTES: Final = 16
_MOST_PARSED: Final = 32_768


@dataclass(frozen=True, slots=True)
class PlacementState:
    """What the host remembers of the zone. zone_id: set while it is ready or running."""

    state: ZoneState = ZoneState.CONFIGURED
    auxiliary: tuple[str, ...] = ()
    zone_uuid: UUID | None = None
    zone_id: int | None = None
    guest: GuestProcess | None = None
    incarnation: str | None = None


class Placement:
    """The files of one zone on one host. Nothing is kept in memory: other processes change them."""

    def __init__(self, directory: str, zone: ZoneName) -> None:
        self._directory = directory
        self.zone = zone

    @property
    def directory(self) -> Path:
        """Where the files are."""
        return Path(self._directory)

    def exists(self) -> bool:
        """Return whether the zone is configured here."""
        return os.path.exists(f"{self._directory}/configuration")

    def is_without_configuration(self) -> bool:
        """Return whether the host remembers a zone here whose configuration is gone: the state `no-config`."""
        return not self.exists() and os.path.exists(f"{self._directory}/state.json")

    def text(self) -> str:
        """Return the configuration as a zonecfg command file without key source. Raises: PortableError."""
        try:
            return _text(files.read_bytes(f"{self._directory}/configuration"))
        except FileNotFoundError:
            raise PortableError("NOT_CONFIGURED", f"{self.zone}: No such zone configured") from None
        except UnicodeDecodeError:
            raise PortableError("CONFIGURATION", f"the configuration of zone {self.zone} is damaged") from None

    def configuration(self) -> Configuration:
        """Return the configuration without key source, its tokens unresolved."""
        return zonecfg.parse(self.text())

    def resolved(self) -> Configuration:
        """Return the configuration with this host's tokens put in."""
        return resolved(self.configuration(), self.zone)

    def boot_devices(self, text: str | None = None) -> tuple[BootDevice, ...]:
        """Return the boot storage of the zone in boot order. text: the configuration, where it was read already.

        Raises: PortableError NOT_CONFIGURED, CONFIGURATION.
        """
        return _boot_devices(self.text() if text is None else text, self.zone)

    def autoboot(self, text: str | None = None) -> bool:
        """Return whether the zone boots with its host. text: the configuration, where it was read already."""
        return _autoboot(self.text() if text is None else text)

    def suspend_path(self) -> Path | None:
        """Return where the suspend image belongs, None when the configuration has no place for one."""
        path = self.resolved().value_of("suspend", "path")
        return Path(path) if path else None

    def memory_paths(self) -> tuple[Path, ...]:
        """Return where the memory of a suspended zone may be; host data names the digest of the one that counts."""
        path = self.suspend_path()
        return (self.handover, path) if path else (self.handover,)

    def save_text(self, text: str) -> None:
        """Store a configuration without key source; its directory is made on the first time."""
        self.directory.mkdir(mode=0o700, exist_ok=True)
        files.write_text(self.directory / "configuration", text)

    def state(self) -> PlacementState:
        """Return the state as it is: a running zone whose guest has died is installed, one without configuration no
        more than incomplete.
        """
        stored = self.stored_state()
        if self.is_without_configuration():
            return replace(stored, state=ZoneState.INCOMPLETE, auxiliary=(str(AuxiliaryState.NO_CONFIG),))
        if stored.state is ZoneState.RUNNING and not is_alive(stored.guest):
            if AuxiliaryState.MIGRATING_IN in stored.auxiliary:  # it never came: `migration_settling` says more
                return PlacementState(ZoneState.CONFIGURED, (), stored.zone_uuid)
            return PlacementState(ZoneState.INSTALLED, (), stored.zone_uuid, incarnation=stored.incarnation)
        return stored

    def stored_state(self) -> PlacementState:
        """Return the state as the last verb left it."""
        try:
            return _state(files.read_bytes(f"{self._directory}/state.json"))
        except FileNotFoundError:
            return PlacementState()

    def stored_or_none(self) -> PlacementState | None:
        """Return the stored state, None when its file is damaged: one such zone must not hide the others."""
        try:
            return self.stored_state()
        except PortableError:
            return None

    def guest(self) -> GuestProcess | None:
        """Return the guest that was started last, alive or not."""
        stored = self.stored_or_none()
        return stored.guest if stored else None

    def save_state(self, state: PlacementState) -> None:
        """Store the state, durably."""
        files.write_json(self.directory / "state.json", _state_fields(state))

    def journal_path(self, device: BootDevice) -> Path:
        """Return the file that journals claims on `device` made by verbs of this host."""
        return self.directory / f"claim-{device.id}.json"

    @property
    def handover(self) -> Path:
        """The sealed memory of a zone that is being migrated live."""
        return self.directory / "handover"

    @property
    def claim_lock(self) -> Path:
        """The lock every claim on the zone's host data takes on this host."""
        return self.directory / "claim.lock"

    @property
    def verb_lock(self) -> Path:
        """The lock a verb holds from its first look to its end."""
        return self.directory / "verb.lock"

    @property
    def console(self) -> Path:
        """What the guest had to say."""
        return self.directory / "console"

    def key(self) -> bytes | None:
        """Return the zone key, None when there is none. Raises: PortableError KEY when the file is damaged."""
        return self._read_key("key")

    def staged_key(self) -> bytes | None:
        """Return the key that is being put in place, if there is one."""
        return self._read_key("key.next")

    def save_key(self, key: bytes) -> None:
        """Store the zone key, keeping the one it replaces as `key.previous`."""
        self.stage_key(key)
        self.promote_key()

    def stage_key(self, key: bytes) -> None:
        """Store a new key beside the one in use, durably, before host data is sealed under it."""
        if len(key) != KEY_BYTES:
            raise PortableError("KEY", f"a zone key has {KEY_BYTES} bytes")
        if (self.directory / "key.next").exists():  # of a change whose end is not known: it may open something yet
            os.replace(self.directory / "key.next", self.directory / "key.unsettled")
        files.write_text(self.directory / "key.next", f"{key.hex()}\n", mode=0o600)

    def promote_key(self) -> None:
        """Put the staged key in the place of the key, durably; without a staged key nothing changes.

        The old one is linked before it is replaced: at no moment is there no key.
        """
        staged, current = self.directory / "key.next", self.directory / "key"
        if not staged.exists():
            return
        if current.exists():
            (self.directory / "key.previous").unlink(missing_ok=True)
            os.link(current, self.directory / "key.previous")
        os.replace(staged, current)
        files.flush_directory(self.directory)

    def drop_staged_key(self) -> None:
        """Forget a staged key under which nothing was sealed."""
        (self.directory / "key.next").unlink(missing_ok=True)

    def _read_key(self, name: str) -> bytes | None:
        try:
            key = _key(files.read_bytes(f"{self._directory}/{name}"))
        except FileNotFoundError:
            return None
        if key is None:
            raise PortableError("KEY", f"the key of zone {self.zone} is damaged: {2 * KEY_BYTES} hex digits are needed")
        return key


def resolved(configuration: Configuration, zone: str) -> Configuration:
    """Return the configuration with the tokens of a portable host put in. Raises: ZoneCfgError ZONECFG_TOKEN."""
    return zonecfg.resolve(configuration, {"zonename": zone, "global-rootzpool": GLOBAL_ROOTZPOOL})


def boot_devices(configuration: Configuration, zone: str) -> tuple[BootDevice, ...]:
    """Return the boot storage of a configuration in boot order. Raises: ZoneCfgError, SuriError."""
    return tuple(
        BootDevice(found.uri, suri.device_ids(found.uri), found.id, found.bootpri)
        for found in zonecfg.boot_storage(resolved(configuration, zone))
    )


# The inspection of thousands of zones reads the same files again and again: parsing them is most of its time.
@lru_cache(maxsize=_MOST_PARSED)
def _text(content: bytes) -> str:
    return content.decode()


@lru_cache(maxsize=_MOST_PARSED)
def text_digest(text: str) -> Digest:
    """Return the digest that names a configuration: SHA-256 of its text."""
    return Digest(hashlib.sha256(text.encode()).hexdigest())


@lru_cache(maxsize=_MOST_PARSED)
def _state(content: bytes) -> PlacementState:
    return _state_of(files.parse_json(content, "state.json"))


def _key(content: bytes) -> bytes | None:
    """Return the zone key in a key file, None when it holds anything else."""
    try:
        key = bytes.fromhex(content.decode("ascii"))
    except ValueError:
        return None
    return key if len(key) == KEY_BYTES else None


@lru_cache(maxsize=_MOST_PARSED)
def _boot_devices(text: str, zone: str) -> tuple[BootDevice, ...]:
    try:
        return boot_devices(zonecfg.parse(text), zone)
    except (ZoneCfgError, suri.SuriError) as error:
        raise PortableError("CONFIGURATION", f"the configuration of zone {zone} is damaged: {error.code}") from error


@lru_cache(maxsize=_MOST_PARSED)
def _autoboot(text: str) -> bool:
    try:
        return zonecfg.parse(text).value("autoboot") == "true"
    except ZoneCfgError:
        return False


def _state_fields(state: PlacementState) -> dict[str, Any]:
    return {
        "state": str(state.state),
        "auxiliary": list(state.auxiliary),
        "zone_uuid": str(state.zone_uuid) if state.zone_uuid else None,
        "zone_id": state.zone_id,
        "guest": list(state.guest) if state.guest else None,
        "incarnation": state.incarnation,
    }


def _state_of(fields: dict[str, Any]) -> PlacementState:
    try:
        uuid, guest = fields["zone_uuid"], fields["guest"]
        return PlacementState(
            ZoneState(fields["state"]),
            tuple(fields["auxiliary"]),
            UUID(uuid) if uuid else None,
            fields["zone_id"],
            GuestProcess(int(guest[0]), int(guest[1])) if guest else None,
            fields["incarnation"],
        )
    except (KeyError, ValueError, TypeError, IndexError) as error:
        raise PortableError("FILE", "state.json is damaged; restore it from a copy") from error
