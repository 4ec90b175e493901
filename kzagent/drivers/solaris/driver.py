"""The driver of Oracle Solaris hosts. It decides what the answers of a host prove; the port only fetches them.

Host data cannot be seen without attaching, and a plain attach takes a free zone. So an inspection uses lists, exports
and what the last attach said; an attach runs only when ordered, and its refusal is a reading.

Source: kernel zones of Solaris 11.2 to 11.4 (docs/solaris.md says what was never run on one).
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from kernelzone import zoneadm, zonecfg
from kernelzone.facts import HostFacts, Outcome, PlacementFacts, ReadingFacts, Sample
from kernelzone.hostdata import ClaimJournal, ClaimOutcome, Intent
from kernelzone.hostdata import Outcome as ClaimEnd
from kernelzone.orders import ConfigurationText, EvacuateArgs, EvacuateResult, Kind, MigrateArgs
from kernelzone.states import Verb, ZoneState
from kernelzone.words import HostId, ZoneName
from kernelzone.zoneadm import Extended, OutcomeKind
from kzagent.drivers import STILL_RUNNING, ForcedClaim, Say
from kzagent.drivers.solaris import configurations
from kzagent.drivers.solaris.configurations import Configurations
from kzagent.drivers.solaris.looks import Looks
from kzagent.drivers.solaris.port import Finished, HostPort
from kzagent.drivers.solaris.readings import reading_of
from kzagent.drivers.solaris.remembered import AttachMemory, attach_done, attach_said
from kzagent.errors import DriverError

logger = logging.getLogger(__name__)

PATIENCE_S: Final = 900.0
INSTALL_PATIENCE_S: Final = 4 * 3600.0
_LEADS_TO: Final = {
    Verb.INSTALL: ZoneState.INSTALLED,
    Verb.ATTACH: ZoneState.INSTALLED,
    Verb.DETACH: ZoneState.CONFIGURED,
    Verb.READY: ZoneState.READY,
    Verb.BOOT: ZoneState.RUNNING,
    Verb.HALT: ZoneState.INSTALLED,
    Verb.SHUTDOWN: ZoneState.INSTALLED,
    Verb.SUSPEND: ZoneState.INSTALLED,
    Verb.MIGRATE: ZoneState.CONFIGURED,
    Verb.MARK_UNAVAILABLE: ZoneState.UNAVAILABLE,
}
_EXTENDED: Final = {
    Kind.FORCE_TAKEOVER: Extended.FORCE_TAKEOVER,
    Kind.INITIALIZE_HOSTDATA: Extended.INITIALIZE_HOSTDATA,
}


class SolarisDriver:
    """One Solaris host. `owner_hostid`: what it must say it is. `directory`: for what the agent remembers of it."""

    def __init__(self, owner_hostid: HostId, port: HostPort, directory: Path) -> None:
        self._owner_hostid = owner_hostid
        self._port = port
        self._memory = AttachMemory(directory)
        self._configurations = Configurations(port)
        self._looks = Looks(port)
        self._facts: HostFacts | None = None

    @property
    def owner_hostid(self) -> HostId:
        """The host, as the agent's settings name it."""
        return self._owner_hostid

    @property
    def is_slow(self) -> bool:
        """True: each question is a process on the host, or a journey there."""
        return True

    def is_reachable(self) -> bool:
        """Return whether the host can be asked now."""
        return self._port.is_reachable()

    def host(self) -> HostFacts:
        """Return the host as it says it is. Raises: DriverError HOSTID when it is another one."""
        found = self._port.facts()
        if found.owner_hostid != self._owner_hostid:
            raise DriverError("HOSTID", f"the host says it is {found.owner_hostid}, not {self._owner_hostid}")
        self._facts = found
        return found

    def placements(self) -> list[PlacementFacts]:
        """Return the zones the host knows, by name."""
        listed = self._looks.all()
        known = self._configurations.of([one.name for one in listed])
        return [configurations.placement(one, known[one.name]) for one in listed]

    def configuration(self, zone: ZoneName) -> ConfigurationText:
        """Return the exported configuration of a zone, its key source removed.

        Raises: DriverError NOT_CONFIGURED, UNPARSED.
        """
        found = self._configurations.of([zone])[zone]
        if found.sha256 is None:
            self._looks.now(zone)  # NOT_CONFIGURED when that is why
            raise DriverError("UNPARSED", "the exported configuration cannot be read")
        return ConfigurationText(zone, found.text, found.sha256)

    def read(self, zone: ZoneName, high_water: int) -> list[ReadingFacts]:
        """Return what is known of host data, once for each boot storage; nobody is asked by attaching."""
        look = self._looks.of(zone)
        known = self._configurations.of([zone])[zone]
        # the newest of what the agent remembers and what the host's attach log says
        both = [said for said in (self._memory.last(zone), look.logged) if said is not None]
        newest = max(both, key=lambda said: said.at, default=None)
        return [reading_of(look.listed, device, newest, int(time.time())) for device in known.boot_storage]

    def look_before_force(self, zone: ZoneName, high_water: int) -> list[ReadingFacts] | Outcome:
        """Return the readings that a plain attach, refused, amounts to; its outcome when it was not refused."""
        if self._looks.now(zone).state == ZoneState.INSTALLED:
            marked = self.mark_unavailable(zone)
            if not marked.is_done:
                raise DriverError(marked.code, "the zone is installed here, and cannot be marked unavailable")
        outcome = self.run(Verb.ATTACH, zone, high_water)
        if outcome.code in (STILL_RUNNING, "BUSY"):
            raise DriverError(outcome.code, "an attach of the zone is still at work")
        return outcome if outcome.is_done else self.read(zone, high_water)

    def sample(self, zone: ZoneName, window_s: float) -> Iterator[Sample]:
        """Yield nothing: boot storage cannot be watched without reading a device that another host may write to."""
        return iter(())

    def run(self, verb: Verb, zone: ZoneName, high_water: int) -> Outcome:
        """Return how a verb ended, as its text, its exit code and the state afterwards together prove it."""
        return self._run(verb, zone, zoneadm.vector(verb, zone))

    def migrate(self, zone: ZoneName, wanted: MigrateArgs, high_water: int, say: Say) -> Outcome:
        """Return how `zoneadm migrate` ended. Its lines come with its end."""
        vector = zoneadm.migrate(zone, wanted.target, dry_run=wanted.dry_run, live_only=wanted.live_only)
        state = self._looks.now(zone).state
        outcome = self._run(Verb.MIGRATE, zone, vector)
        if wanted.dry_run and outcome.code == "STATE_DIFFERS" and self._looks.now(zone).state == state:
            return Outcome(outcome.verb, True, 0, "DONE", outcome.lines[:-1])  # nothing was meant to change
        return outcome

    def evacuate(self, wanted: EvacuateArgs, say: Say) -> EvacuateResult:
        """Refuse: `sysadm evacuate` is not asked for through this driver, each zone is migrated by itself."""
        raise DriverError("NOT_OFFERED", "evacuate a Solaris host with sysadm, or migrate its zones one by one")

    def mark_unavailable(self, zone: ZoneName) -> Outcome:
        """Return how marking an installed zone unavailable ended; one that is so already stays so."""
        if self._looks.now(zone).state == ZoneState.UNAVAILABLE:
            return Outcome(str(Verb.MARK_UNAVAILABLE), True, 0, "DONE", ())
        return self.run(Verb.MARK_UNAVAILABLE, zone, 0)

    def disable_autoboot(self, zone: ZoneName) -> Outcome:
        """Return how `autoboot` of the zone's configuration was set to false."""
        return self._configured(zone, "set autoboot=false\n", "disable-autoboot")

    def configure(self, zone: ZoneName, text: str) -> Outcome:
        """Return how a command file without key source was taken over; the zone keeps the key it has."""
        listed = next((one for one in self._port.zones() if one.name == zone), None)
        return self._configured(zone, configurations.commands(text, self._port, zone, listed), "configure")

    def claim(self, zone: ZoneName, forced: ForcedClaim) -> ClaimOutcome:
        """Return how `attach -x` ended. INTENT comes before it, for every boot storage."""
        self._refuse_if_at_work(zone)
        journals = [forced.journal(reading.device) for reading in forced.readings]
        for journal in journals:
            journal.intent(b"", b"", b"", b"")
        if not forced.still_valid():
            return _closed(journals, ClaimEnd.EXPIRED)
        outcome = self._run(Verb.ATTACH, zone, zoneadm.attach(zone, _EXTENDED[forced.kind]), forced)
        forced.say(*outcome.lines)
        if outcome.is_done:
            for journal in journals:
                journal.committed()
            return ClaimOutcome(ClaimEnd.CLAIMED)
        return _closed(journals, ClaimEnd.NOT_APPLIED if _is_refused(outcome) else ClaimEnd.UNKNOWN)

    def recover(self, zone: ZoneName, device: str, intent: Intent, journal: ClaimJournal, valid: bool) -> ClaimEnd:
        """Return UNKNOWN: a crash hid how `attach -x` ended, and it is never run again. The next list shows it."""
        journal.closed(str(ClaimEnd.UNKNOWN))
        return ClaimEnd.UNKNOWN

    def watch(self, zone: ZoneName, device: str, images: tuple[bytes, bytes]) -> ClaimEnd:
        """Return NOT_APPLIED: there are no images of ours that a late write could have damaged."""
        return ClaimEnd.NOT_APPLIED

    def finish_attach(self, zone: ZoneName) -> Outcome:
        """Return whether the zone is installed here: `attach -x` was claim and attach in one."""
        state = self._looks.now(zone).state
        is_there = state == ZoneState.INSTALLED
        return Outcome(
            str(Verb.ATTACH), is_there, 0, "DONE" if is_there else "STATE_DIFFERS", (f"the zone is {state}",)
        )

    def _forget(self, zone: ZoneName) -> None:
        self._configurations.forget(zone)
        self._looks.forget(zone)

    def _run(self, verb: Verb, zone: ZoneName, vector: Sequence[str], forced: ForcedClaim | None = None) -> Outcome:
        self._refuse_if_at_work(zone)
        host = self._facts or self.host()
        patience_s = INSTALL_PATIENCE_S if verb in (Verb.INSTALL, Verb.MIGRATE) else PATIENCE_S
        self._forget(zone)
        finished = self._port.run(zone, vector[3:], patience_s)
        self._forget(zone)
        found = zoneadm.classify(finished.output, finished.exit_code, zone=zone)
        if verb is Verb.ATTACH:
            now = int(time.time())
            is_done = found.kind is OutcomeKind.DONE
            self._memory.keep(zone, attach_done(now, zone, host, forced) if is_done else attach_said(now, found))
        return self._outcome(verb, zone, finished, found)

    def _outcome(self, verb: Verb, zone: ZoneName, finished: Finished, found: zoneadm.Outcome) -> Outcome:
        lines = tuple(line for line in found.text.splitlines() if line.strip())
        if finished.exit_code is None:
            return Outcome(str(verb), False, None, STILL_RUNNING, lines)
        if found.kind is not OutcomeKind.DONE:
            return Outcome(str(verb), False, finished.exit_code, _code(found.kind), lines)
        state = self._looks.now(zone).state
        if state != _LEADS_TO[verb]:
            said = f"{verb} ended without a complaint, but the zone is {state}"
            return Outcome(str(verb), False, 0, "STATE_DIFFERS", (*lines, said))
        return Outcome(str(verb), True, 0, "DONE", lines)

    def _configured(self, zone: ZoneName, commands: str, verb: str) -> Outcome:
        self._refuse_if_at_work(zone)
        self._forget(zone)
        finished = self._port.configure(zone, commands)
        self._forget(zone)
        lines = tuple(line for line in zonecfg.redact_output(finished.output).splitlines() if line.strip())
        if finished.exit_code is None:
            return Outcome(verb, False, None, STILL_RUNNING, lines)
        # zonecfg is silent when all went well; warnings are words that a person must read
        code = "DONE" if finished.exit_code == 0 and not lines else "ZONECFG" if finished.exit_code else "UNPARSED"
        return Outcome(verb, code == "DONE", finished.exit_code, code, lines)

    def _refuse_if_at_work(self, zone: ZoneName) -> None:
        try:
            is_at_work = self._port.is_at_work(zone)
        except DriverError as error:
            if error.code != "NO_COMMAND":
                raise
            is_at_work = False  # this way cannot tell; zoneadm's own lock on the zone keeps two apart
        if is_at_work:
            raise DriverError("BUSY", "a zoneadm is at work on the zone: it is waited for, and never ended")


def _is_refused(outcome: Outcome) -> bool:
    """Return whether Solaris said no in words that are known: then nothing was changed."""
    return outcome.exit_code not in (None, 0) and outcome.code != "UNPARSED"


def _closed(journals: Sequence[ClaimJournal], end: ClaimEnd) -> ClaimOutcome:
    for journal in journals:
        journal.closed(str(end))
    return ClaimOutcome(end)


def _code(kind: OutcomeKind) -> str:
    return kind.name
