"""Where the zones of a host go when it is evacuated: the property evacuation/target of their SMF services.

`system/zones/zone:ZONE` is one zone's, `system/zones/zone` that of all zones without one. `setprop` stores a value;
it counts from the next `svcadm refresh` on. Source: sysadm(8) and "Setting Evacuation Targets" of Solaris 11.4.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from kernelzone.portable import files
from kernelzone.portable.errors import PortableError

EVERY_ZONE: Final = "system/zones/zone"
_NAME: Final = "evacuation-targets.json"
_KINDS: Final = ("stored", "running")


def stored(directory: Path) -> dict[str, str]:
    """Return what `svccfg` has stored, by service: `system/zones/zone` or `system/zones/zone:ZONE`."""
    return _read(directory)["stored"]


def running(directory: Path) -> dict[str, str]:
    """Return what counts since the last refresh, by service."""
    return _read(directory)["running"]


def target_of(found: dict[str, str], zone: str) -> str | None:
    """Return the target of one zone among those `found`, None when neither it nor all zones have one."""
    return found.get(f"{EVERY_ZONE}:{zone}", found.get(EVERY_ZONE))


def store(directory: Path, service: str, target: str | None) -> None:
    """Store the target of a service, or forget it; what counts does not change yet."""
    kept = _read(directory)
    targets = {name: value for name, value in kept["stored"].items() if name != service}
    files.write_json(directory / _NAME, {**kept, "stored": targets | ({service: target} if target else {})})


def refresh(directory: Path, service: str) -> None:
    """Let what is stored for a service count from now on."""
    kept = _read(directory)
    targets = {name: value for name, value in kept["running"].items() if name != service}
    if service in kept["stored"]:
        targets[service] = kept["stored"][service]
    files.write_json(directory / _NAME, {**kept, "running": targets})


def _read(directory: Path) -> dict[str, dict[str, str]]:
    try:
        kept = files.read_json(directory / _NAME)
    except FileNotFoundError:
        return {kind: {} for kind in _KINDS}
    if set(kept) != set(_KINDS) or not all(_is_texts(kept[kind]) for kind in _KINDS):
        raise PortableError("FILE", f"{_NAME} is damaged; set the evacuation targets again")
    return kept


def _is_texts(found: object) -> bool:
    return isinstance(found, dict) and all(isinstance(value, str) for value in found.values())
