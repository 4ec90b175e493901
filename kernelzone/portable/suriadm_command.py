"""`suriadm` as a command on a portable host: what a storage URI says, and by which URIs a device is named.

Source: suriadm(8) of Solaris 11.4. Portable storage is found by its URI alone: nothing is mapped, created or destroyed
by this command. What it prints when it fails is ours.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Final, NamedTuple

from kernelzone import suri
from kernelzone.portable.errors import PortableError
from kernelzone.portable.host import Host
from kernelzone.suri import Suri, SuriError, SuriType

USAGE: Final = """\
usage: suriadm parse [-H] [-o p,p,...] URI
       suriadm normalize URI
       suriadm lookup-uri [-t uri-type] device-path
       suriadm lookup-uri [-t uri-type] -p mapped-dev=device-path | -p luname=luname
"""
_HEAD: Final = "PROPERTY    VALUE"
_SHOWN: Final = {
    SuriType.DEV: ("uri-type", "path"),
    SuriType.LU: ("uri-type", "initiator", "target", "luname"),
    SuriType.ISCSI: ("uri-type", "hostname", "port", "luname"),
    SuriType.NFS: ("uri-type", "hostname", "port", "path"),
    SuriType.FILE: ("uri-type", "path"),
}


class Usage(Exception):
    """Options or operands that the command does not have."""


class Options(NamedTuple):
    """The options of one subcommand, by their letters, and its operands."""

    values: dict[str, str]
    operands: list[str]


def run(host: Host, words: list[str]) -> int:
    """Run one subcommand and return its exit code: 0, 1 failed, 2 usage."""
    try:
        if not words or words[0] not in _SUBCOMMANDS:
            raise Usage
        text = _SUBCOMMANDS[words[0]](host, words[1:])
    except Usage:
        sys.stderr.write(USAGE)
        return 2
    except (SuriError, PortableError) as error:
        sys.stderr.write(f"suriadm: {error.message}\n")
        return 1
    sys.stdout.write(text)
    return 0


def _parse(_host: Host, words: list[str]) -> str:
    options = _options(words, flags="H", valued="o")
    if len(options.operands) != 1:
        raise Usage
    properties = _properties(options.operands[0])
    if "o" in options.values:
        names = options.values["o"].split(",")
        if not set(names) <= properties.keys():
            raise Usage
        return "\t".join(properties[name] for name in names) + "\n"
    parsed = suri.parse(options.operands[0])
    shown = [*_SHOWN[parsed.type], *(["target", "lun"] if parsed.lun is not None else [])]
    rows = [f"{name:<11} {properties[name]}" for name in shown if name != "luname" or parsed.luname]
    return "".join(f"{row}\n" for row in ([] if "H" in options.values else [_HEAD]) + rows)


def _normalize(_host: Host, words: list[str]) -> str:
    if len(words) != 1 or words[0].startswith("-"):
        raise Usage
    return f"{suri.normalise(words[0])}\n"


def _lookup_uri(host: Host, words: list[str]) -> str:
    options = _options(words, flags="", valued="tp")
    wanted = options.values.get("t")
    if wanted is not None and wanted not in set(SuriType):
        raise Usage
    found = [uri for uri in _uris_of(host, _device_id(options)) if wanted in (None, suri.parse(uri).type)]
    if not found:
        raise PortableError("NO_STORAGE", "the device has no storage URI")
    return "".join(f"{uri}\n" for uri in found)


def _device_id(options: Options) -> str:
    """Return the NAA or EUI id of the device that was asked for. Raises: Usage, PortableError, SuriError."""
    name, _, value = options.values.get("p", "").partition("=")
    if name == "luname" and not options.operands:
        return next(iter(suri.device_ids(f"lu:luname.{value}")))
    path = value if name == "mapped-dev" and not options.operands else "".join(options.operands)
    if len(options.operands) > 1 or not path or (name and options.operands):
        raise Usage
    for device_id in suri.device_ids(f"dev:{path}"):
        return device_id
    raise PortableError("NO_STORAGE", f"{path} names no logical unit")


def _uris_of(host: Host, device_id: str) -> list[str]:
    uri = f"lu:luname.{device_id}"
    if not host.path_of(uri).exists():
        return []
    return [uri, f"dev:dsk/c0t{device_id.partition('.')[2].upper()}d0"]


def _properties(uri: str) -> dict[str, str]:
    """Return every property of a URI by its name, `-` where it has no value."""
    parsed: Suri = suri.parse(uri)
    values: dict[str, object] = {
        "uri": suri.normalise(uri),
        "uri-type": parsed.type,
        "path": parsed.path,
        "hostname": parsed.host,
        "port": parsed.port,
        "initiator": parsed.initiator,
        "target": parsed.target,
        "luname": parsed.luname,
        "lun": parsed.lun,
    }
    return {name: "-" if value is None else str(value) for name, value in values.items()}


def _options(words: list[str], *, flags: str, valued: str) -> Options:
    values: dict[str, str] = {}
    rest = list(words)
    while rest and rest[0].startswith("-"):
        letter = rest.pop(0)[1:]
        if letter in values or len(letter) != 1 or letter not in flags + valued or (letter in valued and not rest):
            raise Usage
        values[letter] = rest.pop(0) if letter in valued else ""
    return Options(values, rest)


_SUBCOMMANDS: Final[dict[str, Callable[[Host, list[str]], str]]] = {
    "parse": _parse,
    "normalize": _normalize,
    "lookup-uri": _lookup_uri,
}
