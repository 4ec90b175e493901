"""`sysadm evacuate`: the zones of a host go to their evacuation targets, one after the other, and come back with `-r`.

Each is prepared first, by a dry run: what cannot go is skipped and named, the others go. `evacuation.json` keeps what
became of each zone, for `-l` and for the return; a maintenance that begins forgets it.
Source: sysadm(8) of Solaris 11.4 and its printed examples; the words about zones that did not go are ours.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final, NamedTuple
from uuid import UUID

from kernelzone import zoneadm
from kernelzone.facts import Outcome
from kernelzone.portable import evacuation_targets, files, peers, verbs
from kernelzone.portable.errors import PortableError
from kernelzone.portable.guests import is_alive
from kernelzone.portable.host import Flag, Host
from kernelzone.portable.migrating import Options
from kernelzone.portable.placement import Placement
from kernelzone.states import ACTIVE, ZoneState
from kernelzone.words import WordError, ZoneName

EVACUATE: Final = "evacuate"
_NAME: Final = "evacuation.json"
# What `-l` tells of a zone whose migration nobody saw the end of.
_CUT_OFF: Final = "its migration was begun; `zoneadm list -cv` here and on the target shows where it is"
Say = Callable[[str], None]


class Fate(StrEnum):
    """What became of one zone."""

    EVACUATED = "EVACUATED"
    RETURNED = "RETURNED"
    SKIPPED = "SKIPPED"
    FAILED = "FAILED"


@dataclass(frozen=True, slots=True)
class Wishes:
    """How to evacuate. `every_zone`: also those that do not run. `is_return`: bring back what went."""

    dry_run: bool = False
    every_zone: bool = False
    is_return: bool = False
    overwrite: bool = False


class Moved(NamedTuple):
    """One zone: where it was to go, what became of it, and why it did not go."""

    zone: ZoneName
    fate: Fate
    target: str
    error: str


class Evacuation(NamedTuple):
    """How it ended as a whole (code DONE, PARTIAL, FAILED or a refusal), and zone by zone."""

    outcome: Outcome
    zones: tuple[Moved, ...]


class _Run(NamedTuple):
    """One evacuation at work."""

    host: Host
    wishes: Wishes
    agent: UUID | None
    say: Say


def evacuate(host: Host, wishes: Wishes, *, agent: UUID | None = None, say: Say | None = None) -> Evacuation:
    """Return how the evacuation, or the return, ended; `say` gets each line as it comes."""
    lines: list[str] = []

    def told(text: str) -> None:
        lines.append(f"sysadm: {text}")
        if say:
            say(lines[-1])

    try:
        if host.flag is Flag.DEAD:
            raise PortableError("HOST_DEAD", f"host {host.hostname} is dead")
        with _alone(host):
            run = _Run(host, wishes, agent, told)
            moved = _return(run) if wishes.is_return else _evacuate(run)
    except (PortableError, WordError) as error:
        told(error.message)
        return Evacuation(Outcome(EVACUATE, False, 1, error.code, tuple(lines)), ())
    code = _code(moved)
    is_done = code == "DONE"
    return Evacuation(Outcome(EVACUATE, is_done, 0 if is_done else 1, code, tuple(lines)), tuple(moved))


def kept(directory: Path) -> list[Moved]:
    """Return what the last evacuation of the host made of each zone, nothing when there was none."""
    try:
        found = files.read_json(directory / _NAME)
        return [Moved(ZoneName(one[0]), Fate(one[1]), str(one[2]), str(one[3])) for one in found["zones"]]
    except FileNotFoundError:
        return []
    except (KeyError, ValueError, TypeError, IndexError) as error:
        raise PortableError("FILE", f"{_NAME} is damaged; `zoneadm list -cv` on the targets shows the zones") from error


def forget(directory: Path) -> None:
    """Forget the last evacuation."""
    (directory / _NAME).unlink(missing_ok=True)


@contextmanager
def _alone(host: Host) -> Iterator[None]:
    with files.try_held(host.directory / "evacuation.lock") as is_mine:
        if not is_mine:
            raise PortableError("BUSY", "another evacuation is active")
        yield


# --- away ------------------------------------------------------------------------------------------------------------


def _evacuate(run: _Run) -> list[Moved]:
    zones = _candidates(run)
    targets = evacuation_targets.running(run.host.directory)
    if run.wishes.dry_run:
        return _tried(run, zones, targets)
    run.say(f"preparing {len(zones)} zone(s) for evacuation ...")
    prepared = [_prepared(run, zone, evacuation_targets.target_of(targets, zone)) for zone in zones]
    ready = [one for one in prepared if one.fate is Fate.EVACUATED]
    moved = [one for one in prepared if one.fate is Fate.SKIPPED]
    _keep(run.host, moved)
    run.say(f"evacuating {len(ready)} zone(s) ...")
    for one in ready:
        run.say(f"migrating {one.zone} to {zoneadm.target_hostname(one.target)} ...")
        _keep(run.host, [*moved, one._replace(fate=Fate.FAILED, error=_CUT_OFF)])
        outcome = verbs.migrate(run.host, one.zone, one.target, _options(run), agent=run.agent)
        moved.append(one if outcome.is_done else one._replace(fate=Fate.FAILED, error=_why(outcome)))
        _keep(run.host, moved)
    _conclude(run, moved, "evacuation")
    return moved


def _candidates(run: _Run) -> list[ZoneName]:
    """Return the zones that are to go: those that use the host, with `-a` those that are installed as well.

    One of which nobody can say so, its state damaged or its configuration gone, is among them: it is skipped and named.
    """
    wanted = ACTIVE | {ZoneState.INSTALLED} if run.wishes.every_zone else ACTIVE
    return [zone for zone in run.host.zones() if _is_wanted(run.host.placement(zone), wanted)]


def _is_wanted(placement: Placement, wanted: frozenset[ZoneState]) -> bool:
    try:
        return placement.state().state in wanted or is_alive(placement.guest())
    except PortableError:
        return True


def _tried(run: _Run, zones: list[ZoneName], targets: dict[str, str]) -> list[Moved]:
    tried = []
    for number, zone in enumerate(zones, 1):
        run.say(f"preparing zones for evacuation ... {number}/{len(zones)}")
        tried.append(_dry_run(run, zone, evacuation_targets.target_of(targets, zone)))
    skipped = [one for one in tried if one.fate is Fate.SKIPPED]
    for one in skipped:
        run.say(f"{one.zone}: {one.error}")
    run.say("dry-run failed" if skipped else "dry-run succeeded")
    return tried


def _prepared(run: _Run, zone: ZoneName, target: str | None) -> Moved:
    if target is not None:
        run.say(f"initializing migration of {zone} to {zoneadm.target_hostname(target)} ...")
    return _dry_run(run, zone, target)


def _dry_run(run: _Run, zone: ZoneName, target: str | None) -> Moved:
    if target is None:
        return Moved(zone, Fate.SKIPPED, "", "no evacuation target is set")
    if run.wishes.overwrite:  # the configuration there, which a dry run would look at, is about to be replaced
        return Moved(zone, Fate.EVACUATED, target, "")
    outcome = verbs.migrate(run.host, zone, target, Options(dry_run=True), agent=run.agent)
    return Moved(zone, Fate.EVACUATED if outcome.is_done else Fate.SKIPPED, target, _why(outcome))


# --- and back --------------------------------------------------------------------------------------------------------


def _return(run: _Run) -> list[Moved]:
    away = [one for one in kept(run.host.directory) if one.fate is Fate.EVACUATED]
    if run.wishes.dry_run:
        return _tried_to_return(run, away)
    run.say(f"preparing {len(away)} zone(s) for return...")
    for one in away:
        run.say(f"initializing return of {one.zone}")
    run.say(f"returning {len(away)} zone(s) ...")
    moved = []
    for one in away:
        run.say(f"migrating {one.zone}")
        outcome = _sent_back(run, one, _options(run))
        # what did not come back is still away, and may be asked for again
        moved.append(
            one._replace(fate=Fate.RETURNED, error="") if outcome.is_done else one._replace(error=_why(outcome))
        )
        _keep(run.host, moved)
    _conclude(run, [_failed_if_away(one) for one in moved], "return")
    return [_failed_if_away(one) for one in moved]


def _tried_to_return(run: _Run, away: list[Moved]) -> list[Moved]:
    tried = []
    for number, one in enumerate(away, 1):
        run.say(f"preparing zones for return ... {number}/{len(away)}")
        outcome = _sent_back(run, one, Options(dry_run=True))
        tried.append(one._replace(fate=Fate.RETURNED if outcome.is_done else Fate.SKIPPED, error=_why(outcome)))
    is_good = all(one.fate is Fate.RETURNED for one in tried)
    for one in tried:
        if one.error:
            run.say(f"{one.zone}: {one.error}")
    run.say("dry-run succeeded" if is_good else "dry-run failed")
    return tried


def _sent_back(run: _Run, one: Moved, options: Options) -> Outcome:
    """Return how the migration from the target back to this host ended; it is begun on the target."""
    try:
        there = peers.find(run.host, zoneadm.target_hostname(one.target))
    except PortableError as error:
        return Outcome("migrate", False, 1, error.code, (error.message,))
    return verbs.migrate(there, one.zone, f"ssh://{run.host.hostname}", options)


def _failed_if_away(one: Moved) -> Moved:
    return one if one.fate is Fate.RETURNED else one._replace(fate=Fate.FAILED)


# --- both ------------------------------------------------------------------------------------------------------------


def _conclude(run: _Run, moved: list[Moved], what: str) -> None:
    wrong = [one for one in moved if one.fate in (Fate.SKIPPED, Fate.FAILED)]
    ending = "completed successfully." if not wrong else f"failed for {len(wrong)} of {len(moved)} zone(s)."
    run.say(f"{what} {ending}")
    for one in moved:
        run.say(_fate_words(one))


def _fate_words(one: Moved) -> str:
    if one.fate is Fate.EVACUATED:
        return f"{one.zone}: evacuated to {one.target}"
    if one.fate is Fate.RETURNED:
        return f"{one.zone}: returned"
    return f"{one.zone}: {one.fate.lower()}: {one.error}"


def _options(run: _Run) -> Options:
    return Options(overwrite=run.wishes.overwrite)


def _why(outcome: Outcome) -> str:
    """Return the first line that says what is wrong, without who says it; nothing when all is well."""
    if outcome.is_done:
        return ""
    wrong = [line for line in outcome.lines if ": error: " in line] or list(outcome.lines[-1:])
    return wrong[0].rpartition("': ")[2].removeprefix("error: ").removeprefix("ERROR: ") if wrong else outcome.code


def _keep(host: Host, moved: list[Moved]) -> None:
    """Store what became of the zones; those that an earlier evacuation took away are away still."""
    known = {one.zone: one for one in kept(host.directory) if one.fate is Fate.EVACUATED}
    known |= {one.zone: one for one in moved}
    files.write_json(host.directory / _NAME, {"zones": [[*map(str, one)] for one in known.values()]})


def _code(moved: list[Moved]) -> str:
    wrong = sum(one.fate in (Fate.SKIPPED, Fate.FAILED) for one in moved)
    if not wrong:
        return "DONE"
    return "PARTIAL" if wrong < len(moved) else "FAILED"
