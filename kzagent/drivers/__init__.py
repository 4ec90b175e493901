"""What an agent can ask of one host; the agent knows no other way to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, NamedTuple, Protocol
from uuid import UUID

from kernelzone.facts import HostFacts, Outcome, PlacementFacts, ReadingFacts, Sample
from kernelzone.hostdata import ClaimJournal, ClaimOutcome, Intent
from kernelzone.hostdata import Outcome as ClaimEnd
from kernelzone.orders import ConfigurationText, EvacuateArgs, EvacuateResult, Kind, MigrateArgs
from kernelzone.states import Verb
from kernelzone.words import Digest, HostId, ZoneName

# Gets a line of output as it comes.
Say = Callable[[str], None]


STILL_RUNNING: Final = "STILL_RUNNING"
"""The code of an Outcome whose end was not seen: the verb may still be at work."""
NOTHING_BEGUN: Final = "NOTHING_BEGUN"
"""The code of a DriverError: no verb waits to be settled."""
END_UNSEEN: Final = "END_UNSEEN"
"""The code of an Outcome of a verb that is at work no more, and whose end nobody saw."""


class ForcedClaim(NamedTuple):
    """All that a forced action's claim rests on. `warrant_sha256`: of the order's payload bytes.

    `readings`: what was approved, one for each boot storage. `journal` makes the journal for a device's claim.
    `still_valid` is asked directly before the first write. `say` is told lines of output, redacted.
    """

    kind: Kind
    agent: UUID
    readings: tuple[ReadingFacts, ...]
    high_water: int
    warrant_sha256: Digest
    journal: Callable[[str], ClaimJournal]
    still_valid: Callable[[], bool]
    say: Callable[..., None] = lambda *lines: None


class ZoneDriver(Protocol):
    """One host. Every method is blocking; none raises on "refused", all raise DriverError on "could not ask"."""

    @property
    def owner_hostid(self) -> HostId:
        """The host, as it names itself in host data."""

    @property
    def is_slow(self) -> bool:
        """Whether answers take so long that many hosts are to be asked at once."""

    def is_reachable(self) -> bool:
        """Return whether the agent can speak for the host now; if not, it keeps silent about it."""

    def host(self) -> HostFacts:
        """Return the host as it says it is."""

    def placements(self) -> list[PlacementFacts]:
        """Return the zones the host knows, by name."""

    def configuration(self, zone: ZoneName) -> ConfigurationText:
        """Return the exported configuration of a zone, its key source removed."""

    def read(self, zone: ZoneName, high_water: int) -> list[ReadingFacts]:
        """Return one reading for each boot storage of a zone; a generation below `high_water` is a ROLLBACK."""

    def look_before_force(self, zone: ZoneName, high_water: int) -> list[ReadingFacts] | Outcome:
        """Return readings made now, directly before a forced action: what is approved is compared with them.

        Where asking means attaching (Solaris), and the zone was free, the Outcome of that attach: nothing is to be
        forced any more.
        """

    def sample(self, zone: ZoneName, window_s: float) -> Iterator[Sample]:
        """Yield looks at the boot storage of a zone while `window_s` passes, without writing to it."""

    def run(self, verb: Verb, zone: ZoneName, high_water: int) -> Outcome:
        """Return how a verb ended; host data of a generation below `high_water` is a ROLLBACK, and refused."""

    def begun(self, zone: ZoneName | None) -> str | None:
        """Return the verb that was begun on the zone (None: on the whole host) and whose end was not seen, else None.

        Directly after a start of the agent: one that a stop has cut off.
        """

    def settle_begun(self, zone: ZoneName) -> Outcome:
        """Return how such a verb ended, END_UNSEEN when that cannot be told. It is settled, and `begun` no more.

        Raises: DriverError STILL_RUNNING while it is at work, NOTHING_BEGUN.
        """

    def mark_unavailable(self, zone: ZoneName) -> Outcome:
        """Return how marking an installed zone unavailable ended: it boots no more before it is attached again.

        One that is unavailable already stays so, which is DONE. Host data is neither read nor changed.
        """

    def disable_autoboot(self, zone: ZoneName) -> Outcome:
        """Return how `autoboot` of the zone's configuration was set to false; false already is DONE."""

    def migrate(self, zone: ZoneName, wanted: MigrateArgs, high_water: int, say: Say) -> Outcome:
        """Return how the migration of a zone from this host ended; `say` gets each line of output as it comes."""

    def evacuate(self, wanted: EvacuateArgs, say: Say) -> EvacuateResult:
        """Return how the evacuation of this host, or the return to it, ended, zone by zone."""

    def configure(self, zone: ZoneName, text: str) -> Outcome:
        """Return how a command file without key source was taken over."""

    def claim(self, zone: ZoneName, forced: ForcedClaim) -> ClaimOutcome:
        """Return how the claim of a forced action ended; CLAIMED: on every boot storage of the zone.

        One lost after another was won is UNKNOWN. Raises: DriverError when it was refused before INTENT.
        """

    def recover(self, zone: ZoneName, device: str, intent: Intent, journal: ClaimJournal, valid: bool) -> ClaimEnd:
        """Return how a claim that a crash interrupted is settled; `valid`: its order may still write.

        Raises: DriverError when boot storage cannot be read.
        """

    def watch(self, zone: ZoneName, device: str, images: tuple[bytes, bytes]) -> ClaimEnd:
        """Return how one look at a claim that was won ended, its own record repaired where that is safe.

        Raises: DriverError when it could not be looked at now.
        """

    def finish_attach(self, zone: ZoneName) -> Outcome:
        """Return how the attach ended whose claim was won."""


# From a host's directory to its driver.
OpenDriver = Callable[[Path], ZoneDriver]
