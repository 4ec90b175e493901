"""One verb's turn on one zone: locked, recovered, allowed by the state table; then its act, then an Outcome."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext, suppress
from dataclasses import replace
from typing import Final, NamedTuple
from uuid import UUID

from kernelzone import states, suri, zoneadm
from kernelzone.facts import Outcome, RegionStatus
from kernelzone.hostdata import HostDataError
from kernelzone.portable import changes, files, high_water, keys, maintenance, migration_marks, reading
from kernelzone.portable.changes import Writer
from kernelzone.portable.errors import PortableError
from kernelzone.portable.host import Flag, Host
from kernelzone.portable.placement import Placement, PlacementState
from kernelzone.portable.reading import Look
from kernelzone.portable.verdicts import Refused, said
from kernelzone.states import AuxiliaryState, Verb, ZoneState
from kernelzone.words import WordError


class Turn(NamedTuple):
    """What an act works with. `agent`: who stands in host data as the writer; `state`: when the turn began."""

    host: Host
    placement: Placement
    state: PlacementState
    agent: UUID

    def look(self) -> list[Look]:
        """Return a look at every boot storage under the configured key; what it shows is remembered."""
        looks = reading.look(self.host, self.placement, self.placement.key())
        reading.keep_uuid(self.placement, looks)
        high_water.keep(self.placement, _generations(looks))
        return looks

    def writer(self) -> Writer:
        """Return the writer of this turn, under the configured key. Raises: Refused WRONG_KEY without one."""
        key = self.placement.key()
        if key is None:
            raise Refused("WRONG_KEY", zoneadm.wrong_key_message(self.placement.zone), unavailable=True)
        return Writer(self.host, self.placement, key, self.agent)

    def save(self, state: ZoneState, **changed: object) -> None:
        """Store the zone's new state; what only a running zone has is forgotten unless it is given."""
        stored = self.placement.stored_state()
        fields = {"auxiliary": (), "zone_id": None, "guest": None, **changed}
        self.placement.save_state(replace(stored, state=state, **fields))  # type: ignore[arg-type]


Act = Callable[[Turn], tuple[str, ...]]

# How a person takes a zone that nothing else can settle: marked unavailable, then attached by force.
_ALSO_UNSETTLED: Final = frozenset({Verb.ATTACH, Verb.MARK_UNAVAILABLE})
_NOT_IN_MAINTENANCE: Final = frozenset({Verb.ATTACH, Verb.BOOT})
# What the zone must be, in the words of illumos' zoneadm, when the table says no.
_NEEDED: Final = {
    Verb.INSTALL: "configured",
    Verb.CLONE: "configured",
    Verb.ATTACH: "configured",
    Verb.DETACH: "installed",
    Verb.READY: "installed",
    Verb.BOOT: "installed",
    Verb.REBOOT: "running",
    Verb.HALT: "running",
    Verb.SHUTDOWN: "running",
    Verb.SUSPEND: "running",
    Verb.MIGRATE: "installed",
    Verb.UNINSTALL: "installed",
    Verb.APPLY: "installed",
    Verb.RENAME: "installed",
}


def run(host: Host, zone: str, verb: Verb, act: Act, agent: UUID | None = None) -> Outcome:
    """Return how `act` ended as one turn of `verb`. Only a fault of this program raises."""
    return _run(host, zone, verb, act, agent)


def run_inside(host: Host, zone: str, name: str, act: Act) -> Outcome:
    """Return how `act` ended that the guest itself does, or that is done to it: the zone must run, not panicked."""
    return _run(host, zone, name, act, None)


def refuse_panicked(turn: Turn) -> None:
    """Return when the guest can still be asked for something. Raises: Refused PANICKED."""
    if AuxiliaryState.PANICKED in turn.state.auxiliary:
        lines = ("the zone has panicked and answers nothing", "Halt it, or boot it anew with reboot")
        raise Refused("PANICKED", said(turn.placement.zone, *lines))


def _run(host: Host, zone: str, verb: Verb | str, act: Act, agent: UUID | None) -> Outcome:
    try:
        placement = host.placement(zone)
        _refuse_unless_up(host, placement)
        with files.held(placement.verb_lock, wait=False):
            lines = _take_turn(host, placement, verb, act, agent)
    except Refused as refused:
        return _refusal(verb, refused.code, refused.text)
    except (PortableError, HostDataError, suri.SuriError) as error:
        return _refusal(verb, error.code, said(zone, error.message))
    except WordError as error:
        return _refusal(verb, error.code, f"zoneadm: {error.message}\n")
    except OSError as error:
        return _refusal(verb, "IO", said(zone, f"{error.strerror or error}"))
    return Outcome(str(verb), True, 0, "DONE", lines)


def _take_turn(host: Host, placement: Placement, verb: Verb | str, act: Act, agent: UUID | None) -> tuple[str, ...]:
    changes.recover(host, placement)
    keys.settle_key(host, placement)
    with suppress(Refused) if verb in _ALSO_UNSETTLED else nullcontext():
        settle_migration(host, placement)
    state = placement.state()
    turn = Turn(host, placement, state, agent or host.agent)
    if isinstance(verb, Verb):
        _refuse_state(placement.zone, state.state, verb)
        _refuse_in_maintenance(turn, verb)
    else:
        _refuse_unless_inside(turn, verb)
    try:
        return act(turn)
    except Refused as refused:
        if refused.unavailable and state.state in (ZoneState.CONFIGURED, ZoneState.INSTALLED):
            turn.save(ZoneState.UNAVAILABLE)
        raise


def settle_migration(host: Host, placement: Placement) -> None:
    """Settle a migration of the zone that was cut off; without one nothing happens. Raises: Refused."""
    if migration_marks.read(placement) is None:
        return
    # Imported here: what settles a migration takes turns itself.
    from kernelzone.portable import migration_settling  # noqa: PLC0415

    migration_settling.settle(host, placement)


def _generations(looks: list[Look]) -> dict[str, int]:
    """Return the generation of every boot storage whose host data is whole, by URI."""
    return {one.device.uri: one.region.generation for one in looks if one.region and one.status is RegionStatus.CLEAN}


def _refuse_unless_up(host: Host, placement: Placement) -> None:
    if host.flag is Flag.DEAD:
        raise Refused("HOST_DEAD", f"kz: host {host.hostname} is dead; `kz {host.directory} flag up` starts it\n")
    if placement.is_without_configuration():
        lines = ("the configuration of the zone is missing", "Import it again with zonecfg, or delete the zone")
        raise Refused("NO_CONFIG", said(placement.zone, *lines))
    if not placement.exists():
        raise Refused("NOT_CONFIGURED", zoneadm.not_configured_message(placement.zone))


def _refuse_unless_inside(turn: Turn, name: str) -> None:
    if turn.state.state is not ZoneState.RUNNING:
        raise Refused("WRONG_STATE", zoneadm.wrong_state_message(turn.placement.zone, "running", name))
    refuse_panicked(turn)


def _refuse_in_maintenance(turn: Turn, verb: Verb) -> None:
    """Return when the host takes zones in, or that is not what `verb` does. The words are ours."""
    message = maintenance.message(turn.host.directory) if verb in _NOT_IN_MAINTENANCE else None
    if message is not None:
        text = f"zoneadm: zone '{turn.placement.zone}': {turn.host.hostname} is in maintenance: {message}\n"
        raise Refused("MAINTENANCE", text)


def _refuse_state(zone: str, state: ZoneState, verb: Verb) -> None:
    with suppress(states.VerbRefused):
        states.next_state(state, verb)
        return
    if verb is Verb.BOOT and state is ZoneState.RUNNING:
        raise Refused("ALREADY_BOOTED", zoneadm.already_booted_message(zone))
    needed = _NEEDED.get(verb, "configured")
    if state == needed or (verb is Verb.ATTACH and state is ZoneState.INSTALLED):
        raise Refused("WRONG_STATE", zoneadm.already_message(zone, str(state)))
    raise Refused("WRONG_STATE", zoneadm.wrong_state_message(zone, needed, str(verb)))


def _refusal(verb: Verb | str, code: str, text: str) -> Outcome:
    return Outcome(str(verb), False, 1, code, tuple(text.splitlines()))
