"""The driver of Oracle Solaris hosts. It decides what the answers of a host prove; the port only fetches them.

Host data cannot be seen without attaching, and a plain attach takes a free zone. So an inspection uses lists, exports
and what the last attach said; an attach runs only when ordered, and its refusal is a reading.

Source: kernel zones of Solaris 11.2 to 11.4 (docs/solaris.md says what was never run on one).
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from kernelzone import zoneadm, zonecfg
from kernelzone.facts import HostFacts, Outcome, PlacementFacts, ReadingFacts, Sample
from kernelzone.hostdata import ClaimJournal, ClaimOutcome, Intent
from kernelzone.hostdata import Outcome as ClaimEnd
from kernelzone.orders import ConfigurationText, EvacuateArgs, EvacuateResult, Kind, MigrateArgs, ZoneMoved
from kernelzone.states import Verb, ZoneState
from kernelzone.words import HostId, ZoneName
from kernelzone.zoneadm import Extended, OutcomeKind
from kzagent.drivers import END_UNSEEN, NOTHING_BEGUN, STILL_RUNNING, ForcedClaim, Say
from kzagent.drivers.solaris import configurations, evacuation
from kzagent.drivers.solaris.begun import Begun, BegunVerbs
from kzagent.drivers.solaris.configurations import Configurations
from kzagent.drivers.solaris.looks import Looks
from kzagent.drivers.solaris.port import Finished, HostPort
from kzagent.drivers.solaris.readings import reading_of
from kzagent.drivers.solaris.remembered import AttachMemory, attach_done, attach_said
from kzagent.errors import DriverError

logger = logging.getLogger(__name__)

PATIENCE_S: Final = 900.0
INSTALL_PATIENCE_S: Final = 4 * 3600.0
PATIENCE_OF: Final = dict.fromkeys([Verb.INSTALL, Verb.MIGRATE, evacuation.EVACUATE], INSTALL_PATIENCE_S)
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
        self._memory = AttachMemory(directory / "attaches")
        self._begun = BegunVerbs(directory / "verbs")
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
        if outcome.code in (STILL_RUNNING, END_UNSEEN):
            raise DriverError(outcome.code, "how the attach of the zone ended was not seen")
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
        return self._run(Verb.MIGRATE, zone, vector)

    def evacuate(self, wanted: EvacuateArgs, say: Say) -> EvacuateResult:
        """Return how `sysadm evacuate` ended, zone by zone as it lists them then. Its lines come with its end."""
        self._make_way(None)
        before = self.placements()
        vector = zoneadm.evacuate(dry_run=wanted.dry_run, every_zone=wanted.every_zone, is_return=wanted.is_return)
        finished = self._finished(None, Begun(evacuation.EVACUATE, tuple(vector[1:]), int(time.time())))
        for one in before:
            self._forget(one.zone)
        if finished.exit_code is not None:
            self._begun.forget(None)
        result = evacuation.result_of(finished, self._fates(finished, wanted, before))
        for line in result.outcome.lines:
            say(line)
        return result

    def _fates(self, finished: Finished, wanted: EvacuateArgs, before: list[PlacementFacts]) -> list[ZoneMoved]:
        """Return what became of each zone; what a dry run would do with them when it succeeds."""
        if wanted.dry_run:
            is_good = finished.exit_code == 0 and not wanted.is_return
            return evacuation.candidates(before, wanted) if is_good else []
        try:
            listed = [] if finished.exit_code is None else self._port.evacuated()
        except DriverError:
            return []  # it has ended nevertheless: exit code and words say how
        return evacuation.fates(listed, before, wanted) if finished.exit_code is not None else []

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
        self._make_way(zone)
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

    def begun(self, zone: ZoneName | None) -> str | None:
        """Return the verb that was begun there and whose end was not seen."""
        found = self._begun.found(zone)
        return found.verb if found else None

    def settle_begun(self, zone: ZoneName) -> Outcome:
        """Return how the verb ended, as what it printed, its exit code and the state now prove it.

        Raises: DriverError STILL_RUNNING while it is at work, NOTHING_BEGUN.
        """
        begun = self._begun.found(zone)
        if begun is None:
            raise DriverError(NOTHING_BEGUN, "no verb was begun there")
        is_mine = self._begun.is_waited_for(zone)
        finished = None if is_mine else self._port.left(zone, self._begun.place(zone))
        if finished is None:
            raise DriverError(STILL_RUNNING, f"{begun.verb} is at work on the zone: it is waited for, and never ended")
        outcome = self._ended(begun, zone, finished, None)
        self._begun.forget(zone)
        return outcome if finished.exit_code is not None else replace(outcome, code=END_UNSEEN)

    def recover(self, zone: ZoneName, device: str, intent: Intent, journal: ClaimJournal, valid: bool) -> ClaimEnd:
        """Return UNKNOWN: a crash hid how `attach -x` ended, and it is never run again. The next list shows it.

        It may still be at work: then it is waited for. What it said is a reading.
        """
        try:
            self.settle_begun(zone)
        except DriverError as error:
            if error.code != NOTHING_BEGUN:
                raise
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
        self._make_way(zone)
        if self._facts is None:
            self.host()
        begun = Begun(str(verb), tuple(vector[3:]), int(time.time()))
        finished = self._finished(zone, begun)
        outcome = self._ended(begun, zone, finished, forced)
        if finished.exit_code is not None:
            self._begun.forget(zone)
        return outcome

    def _finished(self, zone: ZoneName | None, begun: Begun) -> Finished:
        """Return how the command ended. That it was begun is kept, until somebody forgets it."""
        place = self._begun.begin(zone, begun)
        try:
            return self._port.run(zone, begun.words, PATIENCE_OF.get(begun.verb, PATIENCE_S), place)
        except DriverError:
            self._begun.forget(zone)  # it was not begun after all
            raise
        finally:
            self._begun.wait_no_more(zone)

    def _ended(self, begun: Begun, zone: ZoneName, finished: Finished, forced: ForcedClaim | None) -> Outcome:
        """Return how a verb ended; what an attach said is remembered, for it is a reading."""
        self._forget(zone)
        found = zoneadm.classify(finished.output, finished.exit_code, zone=zone)
        if begun.verb == Verb.ATTACH:
            now, is_done = int(time.time()), found.kind is OutcomeKind.DONE
            host = self._facts or self.host()
            self._memory.keep(zone, attach_done(now, zone, host, forced) if is_done else attach_said(now, found))
        return self._outcome(begun, zone, finished, found)

    def _outcome(self, begun: Begun, zone: ZoneName, finished: Finished, found: zoneadm.Outcome) -> Outcome:
        lines = tuple(line for line in found.text.splitlines() if line.strip())
        if finished.exit_code is None:
            return Outcome(begun.verb, False, None, STILL_RUNNING, lines)
        if found.kind is not OutcomeKind.DONE:
            return Outcome(begun.verb, False, finished.exit_code, _code(found.kind), lines)
        try:
            state, wanted = self._looks.now(zone).state, _leads_to(begun)
        except DriverError as error:
            said = f"{begun.verb} complained of nothing; what became of the zone cannot be seen ({error.code})"
            return Outcome(begun.verb, False, 0, END_UNSEEN, (*lines, said))
        if wanted is not None and state != wanted:
            said = f"{begun.verb} ended without a complaint, but the zone is {state}"
            return Outcome(begun.verb, False, 0, "STATE_DIFFERS", (*lines, said))
        return Outcome(begun.verb, True, 0, "DONE", lines)

    def _configured(self, zone: ZoneName, commands: str, verb: str) -> Outcome:
        self._make_way(zone)
        self._forget(zone)
        finished = self._port.configure(zone, commands)
        self._forget(zone)
        lines = tuple(line for line in zonecfg.redact_output(finished.output).splitlines() if line.strip())
        if finished.exit_code is None:
            return Outcome(verb, False, None, STILL_RUNNING, lines)
        # zonecfg is silent when all went well; warnings are words that a person must read
        code = "DONE" if finished.exit_code == 0 and not lines else "ZONECFG" if finished.exit_code else "UNPARSED"
        return Outcome(verb, code == "DONE", finished.exit_code, code, lines)

    def _make_way(self, zone: ZoneName | None) -> None:
        """Let nothing be at work on the zone, or evacuate the host. Raises: DriverError BUSY."""
        try:
            self._settle_or_forget(zone)
        except DriverError as error:
            if error.code == STILL_RUNNING:
                raise DriverError("BUSY", error.message) from error
            if error.code != NOTHING_BEGUN:
                raise
        try:
            is_at_work = self._port.is_at_work(zone)
        except DriverError as error:
            if error.code != "NO_COMMAND":
                raise
            is_at_work = False  # this way cannot tell; zoneadm's own lock on the zone keeps two apart
        if is_at_work:
            what = f"a zoneadm is at work on {zone}" if zone else "the host is being evacuated"
            raise DriverError("BUSY", f"{what}: it is waited for, and never ended")

    def _settle_or_forget(self, zone: ZoneName | None) -> None:
        if zone is not None:
            self.settle_begun(zone)
            return
        is_begun = self._begun.found(None) is not None
        is_mine = self._begun.is_waited_for(None)
        if is_begun and (is_mine or self._port.left(None, self._begun.place(None)) is None):
            raise DriverError(STILL_RUNNING, "the host is being evacuated: it is waited for, and never ended")
        if is_begun:
            self._begun.forget(None)  # `sysadm evacuate -l` knows what became of the zones


def _leads_to(begun: Begun) -> ZoneState | None:
    """Return the state that shows that the verb did what it is for, None for a dry run, which leads nowhere."""
    return None if not begun.verb or "-n" in begun.words else _LEADS_TO[Verb(begun.verb)]


def _is_refused(outcome: Outcome) -> bool:
    """Return whether Solaris said no in words that are known: then nothing was changed."""
    return outcome.exit_code not in (None, 0) and outcome.code != "UNPARSED"


def _closed(journals: Sequence[ClaimJournal], end: ClaimEnd) -> ClaimOutcome:
    for journal in journals:
        journal.closed(str(end))
    return ClaimOutcome(end)


def _code(kind: OutcomeKind) -> str:
    return kind.name
