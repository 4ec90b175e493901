"""What every configuration of a kernel zone must keep, whoever wrote it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from kernelzone.zonecfg.errors import ZoneCfgError
from kernelzone.zonecfg.model import KEY_SOURCE, NUMBERED, SINGLE, Configuration, Property, Resource
from kernelzone.zonecfg.templates import BRAND

KEY_BYTES: Final = 16
_NUMBER: Final = re.compile(r"[0-9]{1,9}\Z")
_HEX: Final = re.compile(r"(?:[0-9a-fA-F]{2})+\Z")


def verify(configuration: Configuration) -> None:
    """Return when the configuration is one of a kernel zone.

    Raises: ZoneCfgError ZONECFG_BRAND, ZONECFG_TWICE, ZONECFG_KEY_TWICE, ZONECFG_KEY_HEX, ZONECFG_KEY_LENGTH,
    ZONECFG_NUMBER, ZONECFG_ID_TWICE.
    """
    if configuration.value("brand") != BRAND:
        line = _line_of(configuration.properties, "brand")
        raise ZoneCfgError("ZONECFG_BRAND", f"the brand of a kernel zone is {BRAND}", line)
    for resource_type in sorted(SINGLE):
        _verify_single(resource_type, list(configuration.resources_of(resource_type)))
    for resource_type in sorted(NUMBERED):
        _verify_ids(resource_type, configuration.resources_of(resource_type))
    for resource in configuration.resources_of(KEY_SOURCE):
        raw_key(resource)


def raw_key(resource: Resource) -> bytes | None:
    """Return the 16 bytes of `raw` in a key source, None when it has another property instead.

    Source: none published; `raw` with 32 hex digits is an assumption.
    Raises: ZoneCfgError ZONECFG_KEY_HEX, ZONECFG_KEY_LENGTH.
    """
    raw = resource.value("raw")
    if raw is None:
        return None
    line = _line_of(resource.properties, "raw")
    if not _HEX.match(raw):
        raise ZoneCfgError("ZONECFG_KEY_HEX", "a raw key source is an even number of hex digits", line)
    if len(raw) != 2 * KEY_BYTES:
        raise ZoneCfgError("ZONECFG_KEY_LENGTH", "a raw key source has 32 hex digits", line)
    return bytes.fromhex(raw)


def _verify_single(resource_type: str, found: list[Resource]) -> None:
    if len(found) > 1:
        code = "ZONECFG_KEY_TWICE" if resource_type == KEY_SOURCE else "ZONECFG_TWICE"
        raise ZoneCfgError(code, f"there is at most one {resource_type}", found[1].line)


def _verify_ids(resource_type: str, found: Iterable[Resource]) -> None:
    seen: set[int] = set()
    for resource in found:
        _verify_numbers(resource)
        number = int(resource.value("id") or 0)
        if number in seen:
            message = f"two resources {resource_type} have one id"
            raise ZoneCfgError("ZONECFG_ID_TWICE", message, resource.line)
        seen.add(number)


def _verify_numbers(resource: Resource) -> None:
    for name in ("id", "bootpri"):
        value = resource.value(name)
        if value is not None and not _NUMBER.match(value):
            line = _line_of(resource.properties, name)
            raise ZoneCfgError("ZONECFG_NUMBER", f"{name} is a number of at most 9 digits", line)


def _line_of(properties: Iterable[Property], name: str) -> int:
    return next((found.line for found in properties if found.name == name), 0)
