"""An interpreter of `zonecfg` commands over one configuration value.

It keeps the current configuration and the resources that are open (`add` or `select` up to `end`). Commands
that only show or store (`info`, `export`, `verify`, `commit`, `exit`) change nothing here: storing is the
caller's, and `delete` is refused because it ends the configuration altogether.
Source: zonecfg(8) of Solaris 11.4; illumos zonecfg.c for scopes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final, NamedTuple

from kernelzone.zonecfg.errors import ZoneCfgError
from kernelzone.zonecfg.lexer import NAME, Command, read_commands
from kernelzone.zonecfg.model import (
    NUMBERED,
    Configuration,
    Property,
    Resource,
    Value,
    in_export_order,
    with_property,
    with_value,
    without_property,
)
from kernelzone.zonecfg.rules import verify
from kernelzone.zonecfg.templates import TEMPLATES

_DEEPEST: Final = 3


class _Open(NamedTuple):
    """A resource between `add` or `select` and `end`; `place`: where it came from, None for a new one."""

    resource: Resource
    place: int | None


class Editor:
    """One `zonecfg` session: feed it commands, then ask for the `result`."""

    def __init__(self, base: Configuration | None = None, templates: Mapping[str, Configuration] = TEMPLATES) -> None:
        self._base = base
        self._templates = templates
        self._current = base
        self._open: list[_Open] = []

    @property
    def current(self) -> Configuration | None:
        """The configuration as it stands, without the resource that is open."""
        return self._current

    def apply(self, command: Command) -> None:
        """Carry out one command.

        Raises: ZoneCfgError ZONECFG_COMMAND, ZONECFG_SYNTAX, ZONECFG_SCOPE, ZONECFG_NO_CREATE, ZONECFG_EXISTS,
        ZONECFG_TEMPLATE, ZONECFG_NO_RESOURCE, ZONECFG_AMBIGUOUS, ZONECFG_PROPERTY, and those of `verify`.
        """
        verb = _VERBS.get(command.words[0])
        if verb is None:
            raise ZoneCfgError("ZONECFG_COMMAND", "there is no such command here", command.line)
        if self._current is None and verb is not Editor._create and verb is not Editor._nothing:
            raise ZoneCfgError("ZONECFG_NO_CREATE", "a new configuration begins with create", command.line)
        verb(self, command)

    def result(self) -> Configuration:
        """Return the verified configuration in export order.

        Raises: ZoneCfgError ZONECFG_UNFINISHED, ZONECFG_NO_CREATE, and those of `verify`.
        """
        if self._open:
            line = self._open[-1].resource.line
            raise ZoneCfgError("ZONECFG_UNFINISHED", "a resource has no end", line)
        if self._current is None:
            raise ZoneCfgError("ZONECFG_NO_CREATE", "a new configuration begins with create", 1)
        verify(self._current)
        return in_export_order(self._current)

    def _create(self, command: Command) -> None:
        flags, names = _flags(command)
        if self._open:
            raise _scope(command)
        if self._current is not None and "F" not in flags:
            raise ZoneCfgError("ZONECFG_EXISTS", "the zone is configured; create needs -F", command.line)
        if set(flags) - set("bFt") or ("t" in flags) != (len(names) == 1) or len(names) > 1:
            raise _syntax(command)
        self._current = self._started("b" in flags, names[0] if names else "SYSdefault", command)

    def _started(self, blank: bool, template: str, command: Command) -> Configuration:
        if blank:
            return Configuration()
        if template not in self._templates:
            message = "the template is not one of a kernel zone that is known here"
            raise ZoneCfgError("ZONECFG_TEMPLATE", message, command.line)
        return self._templates[template]

    def _set(self, command: Command) -> None:
        if len(command.words) != 1 or len(command.pairs) != 1 or command.values:
            raise _syntax(command)
        name, value = command.pairs[0]
        if name == "zonename" and not self._open:
            raise ZoneCfgError("ZONECFG_PROPERTY", "a zone is not renamed here", command.line)
        self._put(with_property(self._properties(), Property(name, value, line=command.line)))

    def _add(self, command: Command) -> None:
        name, values = "".join(command.words[1:2]), _values(command)
        if not NAME.match(name) or command.pairs or len(values) > 1:
            raise _syntax(command)
        if values:
            added = Property(name, values[0], added=True, line=command.line)
            self._put((*self._properties(), added))
        elif len(self._open) == _DEEPEST:
            raise _scope(command)
        else:
            self._open.append(_Open(Resource(name, line=command.line), None))

    def _select(self, command: Command) -> None:
        if len(command.words) != 2:
            raise _syntax(command)
        matches = self._matches(command, command.words[1])
        if len(matches) > 1:
            raise ZoneCfgError("ZONECFG_AMBIGUOUS", "more than one resource is meant", command.line)
        chosen = self._resources()[matches[0]]
        self._open.append(_Open(replace(chosen, line=command.line), matches[0]))

    def _remove(self, command: Command) -> None:
        flags, names = _flags(command)
        if len(names) < 1 or set(flags) - {"F"}:
            raise _syntax(command)
        if self._open and (len(names) > 1 or command.values):
            self._remove_added(command, names[0])
            return
        matches = self._matches(command, names[0])
        if len(matches) > 1 and "F" not in flags:
            raise ZoneCfgError("ZONECFG_AMBIGUOUS", "more than one resource is meant", command.line)
        kept = (one for place, one in enumerate(self._resources()) if place not in matches)
        self._put(resources=tuple(kept))

    def _remove_added(self, command: Command, name: str) -> None:
        value = (*_values(command), None)[0]
        kept = tuple(p for p in self._properties() if (p.name, p.value, p.added) != (name, value, True))
        if kept == self._properties():
            raise ZoneCfgError("ZONECFG_NO_RESOURCE", "there is no such value", command.line)
        self._put(kept)

    def _clear(self, command: Command) -> None:
        if len(command.words) != 2 or command.pairs or command.values:
            raise _syntax(command)
        self._put(without_property(self._properties(), command.words[1]))

    def _end(self, command: Command) -> None:
        if not self._open:
            raise _scope(command)
        resource, place = self._open.pop()
        siblings = self._resources()
        resource = _numbered(resource, siblings)
        if place is None:
            self._put(resources=(*siblings, resource))
        else:
            self._put(resources=(*siblings[:place], resource, *siblings[place + 1 :]))

    def _cancel(self, command: Command) -> None:
        if not self._open:
            raise _scope(command)
        self._open.pop()

    def _revert(self, command: Command) -> None:
        if self._open:
            raise _scope(command)
        self._current = self._base

    def _verify(self, command: Command) -> None:
        if self._open:
            raise _scope(command)
        self.result()

    def _nothing(self, command: Command) -> None:
        """`info`, `export` and `help` show, they change nothing."""

    def _matches(self, command: Command, resource_type: str) -> list[int]:
        """Return the places of the resources meant by `TYPE name=value ...`, at least one."""
        wanted = command.pairs
        places = [
            place
            for place, one in enumerate(self._resources())
            if one.type == resource_type and all(one.value(name) == value for name, value in wanted)
        ]
        if not places:
            raise ZoneCfgError("ZONECFG_NO_RESOURCE", "there is no such resource", command.line)
        return places

    def _inner(self) -> Resource | Configuration:
        return self._open[-1].resource if self._open else self._current or Configuration()

    def _properties(self) -> tuple[Property, ...]:
        return self._inner().properties

    def _resources(self) -> tuple[Resource, ...]:
        return self._inner().resources

    def _put(
        self, properties: tuple[Property, ...] | None = None, resources: tuple[Resource, ...] | None = None
    ) -> None:
        properties = self._properties() if properties is None else properties
        resources = self._resources() if resources is None else resources
        if self._open:
            resource, place = self._open[-1]
            changed = Resource(resource.type, properties, resources, resource.line)
            self._open[-1] = _Open(changed, place)
        else:
            self._current = Configuration(properties, resources)


def apply_commands(
    text: str | bytes,
    base: Configuration | None = None,
    templates: Mapping[str, Configuration] = TEMPLATES,
) -> Configuration:
    """Return what `base` (None: no such zone yet) becomes by the commands of `text`: all of them or none.

    What follows `exit` is not read. Raises: ZoneCfgError.
    """
    editor = Editor(base, templates)
    for command in read_commands(text):
        if command.words[0] == "exit":
            break
        editor.apply(command)
    return editor.result()


def parse(text: str | bytes) -> Configuration:
    """Return the configuration an exported command file describes, its key source included.

    Raises: ZoneCfgError with the line; the codes are those of `read_commands`, `Editor.apply` and `verify`.
    """
    return apply_commands(text)


def _flags(command: Command) -> tuple[str, tuple[str, ...]]:
    """Return (the letters of all options, the other words) behind the verb."""
    words = command.words[1:]
    letters = "".join(word[1:] for word in words if word.startswith("-"))
    return letters, tuple(word for word in words if not word.startswith("-"))


def _values(command: Command) -> tuple[Value, ...]:
    """Return the values behind the first name: `add NAME VALUE`."""
    return (*command.words[2:], *command.values)


def _numbered(resource: Resource, siblings: tuple[Resource, ...]) -> Resource:
    """Return the resource with an id: zonecfg gives the lowest free one where none was set."""
    if resource.type not in NUMBERED or resource.value("id") is not None:
        return resource
    taken = {one.value("id") for one in siblings if one.type == resource.type}
    free = next(str(number) for number in range(len(taken) + 1) if str(number) not in taken)
    return with_value(resource, "id", free)


def _syntax(command: Command) -> ZoneCfgError:
    return ZoneCfgError("ZONECFG_SYNTAX", "syntax error", command.line)


def _scope(command: Command) -> ZoneCfgError:
    return ZoneCfgError("ZONECFG_SCOPE", "the command does not belong here", command.line)


_VERBS: Final[dict[str, Callable[[Editor, Command], None]]] = {
    "create": Editor._create,
    "set": Editor._set,
    "add": Editor._add,
    "select": Editor._select,
    "remove": Editor._remove,
    "clear": Editor._clear,
    "end": Editor._end,
    "cancel": Editor._cancel,
    "revert": Editor._revert,
    "verify": Editor._verify,
    "commit": Editor._verify,
    "info": Editor._nothing,
    "export": Editor._nothing,
    "help": Editor._nothing,
}
