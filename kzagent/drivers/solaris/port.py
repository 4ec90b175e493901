"""What the Solaris driver asks of one host, whichever way leads there: commands (local, ssh) or RAD.

A port translates and decides nothing: whose a zone is, what a refusal means and what may be tried is the driver's.
No method raises on "refused": that is a `Finished` with another exit code than 0. All raise DriverError on "could not
ask": UNREACHABLE, TIMEOUT, TOO_LARGE (more output than is read), NO_COMMAND, UNPARSED (an answer in no form we know).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, Protocol
from uuid import UUID

from kernelzone.facts import HostFacts
from kernelzone.orders import ZoneMoved
from kernelzone.words import ZoneName


class Finished(NamedTuple):
    """How one command ended, its text as the host wrote it (keys and all: whoever keeps it redacts it).

    `exit_code`: None when the end was not seen; the command may still be at work. RAD: 0, or 1 for a failure that
    carries the command's own text.
    """

    exit_code: int | None
    stdout: str
    stderr: str

    @property
    def output(self) -> str:
        """Both streams, as `kernelzone.zoneadm.classify` takes them."""
        return self.stdout + self.stderr


class ListedPlacement(NamedTuple):
    """One kernel zone (brand solaris-kz) that the host lists.

    `state`: Solaris' word, "unknown" for one that is not known. `auxiliary`: its words in the order printed.
    """

    name: ZoneName
    state: str
    auxiliary: tuple[str, ...]
    zone_uuid: UUID | None


class AttachLog(NamedTuple):
    """What the newest attach of a zone printed. `at`: posix s by the host's clock, when it began."""

    at: int
    text: str


class HostPort(Protocol):
    """One host. Every method is blocking, and may be called from several threads at once."""

    def is_reachable(self) -> bool:
        """Return whether the host can be asked now; never raises."""

    def facts(self) -> HostFacts:
        """Return the host as it says it is."""

    def zones(self) -> list[ListedPlacement]:
        """Return the kernel zones of the host by name; the global zone and other brands are left out."""

    def exports(self, zones: Sequence[ZoneName]) -> dict[ZoneName, str]:
        """Return the command file that `zonecfg export` prints, by zone; a zone that has none is left out.

        The zone key may be in it.
        """

    def evacuation_targets(self, zones: Sequence[ZoneName]) -> dict[ZoneName, str]:
        """Return the URI each zone is evacuated to, its own or the one for all; a zone without is left out."""

    def attach_logs(self, zones: Sequence[ZoneName]) -> dict[ZoneName, AttachLog]:
        """Return the newest attach log by zone; left out where there is none or this way cannot read it."""

    def device_ids(self, uris: Sequence[str]) -> dict[str, tuple[str, ...]]:
        """Return the NAA and EUI ids of the storage behind local `dev:` URIs, lower case, sorted; () if it has none.

        One that could not be asked about is left out.
        """

    def root_pool(self) -> str | None:
        """Return the name of the pool the host boots from, for the token `%{global-rootzpool}`; None if unknown."""

    def run(self, zone: ZoneName | None, words: Sequence[str], patience_s: float, place: Path) -> Finished:
        """Return how `zoneadm -z ZONE WORDS` ended, without a zone `sysadm WORDS`.

        It is never killed: after `patience_s` its end was not seen.

        words: the subcommand and its options, of `kernelzone.zoneadm.vectors`. place: a directory of the verb's own,
        for what `left` needs.
        """

    def left(self, zone: ZoneName | None, place: Path) -> Finished | None:
        """Return how a verb ended that nobody waited for, exit_code None when that cannot be told; None: at work."""

    def is_at_work(self, zone: ZoneName | None) -> bool:
        """Return whether a `zoneadm` that changes the zone is running on the host, ours or anybody's.

        zone: None for a `sysadm evacuate`.
        """

    def evacuated(self) -> list[ZoneMoved]:
        """Return what the last evacuation made of each zone, as `sysadm evacuate -l` has it."""

    def configure(self, zone: ZoneName, commands: str) -> Finished:
        """Return how `zonecfg -z ZONE -f` took over a command file; it is all taken over, or nothing.

        commands: the whole file; it may hold a key, and is passed neither in an argument nor kept.
        """
