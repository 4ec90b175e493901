"""What a drill does to a host or a zone, by hand or from Python: the accidents that kzfleet is there for."""

from __future__ import annotations

import os
import shutil
import signal
import time
from dataclasses import replace
from pathlib import Path
from typing import Final

from kernelzone import words
from kernelzone.facts import Outcome
from kernelzone.portable import files, turn
from kernelzone.portable.errors import PortableError
from kernelzone.portable.guest import PANIC
from kernelzone.portable.host import Flag, Host, host_name
from kernelzone.portable.turn import Turn
from kernelzone.states import AuxiliaryState, ZoneState

PANIC_S: Final = 5.0


def panic(host: Host, zone: str) -> Outcome:
    """Return how the guest was made to panic: it writes no more, but stays; its console says so."""
    return turn.run_inside(host, zone, "panic", _panic)


def clone_host(host: Host, directory: str | os.PathLike[str], hostname: str | None = None) -> Host:
    """Return a copy of the host in a new directory, switched off: the same hostid, zones, keys and storage.

    What a restored system image is. Started (`set_flag("up")`), its zones boot where host data names the hostid both
    have: nothing in host data tells the two apart. Raises: PortableError HOST_EXISTS, HOST_NAME.
    """
    path = Path(directory).absolute()
    name = host_name(hostname or host.hostname)
    if path.exists():
        raise PortableError("HOST_EXISTS", f"{path} is there already")
    if path.is_relative_to(host.directory):
        raise PortableError("HOST_EXISTS", f"{path} is inside the host that is copied")
    shutil.copytree(host.directory, path, ignore=shutil.ignore_patterns("*.lock", ".*"))
    changed = {"flag": str(Flag.DEAD), "hostname": name}
    fields = files.read_json(path / "host.json")
    settings = {**fields["settings"], "storage": str(host.storage)}
    files.write_json(path / "host.json", {**fields, **changed, "settings": settings})
    copy = Host.open(path)
    for zone in copy.zones():
        _forget_guest(copy, zone)
    return copy


def set_hostid(host: Host, owner_hostid: str) -> Host:
    """Return the host with another hostid, as after its main board was changed; it must be off for that.

    Host data goes on naming the old one: every zone is in use by another host. Raises: PortableError HOST_RUNS,
    WordError HOSTID.
    """
    if host.flag is not Flag.DEAD:
        message = f"a board is changed while the host is off: `kz {host.directory} flag dead` first"
        raise PortableError("HOST_RUNS", message)
    with files.held(host.directory / "host.lock"):
        fields = files.read_json(host.directory / "host.json")
        files.write_json(host.directory / "host.json", {**fields, "owner_hostid": words.host_id(owner_hostid)})
    return Host.open(host.directory)


def _forget_guest(copy: Host, zone: str) -> None:
    """Let the copy of a placement know of no guest: those that run are the original's, not to be ended here."""
    placement = copy.placement(zone)
    stored = placement.stored_or_none()
    if stored and stored.guest:
        placement.save_state(replace(stored, guest=None))


def _panic(own: Turn) -> tuple[str, ...]:
    state = own.state
    assert state.guest is not None
    console = own.placement.console
    before = console.stat().st_size
    os.kill(state.guest.pid, signal.SIGUSR2)
    if not _said(console, before):
        raise PortableError("GUEST", f"the zone did not panic in time: see {console}")
    panicked = (str(AuxiliaryState.PANICKED),)
    own.save(
        ZoneState.RUNNING, auxiliary=panicked, guest=state.guest, zone_id=state.zone_id, incarnation=state.incarnation
    )
    return ()


def _said(console: Path, before: int) -> bool:
    """Return whether the guest has said in time that it panicked."""
    deadline = time.monotonic() + PANIC_S
    while time.monotonic() < deadline:
        if PANIC.encode() in console.read_bytes()[before:]:
            return True
        time.sleep(0.01)
    return False
