"""What an inspection needs of an export: its text without the key, autoboot and boot storage.

Nearly every export is plain: it is written as `write` would write it again, so that its text without the key source is
the answer, and no configuration needs to be built. `plain_summary` knows such an export by its lines, checks all that
parsing would check, and leaves whatever is not plain to the parser: both ways agree (tests/kernelzone/zonecfg).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from kernelzone.suri import normalise
from kernelzone.zonecfg.boot_storage import BootStorage, boot_storage
from kernelzone.zonecfg.editor import parse
from kernelzone.zonecfg.key_source import redact
from kernelzone.zonecfg.lexer import MOST_BYTES
from kernelzone.zonecfg.model import GLOBAL_RANKS, KEY_SOURCE, NUMBERED, RESOURCE_RANKS, SINGLE, Configuration
from kernelzone.zonecfg.templates import BRAND
from kernelzone.zonecfg.tokens import resolve
from kernelzone.zonecfg.writer import write

_NAME: Final = r"[A-Za-z][A-Za-z0-9_.:-]{0,63}"
# Bare, or quoted because it must be: as `write` writes it.
_SET: Final = rf'set {_NAME}=(?:[^ \t\n";=\[\]()]+|"(?=[^"\n]*[ ;=\[\]()])[^"\n\t]+")\n'
_PLAIN: Final = re.compile(rf"create -b\n(?:{_SET})*(?:add {_NAME}\n(?:{_SET})*end\n)*\Z")
_NUMBER: Final = re.compile(r"[0-9]{1,9}\Z")
_KEY: Final = re.compile(r"[0-9a-fA-F]{32}\Z")


class Summary(NamedTuple):
    """One export. `text`: its command file without the key source; `boot_storage`: in boot order."""

    text: str
    autoboot: bool
    boot_storage: list[BootStorage]


def summary(export: str, tokens: Mapping[str, str]) -> Summary:
    """Return what an export says; tokens: those of its host, for boot storage. Raises: ZoneCfgError, SuriError."""
    return plain_summary(export) or parsed_summary(export, tokens)


def parsed_summary(export: str, tokens: Mapping[str, str]) -> Summary:
    """Return the same by parsing, for exports of every form. Raises: ZoneCfgError, SuriError."""
    found = redact(parse(export))
    devices = Configuration((), tuple(found.resources_of("device")))
    return Summary(write(found), found.value("autoboot") == "true", boot_storage(resolve(devices, tokens)))


def plain_summary(export: str) -> Summary | None:
    """Return what a plain export says, None for any other, good or bad. Raises: SuriError."""
    if len(export) * 4 > MOST_BYTES or not _PLAIN.match(export) or not export.replace("\n", "").isprintable():
        return None
    head, *blocks = export[:-1].split("\nadd ")
    ours = _pairs(head.split("\n")[1:])
    if ours is None or ours.get("brand") != BRAND or "zonename" in ours or not _in_order(ours, GLOBAL_RANKS):
        return None
    kept = [head]
    types: list[str] = []
    devices: list[dict[str, str]] = []
    for block in blocks:
        kind, *lines, _ = block.split("\n")
        pairs = _pairs(lines)
        if pairs is None or not _is_good(kind, pairs):
            return None
        if kind == "device":
            devices.append(pairs)
        types.append(f"{kind} {int(pairs['id'])}" if kind in NUMBERED else kind)
        if kind != KEY_SOURCE:
            kept.append(block)
    if not _fit(types):
        return None
    return Summary("\nadd ".join(kept) + "\n", ours.get("autoboot") == "true", _boot_storage(devices))


def _pairs(lines: list[str]) -> dict[str, str] | None:
    """Return the values of `set` lines by name, quotes and all; None when one is set twice."""
    pairs = dict([line[4:].split("=", 1) for line in lines])
    return pairs if len(pairs) == len(lines) else None


def _is_good(kind: str, pairs: Mapping[str, str]) -> bool:
    """Return whether parsing would take the resource as it stands."""
    if kind == KEY_SOURCE:
        return "raw" not in pairs or _KEY.match(pairs["raw"]) is not None
    if kind not in NUMBERED:
        return True
    numbers = [pairs.get("id", ""), pairs.get("bootpri", "0")]
    has_tokens = kind == "device" and any("%" in value for value in pairs.values())
    return not has_tokens and all(_NUMBER.match(number) for number in numbers)


def _fit(types: list[str]) -> bool:
    """Return whether the resources stand in export order, and none of a kind is there twice that may not be."""
    names = [one.partition(" ")[0] for one in types]
    limited = [one for one, name in zip(types, names, strict=True) if name in SINGLE or name in NUMBERED]
    kept = (name for name in names if name != KEY_SOURCE)
    return len(set(limited)) == len(limited) and _in_order(kept, RESOURCE_RANKS)


def _in_order(names: Iterable[str], ranks: Mapping[str, int]) -> bool:
    found = [ranks.get(name, len(ranks)) for name in names]
    return found == sorted(found)


def _boot_storage(devices: list[dict[str, str]]) -> list[BootStorage]:
    found = [
        BootStorage(normalise(one["storage"].strip('"')), int(one["id"]), int(one["bootpri"]))
        for one in devices
        if "bootpri" in one and "storage" in one
    ]
    return sorted(found, key=lambda one: (one.bootpri, one.id))
