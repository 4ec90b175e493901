"""The driver of portable hosts: directories of `kernelzone.portable`, acted on in this process."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import Final
from uuid import UUID

from kernelzone import zonecfg
from kernelzone.facts import BootDevice, HostFacts, Outcome, PlacementFacts, ReadingFacts, Sample
from kernelzone.hostdata import (
    ClaimJournal,
    ClaimOutcome,
    Device,
    ExpectedRegion,
    HostDataError,
    Intent,
    RegionStatus,
    change_host_data,
    initialise_host_data,
    recover_host_data,
    watch_host_data,
)
from kernelzone.hostdata import Outcome as ClaimEnd
from kernelzone.orders import ConfigurationText, EvacuateArgs, EvacuateResult, Kind, MigrateArgs, ZoneMoved
from kernelzone.portable import attaching, changes, configuring, evacuating, files, maintenance, verbs
from kernelzone.portable import high_water as marks
from kernelzone.portable.errors import PortableError
from kernelzone.portable.evacuating import Wishes
from kernelzone.portable.host import Host
from kernelzone.portable.migrating import Options
from kernelzone.portable.placement import Placement
from kernelzone.states import Verb, ZoneState
from kernelzone.suri import SuriError
from kernelzone.words import Digest, HostId, WordError, ZoneName
from kzagent.drivers import NOTHING_BEGUN, ForcedClaim, Say
from kzagent.errors import DriverError

SAMPLE_INTERVAL_S: Final = 0.5
_VERBS: Final[dict[Verb, Callable[..., Outcome]]] = {
    Verb.INSTALL: verbs.install,
    Verb.ATTACH: verbs.attach,
    Verb.DETACH: verbs.detach,
    Verb.READY: verbs.ready,
    Verb.BOOT: verbs.boot,
    Verb.HALT: verbs.halt,
    Verb.SHUTDOWN: verbs.shutdown,
    Verb.SUSPEND: verbs.suspend,
}
# A slot that opens with the key says whose the zone was; without one nobody could tell what is taken over.
_TAKEABLE: Final = frozenset({"CLEAN", "CLAIM", "SINGLE_A", "SINGLE_B", "SPLIT"})


class PortableDriver:
    """One portable host. `agent`: who stands in host data as the writer."""

    def __init__(self, directory: Path, agent: UUID) -> None:
        with _asked("open the host"):
            self._opened = Host.open(directory)
        self._agent = agent

    @property
    def owner_hostid(self) -> HostId:
        """The host, as it names itself in host data."""
        return self._opened.owner_hostid

    @property
    def _host(self) -> Host:
        """The host, as long as it is the one that was opened. Raises: PortableError HOSTID."""
        if self._opened.named_now != self._opened.owner_hostid:
            message = f"it is host {self._opened.named_now} now: start its agent again"
            raise PortableError("HOSTID", message)
        return self._opened

    @property
    def is_slow(self) -> bool:
        """False: a portable host is asked in this process."""
        return False

    def is_reachable(self) -> bool:
        """Return whether the host is up: for one that is dead, cut off, or another one now, its agent keeps silent."""
        try:
            return self._host.is_reachable
        except (OSError, ValueError, KeyError, PortableError):
            return False

    def host(self) -> HostFacts:
        """Return the host as it says it is."""
        with _asked("ask the host"):
            return self._host.facts()

    def placements(self) -> list[PlacementFacts]:
        """Return the zones the host knows, by name."""
        with _asked("list the zones"):
            return self._host.placements()

    def configuration(self, zone: ZoneName) -> ConfigurationText:
        """Return the exported configuration of a zone, without key source."""
        with _asked("export the configuration"):
            text = self._host.configuration(zone)
        return ConfigurationText(zone, text, Digest(hashlib.sha256(text.encode("utf-8")).hexdigest()))

    def read(self, zone: ZoneName, high_water: int) -> list[ReadingFacts]:
        """Return one reading for each boot storage of a zone."""
        with _asked("read host data"):
            return self._host.read(zone, high_water=high_water)

    def look_before_force(self, zone: ZoneName, high_water: int) -> list[ReadingFacts] | Outcome:
        """Return readings made now; reading changes nothing here."""
        return self.read(zone, high_water)

    def sample(self, zone: ZoneName, window_s: float) -> Iterator[Sample]:
        """Yield looks at the boot storage of a zone while `window_s` passes."""
        with _asked("watch boot storage"):
            yield from self._host.sample(zone, window_s, SAMPLE_INTERVAL_S)

    def run(self, verb: Verb, zone: ZoneName, high_water: int) -> Outcome:
        """Return how a verb ended; host data of a generation below `high_water` is a ROLLBACK, and refused."""
        with _asked(f"run {verb}"):
            self._remember(zone, high_water)
            return _VERBS[verb](self._host, zone, agent=self._agent)

    def migrate(self, zone: ZoneName, wanted: MigrateArgs, high_water: int, say: Say) -> Outcome:
        """Return how the migration ended; the target is a host beside this one."""
        with _asked("migrate"):
            self._remember(zone, high_water)
            options = Options(dry_run=wanted.dry_run, live_only=wanted.live_only, target_hostid=wanted.target_hostid)
            return verbs.migrate(self._host, zone, wanted.target, options, agent=self._agent, say=say)

    def evacuate(self, wanted: EvacuateArgs, say: Say) -> EvacuateResult:
        """Return how the evacuation or the return ended, zone by zone."""
        with _asked("evacuate"):
            wishes = Wishes(dry_run=wanted.dry_run, every_zone=wanted.every_zone, is_return=wanted.is_return)
            ended = evacuating.evacuate(self._host, wishes, agent=self._agent, say=say)
        moved = (ZoneMoved(one.zone, one.fate.lower(), one.target, one.error) for one in ended.zones)
        return EvacuateResult(ended.outcome, tuple(moved))

    def begun(self, zone: ZoneName | None) -> str | None:
        """Return None: verbs end with this process, and the host itself settles what they leave."""
        return None

    def settle_begun(self, zone: ZoneName) -> Outcome:
        """Refuse: nothing outlives this process."""
        raise DriverError(NOTHING_BEGUN, "no verb was begun there")

    def mark_unavailable(self, zone: ZoneName) -> Outcome:
        """Return how marking an installed zone unavailable ended; one that is so already stays so."""
        with _asked("mark the zone unavailable"):
            if self._host.placement(zone).state().state is ZoneState.UNAVAILABLE:
                return Outcome(str(Verb.MARK_UNAVAILABLE), True, 0, "DONE", ())
            return verbs.mark_unavailable(self._host, zone, agent=self._agent)

    def disable_autoboot(self, zone: ZoneName) -> Outcome:
        """Return how `autoboot` of the zone's configuration was set to false.

        Refused while a command works on the zone: a migration may just be taking it to another host, or back.
        """
        with _asked("switch autoboot off"):
            placement = self._host.placement(zone)
            with files.held(placement.verb_lock, wait=False) if placement.exists() else nullcontext():
                return configuring.disable_autoboot(self._host, zone)

    def configure(self, zone: ZoneName, text: str) -> Outcome:
        """Return how a command file without key source was taken over."""
        with _asked("configure"):
            wanted = zonecfg.parse(text)
            if zonecfg.key_source(wanted) is not None:
                raise DriverError("KEY_SOURCE", "a configuration comes without its key source")
            # The whole configuration is replaced; the zone keeps its key.
            commands = zonecfg.write(wanted).replace("create -b", "create -b -F", 1)
            return configuring.configure(self._host, zone, commands)

    def claim(self, zone: ZoneName, forced: ForcedClaim) -> ClaimOutcome:
        """Return how the claim of a forced action ended, on every boot storage of the zone."""
        with _asked("claim host data"):
            if maintenance.message(self._host.directory) is not None:
                raise DriverError("MAINTENANCE", "the host is in maintenance: it attaches no zone")
            placement = self._host.placement(zone)
            with files.held(placement.verb_lock, wait=False):
                claim_one = self._claim_of(placement, forced)
                return _claim_each(forced.readings, claim_one)

    def recover(self, zone: ZoneName, device: str, intent: Intent, journal: ClaimJournal, valid: bool) -> ClaimEnd:
        """Return how a claim that a crash interrupted is settled."""
        with _asked("settle a claim"):
            placement = self._host.placement(zone)
            with files.held(placement.verb_lock, wait=False):
                lock = placement.claim_lock
                path = self._host.path_of(device)
                ended = recover_host_data(
                    Device(path), intent, journal=journal, lock_path=lock, order_still_valid=valid
                )
                attaching.settle_key(self._host, placement)
                return ended

    def watch(self, zone: ZoneName, device: str, images: tuple[bytes, bytes]) -> ClaimEnd:
        """Return how one look at a claim that was won ended."""
        with _asked("look at host data again"):
            placement = self._host.placement(zone)
            key, zone_uuid = placement.key(), placement.stored_state().zone_uuid
            if key is None or zone_uuid is None:
                return ClaimEnd.LOST
            path, lock = self._host.path_of(device), placement.claim_lock
            return watch_host_data(Device(path), images, zone_key=key, zone_uuid=zone_uuid, lock_path=lock)

    def finish_attach(self, zone: ZoneName) -> Outcome:
        """Return how the attach ended whose claim was won."""
        with _asked("finish the attach"):
            if self._host.placement(zone).state().state is ZoneState.INSTALLED:
                # It was installed here while host data named another: the attach begins where Solaris' would.
                verbs.mark_unavailable(self._host, zone, agent=self._agent)
            return verbs.finish_attach(self._host, zone, agent=self._agent)

    def _remember(self, zone: ZoneName, generation: int) -> None:
        """Let the host remember what its agent has seen, perhaps from another host, before a verb looks."""
        placement = self._host.placement(zone)
        if not generation or not placement.exists():
            return
        with files.try_held(placement.verb_lock) as is_mine:  # else the verb itself says who is at work
            if is_mine:
                marks.keep(placement, {device.uri: generation for device in placement.boot_devices()})

    def _claim_of(self, placement: Placement, forced: ForcedClaim) -> Callable[[ReadingFacts], ClaimOutcome]:
        """Return what claims one boot storage; all of a zone get the same incarnation."""
        warrant = bytes.fromhex(forced.warrant_sha256)
        if forced.kind is Kind.FORCE_TAKEOVER:
            return partial(self._take_over, placement, forced, self._takeover_change(placement, forced, warrant))
        key = attaching.stage_new_key(self._host, placement)
        return partial(self._initialise, placement, forced, key, secrets.token_bytes(16), warrant)

    def _takeover_change(self, placement: Placement, forced: ForcedClaim, warrant: bytes) -> changes.Change:
        if not all(reading.status.value in _TAKEABLE for reading in forced.readings):
            raise DriverError("NO_HOST_DATA", "host data cannot be opened: nobody could tell what is taken over")
        return changes.takeover_change(self._host, placement.zone, warrant, self._agent)

    def _take_over(
        self, placement: Placement, forced: ForcedClaim, change: changes.Change, reading: ReadingFacts
    ) -> ClaimOutcome:
        key, zone_uuid = placement.key(), placement.stored_state().zone_uuid
        if key is None or zone_uuid is None:
            raise DriverError("NO_KEY", "the zone has no key or no uuid here")
        return change_host_data(
            Device(self._host.path_of(reading.device)),
            zone_key=key,
            zone_uuid=zone_uuid,
            agent=self._agent,
            change=changes.on_device(change, self._device(placement, reading)),
            journal=forced.journal(reading.device),
            lock_path=placement.claim_lock,
            expected=_expected(reading),
            high_water=max(forced.high_water, marks.seen(placement, reading.device)),
            still_valid=forced.still_valid,
        )

    def _device(self, placement: Placement, reading: ReadingFacts) -> BootDevice:
        for device in placement.boot_devices():
            if device.uri == reading.device:
                return device
        raise DriverError("NO_STORAGE", "the zone is not configured on that boot storage any more")

    def _initialise(
        self,
        placement: Placement,
        forced: ForcedClaim,
        key: bytes,
        incarnation: bytes,
        warrant: bytes,
        reading: ReadingFacts,
    ) -> ClaimOutcome:
        zone_uuid = placement.stored_state().zone_uuid
        device = self._device(placement, reading)
        if zone_uuid is None or reading.raw_sha256 is None:
            raise DriverError("NO_STORAGE", "boot storage of the zone cannot be read")
        return initialise_host_data(
            Device(self._host.path_of(reading.device)),
            zone_key=key,
            zone_uuid=zone_uuid,
            agent=self._agent,
            record=changes.initialise_record(self._host, device, warrant, self._agent, incarnation),
            journal=forced.journal(reading.device),
            lock_path=placement.claim_lock,
            expected_raw=bytes.fromhex(reading.raw_sha256),
            high_water=max(forced.high_water, marks.seen(placement, reading.device)),
            still_valid=forced.still_valid,
        )


def open_portable(directory: Path, agent: UUID) -> PortableDriver:
    """Return the driver of the portable host in `directory`. Raises: DriverError."""
    return PortableDriver(directory, agent)


def _claim_each(readings: tuple[ReadingFacts, ...], claim: Callable[[ReadingFacts], ClaimOutcome]) -> ClaimOutcome:
    """Claim one boot storage after the other; a loss after a win leaves a zone that only a person can settle."""
    outcome = ClaimOutcome(ClaimEnd.NOT_APPLIED)
    for number, reading in enumerate(readings):
        outcome = claim(reading)
        if outcome.outcome is not ClaimEnd.CLAIMED:
            return outcome if number == 0 else outcome._replace(outcome=ClaimEnd.UNKNOWN)
    return outcome


def _expected(reading: ReadingFacts) -> ExpectedRegion:
    if reading.raw_sha256 is None:
        raise DriverError("NO_STORAGE", "boot storage of the zone cannot be read")
    record = bytes.fromhex(reading.record_sha256) if reading.record_sha256 else None
    return ExpectedRegion(RegionStatus(reading.status), reading.generation, record, bytes.fromhex(reading.raw_sha256))


@contextmanager
def _asked(what: str) -> Iterator[None]:
    """Turn what a portable host raises into the one fault of drivers; the message names codes, not contents."""
    try:
        yield
    except (PortableError, HostDataError, SuriError, zonecfg.ZoneCfgError, WordError) as error:
        raise DriverError(error.code, f"could not {what}: {error.code}") from error
    except OSError as error:
        raise DriverError("IO", f"could not {what}: {error.strerror or type(error).__name__}") from error
