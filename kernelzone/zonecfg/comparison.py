"""How two configurations of one zone differ, and which differences stand in the way of a migration.

Source: Oracle Solaris kernel zones, "Requirements for All Kernel Zone Migration Methods": memory with its page
size policy, virtual CPUs, shared devices with their ids, networks and keys must match. The suspend path must lie
on storage both hosts see, and the CPU class must be compatible.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

from kernelzone.suri import SuriError, is_shareable, normalise
from kernelzone.zonecfg.model import KEY_SOURCE, NUMBERED, SINGLE, Configuration, Property, Resource
from kernelzone.zonecfg.writer import value_text

_GLOBALS_THAT_MATTER: Final = frozenset({"brand", "cpu-arch", "host-compatible", "hostid"})
_RESOURCES_THAT_MATTER: Final = frozenset({"anet", "net", "capped-memory", "virtual-cpu", "suspend", KEY_SOURCE})
_PLACE_OF_DEVICE: Final = frozenset({"storage", "match"})
_NAMED_BY: Final = ("id", "name", "linkname", "physical", "dir")


class Difference(NamedTuple):
    """One difference. `where`: `global`, or a resource such as `device 0`; `name`: "" for the whole resource.

    left, right: the values, None where it is missing; for a key source only the words `present` and `another`.
    matters: a migration between the two would fail or change the zone.
    """

    where: str
    name: str
    left: str | None
    right: str | None
    matters: bool


def compare(left: Configuration, right: Configuration) -> list[Difference]:
    """Return the differences of two resolved configurations, globals first; the order of resources is none.

    Storage URIs are compared normalised. Local devices differ by host: only their ids matter.
    """
    ours, theirs = _texts(left.properties), _texts(right.properties)
    found = [Difference("global", name, a, b, name in _GLOBALS_THAT_MATTER) for name, a, b in _unequal(ours, theirs)]
    places = _placed(left), _placed(right)
    for where in dict.fromkeys((*places[0], *places[1])):
        found += _resource_differences(where, places[0].get(where), places[1].get(where))
    return found


def _resource_differences(where: str, left: Resource | None, right: Resource | None) -> Iterator[Difference]:
    resource_type = where.partition(" ")[0]
    if resource_type == KEY_SOURCE:
        yield from _key_difference(left, right)
    elif left is None or right is None:
        present = left or right
        matters = resource_type in _RESOURCES_THAT_MATTER or (present is not None and _is_shared(present))
        yield Difference(where, "", _presence(left), _presence(right), matters)
    else:
        shared = _is_shared(left) or _is_shared(right)
        for name, a, b in _unequal(_flat(left), _flat(right)):
            matters = resource_type in _RESOURCES_THAT_MATTER or _device_matters(resource_type, name, shared)
            yield Difference(where, name, a, b, matters)


def _key_difference(left: Resource | None, right: Resource | None) -> Iterator[Difference]:
    if left != right:
        theirs = _presence(right) if left is None or right is None else "another"
        yield Difference(KEY_SOURCE, "", _presence(left), theirs, matters=True)


def _presence(resource: Resource | None) -> str | None:
    return None if resource is None else "present"


def _device_matters(resource_type: str, name: str, shared: bool) -> bool:
    return resource_type == "device" and (shared or name not in _PLACE_OF_DEVICE)


def _is_shared(resource: Resource) -> bool:
    uri = resource.value("storage") if resource.type == "device" else None
    try:
        return uri is not None and is_shareable(uri)
    except SuriError:
        return False


def _placed(configuration: Configuration) -> dict[str, Resource]:
    """Return each resource by a name that is the same on both sides: its type with its id, name or number."""
    places: dict[str, Resource] = {}
    for resource in configuration.resources:
        names = () if resource.type in SINGLE else _NAMED_BY
        own = next((value for key in names if (value := resource.value(key))), None)
        place = resource.type if own is None else f"{resource.type} {own}"
        number = 2
        while place in places:
            place, number = f"{resource.type} #{number}", number + 1
        places[place] = resource
    return places


def _flat(resource: Resource) -> dict[str, str]:
    """Return the values of the resource and of those nested in it, each under its path."""
    texts = {name: _normal(name, text) for name, text in _texts(resource.properties).items()}
    for number, nested in enumerate(resource.resources):
        texts |= {f"{nested.type} {number} {name}": text for name, text in _flat(nested).items()}
    if resource.type in NUMBERED:
        texts.pop("id", None)
    return texts


def _texts(properties: tuple[Property, ...]) -> dict[str, str]:
    texts: dict[str, str] = {}
    for found in properties:
        text = value_text(found.value)
        texts[found.name] = f"{texts[found.name]} {text}" if found.name in texts else text
    return texts


def _normal(name: str, text: str) -> str:
    if name != "storage":
        return text
    try:
        return normalise(text)
    except SuriError:
        return text


def _unequal(left: Mapping[str, str], right: Mapping[str, str]) -> Iterator[tuple[str, str | None, str | None]]:
    for name in dict.fromkeys((*left, *right)):
        if left.get(name) != right.get(name):
            yield name, left.get(name), right.get(name)
