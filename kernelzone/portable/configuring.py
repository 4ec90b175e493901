"""`zonecfg` on a portable host: what a session of commands stores, and what it prints."""

from __future__ import annotations

import shutil
from typing import NamedTuple

from kernelzone import suri, zonecfg
from kernelzone.facts import Outcome
from kernelzone.portable import files
from kernelzone.portable.errors import PortableError
from kernelzone.portable.guests import is_alive
from kernelzone.portable.host import Host
from kernelzone.portable.placement import Placement, boot_devices
from kernelzone.states import ZoneState
from kernelzone.words import WordError
from kernelzone.zonecfg import Command, Configuration, Editor, ZoneCfgError

CONFIGURE = "configure"


class Session(NamedTuple):
    """How a session ended: its exit code, the stable code, and what it printed on each stream."""

    exit_code: int
    code: str
    output: str
    errors: str


def configure(host: Host, zone: str, text: str) -> Outcome:
    """Return how a command file was taken into the zone's configuration: all of it or nothing.

    A key source in it becomes the zone's key; without one the zone keeps the key it has.
    """
    session = run(host, zone, text)
    lines = tuple((session.output + session.errors).splitlines())
    return Outcome(CONFIGURE, session.exit_code == 0, session.exit_code, session.code, lines)


def disable_autoboot(host: Host, zone: str) -> Outcome:
    """Return how `autoboot` was set to false: what `zonecfg -z ZONE "set autoboot=false"` does."""
    return configure(host, zone, "set autoboot=false")


def run(host: Host, zone: str, text: str | bytes) -> Session:
    """Return what a session of `zonecfg -z ZONE` with these commands printed and did."""
    output: list[str] = []
    try:
        placement = host.placement(zone)
        (host.directory / "zones").mkdir(exist_ok=True)
        with files.held(host.directory / "zonecfg.lock"):
            _run(placement, zonecfg.read_commands(text), output)
    except ZoneCfgError as error:
        return Session(1, error.code, "".join(output), _error_text(zone, error))
    except (PortableError, suri.SuriError, WordError) as error:
        return Session(1, error.code, "".join(output), f"zonecfg: {error.message}\n")
    return Session(0, "DONE", "".join(output), "")


def export_text(placement: Placement) -> str:
    """Return what `zonecfg export` prints, the zone key in it."""
    return zonecfg.write(_with_key(placement))


def _run(placement: Placement, commands: tuple[Command, ...], output: list[str]) -> None:
    base = _with_key(placement) if placement.exists() else None
    editor = Editor(base)
    for command in commands:
        verb = command.words[0]
        if verb == "exit":
            break
        if verb == "delete":
            _delete(placement, command)
            return
        if verb in ("info", "export"):
            output.append(_shown(placement, editor.current, command))
        else:
            editor.apply(command)
    result = editor.result()
    if result != base:
        _store(placement, base, result)


def _shown(placement: Placement, current: Configuration | None, command: Command) -> str:
    if current is None:
        raise ZoneCfgError("ZONECFG_NO_CREATE", "a new configuration begins with create", command.line)
    if command.words[0] == "export":
        return zonecfg.write(current)
    resource_type = command.words[1] if len(command.words) > 1 else None
    return zonecfg.zonecfg_info(current, placement.zone, resource_type)


def _store(placement: Placement, base: Configuration | None, result: Configuration) -> None:
    devices = boot_devices(result, placement.zone)
    before = boot_devices(base, placement.zone) if base is not None else devices
    if devices[: len(before)] != before:
        _refuse_unless_configured(placement, "its boot storage is changed, other than by devices behind those there")
    key = zonecfg.key_source(result)
    # An open must find either no zone, or one whose key is there: so the key goes first.
    placement.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    if key is not None and key != placement.key():
        placement.save_key(key)
    placement.save_text(zonecfg.write(zonecfg.redact(result)))


def _delete(placement: Placement, command: Command) -> None:
    if not placement.exists() and not placement.is_without_configuration():
        raise PortableError("NOT_CONFIGURED", f"{placement.zone}: No such zone configured")
    if "-F" not in command.words:
        text = "Input not from terminal and -F not specified:\ndelete command ignored, exiting."
        raise PortableError("CONFIRM", text)
    if is_alive(placement.guest()):
        raise PortableError("WRONG_STATE", f"zone {placement.zone} runs; halt it before it is deleted")
    if placement.exists():
        _refuse_unless_configured(placement, "it is deleted")
    # Without its state first: a state without a configuration would be a zone that is incomplete.
    (placement.directory / "state.json").unlink(missing_ok=True)
    (placement.directory / "configuration").unlink(missing_ok=True)  # from here on the zone is not configured
    shutil.rmtree(placement.directory)


def _refuse_unless_configured(placement: Placement, before: str) -> None:
    state = placement.state().state
    if state not in (ZoneState.CONFIGURED, ZoneState.UNAVAILABLE):
        raise PortableError("WRONG_STATE", f"zone {placement.zone} is {state}; it must be configured before {before}")


def _with_key(placement: Placement) -> Configuration:
    configuration, key = placement.configuration(), placement.key()
    return zonecfg.with_key_source(configuration, key) if key else configuration


def _error_text(zone: str, error: ZoneCfgError) -> str:
    if error.code == "ZONECFG_NO_CREATE":
        return f"{zone}: No such zone configured\nUse 'create' to begin configuring a new zone.\n"
    where = f"On line {error.line}:\n" if error.line else ""
    return f"{where}zonecfg: {error.message} [{error.code}]\n"
