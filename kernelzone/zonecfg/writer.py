"""A configuration as the command file that makes it, and as `zonecfg info` shows it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from kernelzone.zonecfg.errors import ZoneCfgError
from kernelzone.zonecfg.model import (
    KEY_SOURCE,
    Complex,
    Configuration,
    Property,
    Resource,
    Value,
    in_export_order,
)

_BARE: Final = re.compile(r'[^ \t\n";=\[\]()]+\Z')
_BARE_PIECE: Final = re.compile(r'[^ \t\n",;=\[\]()]+\Z')


def write(configuration: Configuration, *, force: bool = False) -> str:
    """Return the command file, its key source included: `parse(write(x))` is x in export order.

    force: begin with `create -Fb`, which replaces a configuration that is there.
    Raises: ZoneCfgError ZONECFG_VALUE for a value no command file can hold (a quote or a control character).
    """
    ordered = in_export_order(configuration)
    lines = ["create -Fb" if force else "create -b"]
    lines += [_assignment(found) for found in ordered.properties]
    for resource in ordered.resources:
        lines += _resource(resource)
    return "\n".join(lines) + "\n"


def zonecfg_info(configuration: Configuration, zone: str, resource_type: str | None = None) -> str:
    """Return what `zonecfg info [TYPE]` prints; only what is set, and never a key.

    Source: `zonecfg info` of an 11.3 kernel zone; 11.4 shows set properties alone. `raw redacted` is assumed.
    """
    ordered = in_export_order(configuration)
    lines = [] if resource_type else [f"zonename: {zone}"]
    if not resource_type:
        lines += [f"{found.name}: {value_text(found.value)}" for found in ordered.properties]
    for resource in ordered.resources:
        if resource_type in (None, resource.type):
            lines += _info(resource, "")
    return "".join(f"{line}\n" for line in lines)


def _resource(resource: Resource) -> Iterator[str]:
    yield f"add {resource.type}"
    for found in resource.properties:
        yield _assignment(found)
    for nested in resource.resources:
        yield from _resource(nested)
    yield "end"


def _assignment(found: Property) -> str:
    value = _value(found.value)
    return f"add {found.name} {value}" if found.added else f"set {found.name}={value}"


def _value(value: Value) -> str:
    if isinstance(value, str):
        return _simple(value, _BARE)
    if isinstance(value, Complex):
        return _complex(value)
    items = (_complex(item) if isinstance(item, Complex) else _simple(item, _BARE_PIECE) for item in value.items)
    return f"[{','.join(items)}]"


def _complex(value: Complex) -> str:
    return f"({','.join(f'{name}={_simple(piece, _BARE_PIECE)}' for name, piece in value.pairs)})"


def _simple(value: str, bare: re.Pattern[str]) -> str:
    if bare.match(value) and value.isprintable():
        return value
    if '"' in value or not value.replace("\t", " ").isprintable():
        raise ZoneCfgError("ZONECFG_VALUE", "a value holds a quote or a control character")
    return f'"{value}"'


def _info(resource: Resource, indent: str) -> Iterator[str]:
    yield f"{indent}{resource.type}:"
    for found in resource.properties:
        if resource.type == KEY_SOURCE:
            yield f"{indent}        {found.name} redacted"
        else:
            yield f"{indent}        {found.name}: {value_text(found.value)}"
    for nested in resource.resources:
        yield from _info(nested, f"{indent}        ")


def value_text(value: Value) -> str:
    """Return the value as people read it: simple ones without quotes."""
    return value if isinstance(value, str) else _value(value)
