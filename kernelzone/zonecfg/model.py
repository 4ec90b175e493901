"""A zone configuration as a value: globals, and resources with their properties, in order.

No repr shows a value: configurations hold keys, and reprs reach tracebacks.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Final, TypeAlias


@dataclass(frozen=True)
class Complex:
    """A complex value, `(name=value,...)`: its pairs in order."""

    pairs: tuple[tuple[str, str], ...] = field(repr=False)


@dataclass(frozen=True)
class ValueList:
    """A list value, `[a,b]`."""

    items: tuple[str | Complex, ...] = field(repr=False)


Value: TypeAlias = str | Complex | ValueList


@dataclass(frozen=True)
class Property:
    """One property. `added`: written as `add NAME VALUE` instead of `set NAME=VALUE`, may repeat."""

    name: str
    value: Value = field(repr=False)
    added: bool = False
    line: int = field(default=0, compare=False, repr=False)


@dataclass(frozen=True)
class Resource:
    """One `add TYPE ... end`, with the resources nested in it."""

    type: str
    properties: tuple[Property, ...] = ()
    resources: tuple[Resource, ...] = ()
    line: int = field(default=0, compare=False, repr=False)

    def value(self, name: str) -> str | None:
        """Return the simple value of the property `name`, None when it is unset, a list or complex."""
        return _simple(self.properties, name)


@dataclass(frozen=True)
class Configuration:
    """A configuration: `properties` are the global ones."""

    properties: tuple[Property, ...] = ()
    resources: tuple[Resource, ...] = ()

    def value(self, name: str) -> str | None:
        """Return the simple value of the global property `name`, None when it is unset, a list or complex."""
        return _simple(self.properties, name)

    def resources_of(self, resource_type: str) -> Iterator[Resource]:
        """Yield the resources of one type, in order."""
        return (resource for resource in self.resources if resource.type == resource_type)

    def only(self, resource_type: str) -> Resource | None:
        """Return the resource of a type there is at most one of."""
        return next(self.resources_of(resource_type), None)

    def value_of(self, resource_type: str, name: str) -> str | None:
        """Return the property `name` of the one resource of that type, None when there is none."""
        resource = self.only(resource_type)
        return resource.value(name) if resource else None


KEY_SOURCE: Final = "keysource"
SINGLE: Final = frozenset({"capped-memory", "virtual-cpu", "suspend", "dedicated-cpu", "capped-cpu", KEY_SOURCE})
NUMBERED: Final = frozenset({"device", "anet", "net"})
"""Resources that carry an `id`, unique among their type. Source: `zonecfg info` of a kernel zone."""

_GLOBALS: Final = (
    "brand",
    "autoboot",
    "autoshutdown",
    "bootargs",
    "file-mac-profile",
    "pool",
    "limitpriv",
    "scheduling-class",
    "ip-type",
    "hostid",
    "tenant",
    "fs-allowed",
    "global-time",
    "boot-priority",
    "cpu-arch",
    "host-compatible",
)
_RESOURCES: Final = ("fs", "net", "anet", "device", "capped-memory", "virtual-cpu", "suspend")
GLOBAL_RANKS: Final = {name: rank for rank, name in enumerate(_GLOBALS)}
RESOURCE_RANKS: Final = {name: rank for rank, name in enumerate(_RESOURCES)}
"""Where a name stands in an export; one that is in none follows them all."""


def in_export_order(configuration: Configuration) -> Configuration:
    """Return the configuration with globals and resources in the order `zonecfg export` prints them.

    What is not in a published sample follows in its own order, the key source last.
    Source: the export of oracle/puppet-solaris_providers; for globals `zonecfg info` of 11.3.
    """
    return Configuration(
        tuple(sorted(configuration.properties, key=lambda p: _rank(GLOBAL_RANKS, p.name))),
        tuple(sorted(configuration.resources, key=lambda r: _rank(RESOURCE_RANKS, r.type))),
    )


def with_property(properties: tuple[Property, ...], new: Property) -> tuple[Property, ...]:
    """Return `properties` with `new` in the place of the property of its name, or at the end."""
    if any(p.name == new.name and not p.added for p in properties):
        return tuple(new if p.name == new.name and not p.added else p for p in properties)
    return (*properties, new)


def without_property(properties: tuple[Property, ...], name: str) -> tuple[Property, ...]:
    """Return `properties` without those called `name`."""
    return tuple(p for p in properties if p.name != name)


def with_value(resource: Resource, name: str, value: str) -> Resource:
    """Return the resource with the simple property `name` set."""
    return replace(resource, properties=with_property(resource.properties, Property(name, value)))


def _simple(properties: tuple[Property, ...], name: str) -> str | None:
    for found in properties:
        if found.name == name and isinstance(found.value, str):
            return found.value
    return None


def _rank(ranks: Mapping[str, int], name: str) -> int:
    return len(ranks) + 1 if name == KEY_SOURCE else ranks.get(name, len(ranks))
