"""Storage URIs: one form each, so that two texts for one boot storage compare equal.

Source: suri(7) of Solaris 11.4 and `suriadm normalize`, which lower-cases iscsi and lu URIs, drops the default
port 3260 and strips a leading /dev. Beyond that, here, user and group are left out (they say who may reach a
file, not which file it is) and doubled slashes are joined.
"""

from __future__ import annotations

import re
from enum import StrEnum
from functools import lru_cache
from ipaddress import AddressValueError, IPv6Address
from typing import Final, NamedTuple

from kernelzone.words import StorageUri, WordError


class SuriType(StrEnum):
    """The five kinds of storage URI."""

    DEV = "dev"
    LU = "lu"
    ISCSI = "iscsi"
    NFS = "nfs"
    FILE = "file"


class SuriError(WordError):
    """A text that is no storage URI. `code` is `SURI_*`; the text is not repeated."""


class Suri(NamedTuple):
    """A storage URI taken apart. `path`: absolute, of dev, nfs and file; `host`: lower case, IPv6 in brackets.

    port: None for the default one. luname: `naa.<hex>` or `eui.<hex>`; target: an IQN, or `naa.<hex>` for lu.
    """

    type: SuriType
    path: str | None = None
    host: str | None = None
    port: int | None = None
    luname: str | None = None
    initiator: str | None = None
    target: str | None = None
    lun: int | None = None


LONGEST: Final = 1024

_DEFAULT_PORT: Final = {SuriType.ISCSI: 3260, SuriType.NFS: 2049}
_LUNAME: Final = r"luname\.((?:naa\.(?:[0-9a-f]{16}|[0-9a-f]{32})|eui\.(?:[0-9a-f]{16}|[0-9a-f]{24}|[0-9a-f]{32})))"
_LU: Final = re.compile(rf"(?:initiator\.(naa\.[0-9a-f]{{16,32}}),target\.(naa\.[0-9a-f]{{16,32}}),)?{_LUNAME}\Z")
_ISCSI_TARGET: Final = re.compile(r"target\.((?:iqn|eui|naa)\.[a-z0-9.:_-]{1,223}),lun\.([0-9]{1,5})\Z")
_AUTHORITY: Final = re.compile(
    r"(?:(?P<user>[A-Za-z0-9_.-]*(?::[A-Za-z0-9_.-]*)?)@)?"
    r"(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9][A-Za-z0-9._-]{0,252})?(?::(?P<port>[0-9]{1,5}))?\Z"
)
_DISK_NAME: Final = re.compile(r"/c[0-9]+t([0-9A-Fa-f]{16}|[0-9A-Fa-f]{32})d[0-9]+(?:[sp][0-9]+)?\Z")


@lru_cache(maxsize=256)  # a URI is asked for its form, and then for its ids
def parse(text: str) -> Suri:
    """Return the storage URI taken apart, each part in its normal form.

    Raises: SuriError SURI_LENGTH, SURI_FORM, SURI_TYPE, SURI_TOKEN, SURI_HOST, SURI_PATH, SURI_LUN.
    """
    if not 0 < len(text) <= LONGEST:
        raise SuriError("SURI_LENGTH", f"a storage URI has 1 to {LONGEST} characters")
    if not text.isprintable() or " " in text:
        raise SuriError("SURI_FORM", "a storage URI has no blanks and no control characters")
    if "%{" in text:
        raise SuriError("SURI_TOKEN", "the storage URI holds a token that is not resolved")
    scheme, colon, rest = text.partition(":")
    if not colon or scheme.lower() not in _PARSERS:
        raise SuriError("SURI_TYPE", "a storage URI begins with dev, lu, iscsi, nfs or file")
    return _PARSERS[SuriType(scheme.lower())](rest)


def normalise(text: str) -> StorageUri:
    """Return the one form of a storage URI; normalising it again changes nothing. Raises: SuriError."""
    return StorageUri(_text(parse(text)))


def is_shareable(text: str) -> bool:
    """Return whether another host can reach the storage by the same URI: nfs, iscsi and lu.

    Source: Oracle Solaris kernel zones, "Requirements for All Kernel Zone Migration Methods".
    Raises: SuriError.
    """
    return parse(text).type in {SuriType.NFS, SuriType.ISCSI, SuriType.LU}


def device_ids(text: str) -> tuple[str, ...]:
    """Return the NAA and EUI ids of the storage a URI names, lower case, sorted: none, or one.

    A dev URI gives one when its disk name carries a WWN (`c0t600144F0...d0`): that a WWN of 16 digits is an NAA id
    only when it begins with 2, 3, 5 or 6 is the NAA registry's rule.
    Raises: SuriError.
    """
    uri = parse(text)
    if uri.luname:
        return (uri.luname,)
    found = _DISK_NAME.search(uri.path or "") if uri.type is SuriType.DEV else None
    if found is None:
        return ()
    number = found[1].lower()
    return (f"{'naa' if number[0] in '2356' else 'eui'}.{number}",)


def identity(text: str) -> str:
    """Return what tells the storage from every other on one host: its NAA or EUI id, else its one form.

    `lu:luname.naa.X`, `iscsi://h/luname.naa.X` and `dev:dsk/c0tXd0` name one logical unit.
    Raises: SuriError.
    """
    return next(iter(device_ids(text)), None) or normalise(text)


def local_path(text: str) -> str | None:
    """Return the absolute path of a dev or file URI, None for the others. Raises: SuriError."""
    uri = parse(text)
    return uri.path if uri.type in {SuriType.DEV, SuriType.FILE} else None


def _dev(rest: str) -> Suri:
    if rest.startswith("//"):
        return Suri(SuriType.DEV, path=_path(rest[2:]))
    path = _path(rest if rest.startswith("/") else f"/dev/{rest}")
    if not path.startswith("/dev/"):
        raise SuriError("SURI_PATH", "a path outside /dev is written as dev://<absolute path>")
    return Suri(SuriType.DEV, path=path)


def _lu(rest: str) -> Suri:
    found = _LU.match(rest.lower())
    if found is None:
        raise SuriError("SURI_LUN", "a logical unit is named by luname.naa.<hex> or luname.eui.<hex>")
    return Suri(SuriType.LU, initiator=found[1], target=found[2], luname=found[3])


def _iscsi(rest: str) -> Suri:
    authority, path = _split(rest.lower())
    user, host, port = _authority(authority, SuriType.ISCSI)
    if user is not None or host is None:
        raise SuriError("SURI_HOST", "an iscsi URI names a host and no user")
    found = re.fullmatch(_LUNAME, path[1:])
    if found:
        return Suri(SuriType.ISCSI, host=host, port=port, luname=found[1])
    target = _ISCSI_TARGET.match(path[1:])
    if target is None:
        raise SuriError("SURI_LUN", "an iscsi URI ends in luname.naa.<hex> or target.<IQN>,lun.<number>")
    return Suri(SuriType.ISCSI, host=host, port=port, target=target[1], lun=int(target[2]))


def _nfs(rest: str) -> Suri:
    authority, path = _split(rest)
    _, host, port = _authority(authority, SuriType.NFS)
    if host is None:
        raise SuriError("SURI_HOST", "an nfs URI names a host")
    return Suri(SuriType.NFS, host=host, port=port, path=_path(path))


def _file(rest: str) -> Suri:
    if not rest.startswith("//"):
        return Suri(SuriType.FILE, path=_path(rest))
    authority, path = _split(rest)
    _, host, port = _authority(authority, SuriType.FILE)
    if host is not None or port is not None:
        raise SuriError("SURI_HOST", "a file URI names no host")
    return Suri(SuriType.FILE, path=_path(path))


def _split(rest: str) -> tuple[str, str]:
    if not rest.startswith("//"):
        raise SuriError("SURI_FORM", "'//' and a host follow the colon")
    authority, _, path = rest[2:].partition("/")
    return authority, f"/{path}"


def _authority(text: str, kind: SuriType) -> tuple[str | None, str | None, int | None]:
    found = _AUTHORITY.match(text)
    if found is None:
        raise SuriError("SURI_HOST", "the host of the URI is not one")
    port = int(found["port"]) if found["port"] else None
    if port is not None and not 0 < port < 65536:
        raise SuriError("SURI_HOST", "a port is a number from 1 to 65535")
    return found["user"], _host(found["host"]), None if port == _DEFAULT_PORT.get(kind) else port


def _host(text: str | None) -> str | None:
    if text is None or not text.startswith("["):
        return text.lower() if text else None
    try:
        return f"[{IPv6Address(text[1:-1]).compressed}]"
    except AddressValueError:
        raise SuriError("SURI_HOST", "the address in brackets is not IPv6") from None


def _path(text: str) -> str:
    parts = [part for part in text.split("/") if part not in ("", ".")]
    if not text.startswith("/") or not parts or ".." in parts:
        raise SuriError("SURI_PATH", "the path is absolute, names something and has no '..'")
    return "/" + "/".join(parts)


def _text(uri: Suri) -> str:
    path = uri.path or ""
    if uri.type is SuriType.DEV:
        return f"dev:{path.removeprefix('/dev/')}" if path.startswith("/dev/") else f"dev://{path}"
    if uri.type is SuriType.FILE:
        return f"file://{path}"
    name = f"luname.{uri.luname}" if uri.luname else f"target.{uri.target},lun.{uri.lun}"
    if uri.type is SuriType.LU:
        ports = f"initiator.{uri.initiator},target.{uri.target}," if uri.initiator else ""
        return f"lu:{ports}{name}"
    authority = f"{uri.host}:{uri.port}" if uri.port else f"{uri.host}"
    return f"nfs://{authority}{path}" if uri.type is SuriType.NFS else f"iscsi://{authority}/{name}"


_PARSERS: Final = {
    SuriType.DEV: _dev,
    SuriType.LU: _lu,
    SuriType.ISCSI: _iscsi,
    SuriType.NFS: _nfs,
    SuriType.FILE: _file,
}
