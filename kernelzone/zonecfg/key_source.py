"""The zone key in a configuration: find it, put it in, take it out."""

from __future__ import annotations

from dataclasses import replace
from typing import overload

from kernelzone.zonecfg.errors import ZoneCfgError
from kernelzone.zonecfg.model import KEY_SOURCE, Configuration, Property, Resource
from kernelzone.zonecfg.redaction import redact_text
from kernelzone.zonecfg.rules import KEY_BYTES, raw_key


def key_source(configuration: Configuration) -> bytes | None:
    """Return the 16 bytes of the zone key, None when the configuration has no key source.

    Raises: ZoneCfgError ZONECFG_KEY_FILE when the key source names the key in another way than by its digits;
    ZONECFG_KEY_HEX, ZONECFG_KEY_LENGTH.
    """
    resource = configuration.only(KEY_SOURCE)
    if resource is None:
        return None
    key = raw_key(resource)
    if key is None:
        message = "the key source does not hold the key itself"
        raise ZoneCfgError("ZONECFG_KEY_FILE", message, resource.line)
    return key


def with_key_source(configuration: Configuration, key: bytes) -> Configuration:
    """Return the configuration with `key` (16 bytes) as its only key source.

    Raises: ZoneCfgError ZONECFG_KEY_LENGTH.
    """
    if len(key) != KEY_BYTES:
        raise ZoneCfgError("ZONECFG_KEY_LENGTH", "a zone key has 16 bytes")
    source = Resource(KEY_SOURCE, (Property("raw", key.hex()),))
    return replace(configuration, resources=(*_without_keys(configuration), source))


@overload
def redact(subject: Configuration) -> Configuration: ...
@overload
def redact(subject: str) -> str: ...
def redact(subject: Configuration | str) -> Configuration | str:
    """Return the configuration, or the text of a command file whether valid or not, without key sources.

    From text, comments are left out too: they may hold anything.
    """
    if isinstance(subject, str):
        return redact_text(subject)
    return replace(subject, resources=_without_keys(subject))


def _without_keys(configuration: Configuration) -> tuple[Resource, ...]:
    return tuple(one for one in configuration.resources if one.type != KEY_SOURCE)
