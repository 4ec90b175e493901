"""Tokens in the values of an export: `%{zonename}`, `%{id}`, `%{global-rootzpool}`, and `%%` for a percent sign.

Exports carry them unresolved; each host puts its own values in, so only resolved configurations compare.
Source: Oracle Solaris zones, "Template properties and tokens" (E57855).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from kernelzone.zonecfg.errors import ZoneCfgError
from kernelzone.zonecfg.model import KEY_SOURCE, Complex, Configuration, Property, Resource, Value, ValueList

_TOKEN: Final = re.compile(r"%%|%\{([^{}]*)\}")


def resolve(configuration: Configuration, tokens: Mapping[str, str]) -> Configuration:
    """Return the configuration with every token replaced; `%{id}` is the id of the resource it stands in.

    tokens: at least `zonename`, and `global-rootzpool` where the configuration uses it.
    Raises: ZoneCfgError ZONECFG_TOKEN for a token without a value.
    """
    return Configuration(
        tuple(_property(found, tokens) for found in configuration.properties),
        tuple(_resource(resource, tokens) for resource in configuration.resources),
    )


def _resource(resource: Resource, tokens: Mapping[str, str]) -> Resource:
    if resource.type == KEY_SOURCE:
        return resource
    own = resource.value("id")
    known = tokens if own is None else {**tokens, "id": own}
    return replace(
        resource,
        properties=tuple(_property(found, known) for found in resource.properties),
        resources=tuple(_resource(nested, known) for nested in resource.resources),
    )


def _property(found: Property, tokens: Mapping[str, str]) -> Property:
    value = _value(found.value, tokens, found.line)
    return found if value == found.value else replace(found, value=value)


def _value(value: Value, tokens: Mapping[str, str], line: int) -> Value:
    if isinstance(value, str):
        return _text(value, tokens, line)
    if isinstance(value, Complex):
        return _complex(value, tokens, line)
    return ValueList(
        tuple(
            _complex(item, tokens, line) if isinstance(item, Complex) else _text(item, tokens, line)
            for item in value.items
        )
    )


def _complex(value: Complex, tokens: Mapping[str, str], line: int) -> Complex:
    return Complex(tuple((name, _text(piece, tokens, line)) for name, piece in value.pairs))


def _text(text: str, tokens: Mapping[str, str], line: int) -> str:
    def replacement(found: re.Match[str]) -> str:
        if found[0] == "%%":
            return "%"
        if found[1] not in tokens:
            raise ZoneCfgError("ZONECFG_TOKEN", "a token has no value on this host", line)
        return tokens[found[1]]

    return _TOKEN.sub(replacement, text)
