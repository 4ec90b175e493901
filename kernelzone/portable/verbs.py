"""The verbs of `zoneadm` on a portable host. Each returns an Outcome with the lines Solaris prints.

Every verb takes the zone's lock, settles what a crash left, asks the state table, looks at host data, and changes it
only by a claim. A zone boots only when CLEAN host data names this host.

agent: who stands in host data as the writer; the host's own uuid when a verb is typed by hand.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Final
from uuid import UUID

from kernelzone.facts import Outcome
from kernelzone.hostdata import HostDataError
from kernelzone.portable import (
    applying,
    attaching,
    changes,
    cloning,
    files,
    guests,
    keys,
    migrating,
    removing,
    renaming,
    running,
    turn,
)
from kernelzone.portable.errors import PortableError
from kernelzone.portable.host import Flag, Host
from kernelzone.portable.migrating import Options, Say
from kernelzone.portable.placement import Placement
from kernelzone.portable.turn import Turn
from kernelzone.portable.verdicts import Refused
from kernelzone.states import AuxiliaryState, Verb, ZoneState
from kernelzone.suri import SuriError
from kernelzone.zoneadm import Extended

# What keeps a zone from being settled now.
_NOT_NOW: Final = (Refused, PortableError, HostDataError, SuriError, OSError)


def install(host: Host, zone: str, *, agent: UUID | None = None) -> Outcome:
    """Return how the install ended: DONE, IN_USE, STORAGE_IN_USE, NO_STORAGE or another refusal."""
    return turn.run(host, zone, Verb.INSTALL, attaching.install, agent)


def clone(host: Host, zone: str, source: str, *, agent: UUID | None = None) -> Outcome:
    """Return how the copying of the halted zone `source` into `zone` ended; refusals as install's."""
    return turn.run(host, zone, Verb.CLONE, partial(cloning.clone, source=source), agent)


def uninstall(host: Host, zone: str, *, agent: UUID | None = None) -> Outcome:
    """Return how the uninstall ended: DONE erases what this host is proven to own, and warns of what it leaves."""
    return turn.run(host, zone, Verb.UNINSTALL, removing.uninstall, agent)


def attach(
    host: Host,
    zone: str,
    extended: Extended | str | None = None,
    *,
    agent: UUID | None = None,
    warrant_digest: bytes | None = None,
) -> Outcome:
    """Return how the attach ended: DONE, IN_USE, WRONG_KEY, NO_HOST_DATA, HD_NOT_CLEAN or another refusal.

    extended: `force-takeover` and `initialize-hostdata` are forced actions; typed by hand they have no warrant.
    """
    how = Extended(extended) if extended else None
    act = partial(attaching.attach, extended=how, warrant_digest=warrant_digest)
    return turn.run(host, zone, Verb.ATTACH, act, agent)


def finish_attach(host: Host, zone: str, *, agent: UUID | None = None) -> Outcome:
    """Return how the attach ended whose claim the caller has already won: the zone is installed here."""
    return turn.run(host, zone, Verb.ATTACH, attaching.finish, agent)


def detach(host: Host, zone: str, *, agent: UUID | None = None) -> Outcome:
    """Return how the detach ended."""
    return turn.run(host, zone, Verb.DETACH, attaching.detach, agent)


def check_detach(host: Host, zone: str) -> Outcome:
    """Return what a detach would do (`detach -n`); nothing is changed."""
    return turn.run(host, zone, Verb.DETACH, attaching.check_detach)


def verify(host: Host, zone: str) -> Outcome:
    """Return whether the zone could be used as it is configured: DONE, or VERIFY with every reason."""
    return turn.run(host, zone, Verb.VERIFY, applying.verify)


def apply(host: Host, zone: str, *, agent: UUID | None = None, dry_run: bool = False) -> Outcome:
    """Return how boot devices that were added to the configuration got their host data."""
    return turn.run(host, zone, Verb.APPLY, partial(applying.apply, dry_run=dry_run), agent)


def rename(host: Host, zone: str, name: str) -> Outcome:
    """Return how the zone got another name on this host: DONE, RENAME_EXISTS, RENAME_PATHS or another refusal."""
    return turn.run(host, zone, Verb.RENAME, partial(renaming.rename, name=name))


def ready(host: Host, zone: str, *, agent: UUID | None = None) -> Outcome:
    """Return how making the zone ready ended."""
    return turn.run(host, zone, Verb.READY, running.ready, agent)


def boot(
    host: Host, zone: str, *, agent: UUID | None = None, fresh: bool = False, options: tuple[str, ...] = ()
) -> Outcome:
    """Return how the boot ended. A suspended zone resumes; with `fresh` (`-R`) it gives its memory up.

    options: boot options, `-s` or `-m verbose`; the guest's console shows them.
    """
    return turn.run(host, zone, Verb.BOOT, partial(running.boot, fresh=fresh, options=options), agent)


def halt(host: Host, zone: str, *, agent: UUID | None = None) -> Outcome:
    """Return how the halt ended."""
    return turn.run(host, zone, Verb.HALT, running.halt, agent)


def shutdown(host: Host, zone: str, *, agent: UUID | None = None, restart: bool = False) -> Outcome:
    """Return how the shutdown ended; with `restart` (`-r`) the zone runs again."""
    return turn.run(host, zone, Verb.SHUTDOWN, running.restart if restart else running.shutdown, agent)


def reboot(host: Host, zone: str, *, agent: UUID | None = None) -> Outcome:
    """Return how the reboot ended."""
    return turn.run(host, zone, Verb.REBOOT, running.reboot, agent)


def suspend(host: Host, zone: str, *, agent: UUID | None = None) -> Outcome:
    """Return how the suspend ended."""
    return turn.run(host, zone, Verb.SUSPEND, running.suspend, agent)


def migrate(
    host: Host, zone: str, target: str, options: Options | None = None, *, agent: UUID | None = None,
    say: Say | None = None,
) -> Outcome:  # fmt: skip
    """Return how the migration to `target` (`ssh://user@host`, or a hostname) ended; `say` gets each line as it comes.

    DONE, or TARGET_UNKNOWN, TARGET_OTHER, TARGET_UNREACHABLE, TARGET_STATE, MAINTENANCE, NOT_SHARED, INCOMPATIBLE,
    CONFIG_FAILED, WRONG_KEY, CIPHER or another refusal: the zone is where it was then, unless the lines say otherwise.
    """
    lines: list[str] = []

    def told(text: str) -> None:
        lines.append(f"zoneadm: zone '{zone}': {text}")
        if say:
            say(lines[-1])

    act = partial(migrating.migrate, target=target, options=options or Options(), say=told)
    ended = turn.run(host, zone, Verb.MIGRATE, act, agent)
    return replace(ended, lines=(*lines, *ended.lines))


def mark_unavailable(host: Host, zone: str, *, agent: UUID | None = None) -> Outcome:
    """Return how marking ended. Host data is not touched."""
    return turn.run(host, zone, Verb.MARK_UNAVAILABLE, partial(_mark, state=ZoneState.UNAVAILABLE), agent)


def mark_incomplete(host: Host, zone: str, *, agent: UUID | None = None) -> Outcome:
    """Return how marking ended. Host data is not touched."""
    return turn.run(host, zone, Verb.MARK_INCOMPLETE, partial(_mark, state=ZoneState.INCOMPLETE), agent)


def autoboot(host: Host) -> list[Outcome]:
    """Boot every installed zone whose configuration says so, as the host's own start does; return how each ended.

    Each boot asks host data: a zone that another host has taken, or whose host data cannot be read, does not start.
    """
    return [boot(host, zone) for zone in host.zones() if _boots_with(host.placement(zone))]


def _boots_with(placement: Placement) -> bool:
    """Return whether the zone is to boot with its host; one whose files are damaged is not, and hides no other."""
    try:
        return placement.state().state is ZoneState.INSTALLED and placement.autoboot()
    except PortableError:
        return False


def recover(host: Host) -> None:
    """Settle what crashed verbs left on this host: open claims, and keys that were being changed.

    A zone on which another command works is left to that command. What cannot be settled now is tried again, and
    said, by the next verb on that zone: it must not be in the way of the others. A dead host writes nothing.
    """
    if host.flag is Flag.DEAD:
        return
    for zone in host.zones():
        placement = host.placement(zone)
        with files.try_held(placement.verb_lock) as is_mine, suppress(*_NOT_NOW):
            if is_mine:
                changes.recover(host, placement)
                keys.settle_key(host, placement)
                turn.settle_migration(host, placement)


def restart_guests(host: Host) -> int:
    """Start again the guests that ran when this machine stopped, and return how many.

    For the portable host nothing has happened: it never went down, so host data is neither asked nor changed.
    """
    if host.flag is Flag.DEAD:
        return 0
    return sum(_restart_guest(host, zone) for zone in host.zones())


def _restart_guest(host: Host, zone: str) -> bool:
    placement = host.placement(zone)
    stored = placement.stored_or_none()
    if (
        stored is None
        or stored.state is not ZoneState.RUNNING
        or guests.is_alive(stored.guest)
        or not placement.exists()
    ):
        return False
    if {AuxiliaryState.MIGRATING_IN, AuxiliaryState.MIGRATING_OUT} & set(stored.auxiliary):  # `recover` sees to those
        return False
    own = Turn(host, placement, stored, host.agent)
    running.start_guest(own, str(stored.incarnation), b"", stored.zone_id)
    return True


def _mark(own: Turn, *, state: ZoneState) -> tuple[str, ...]:
    own.save(state)
    return ()
