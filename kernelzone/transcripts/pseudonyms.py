"""Hostnames, users and addresses replaced by others, the same one always by the same one."""

from __future__ import annotations

import ipaddress
import re
from typing import Final

from kernelzone.states import AuxiliaryState, ZoneState

_IPV4: Final = re.compile(r"(?<![\d.])(?:\d{1,3}\.){3}\d{1,3}(?![\d.]*\d)")
_IPV6: Final = re.compile(r"(?<![0-9A-Za-z:.])(?:[0-9a-fA-F]{0,4}:){2,7}[0-9a-fA-F]{0,4}(?![0-9A-Za-z:])")
_MAC: Final = re.compile(r"(?<![0-9A-Za-z:])[0-9a-fA-F]{1,2}(?::[0-9a-fA-F]{1,2}){5}(?![0-9A-Za-z:])")
_ADDRESS: Final = re.compile("|".join(one.pattern for one in (_MAC, _IPV4, _IPV6)))
_AUTHORITY: Final = re.compile(r"(?i)\b[a-z]{2,8}://(?:([^\s/@:]{1,64})(?::[^\s/@]{1,64})?@)?([^\s/@:\[\]]{1,253})")
_SAID: Final = re.compile(r"(?im)^.*\b(?:hostname|host name|nodename):\s+(\S{1,253})\s*$")
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]{1,252}\Z")
_NEVER: Final = frozenset({*ZoneState, *AuxiliaryState, "global", "solaris", "solaris-kz", "root", "localhost", "auto"})


class Pseudonyms:
    """Stand-ins given so far. `kept`: names that stay as they are, zones above all."""

    def __init__(self, hostname: str, kept: frozenset[str] = frozenset()) -> None:
        self._kept = kept | _NEVER
        self._names: dict[str, str] = {}
        self._addresses: dict[str, str] = {}
        self._name(hostname, "host")

    def learn(self, text: str) -> None:
        """Take note of the hosts and users that `text` names, in URIs and in what a refused attach says."""
        for found in _AUTHORITY.finditer(text):
            self._name(found[2], "host")
            self._name(found[1] or "", "user")
        for found in _SAID.finditer(text):
            self._name(found[1], "host")

    def replaced(self, text: str, *, addresses: bool = True) -> str:
        """Return `text` with every name that is known replaced, and with `addresses` those too."""
        if self._names:
            longest_first = sorted(self._names, key=len, reverse=True)
            names = "|".join(re.escape(name) for name in longest_first)
            pattern = re.compile(rf"(?i)(?<![A-Za-z0-9-])(?:{names})(?![A-Za-z0-9-])")
            text = pattern.sub(lambda found: self._names[found[0].lower()], text)
        if not addresses:
            return text
        return _ADDRESS.sub(lambda found: self._address(found[0]), text)

    def _name(self, name: str, kind: str) -> None:
        known = name.lower()
        if known in self._names or known in self._kept or not _NAME.match(name) or _IPV4.fullmatch(name):
            return
        number = sum(stand_in.startswith(kind) for stand_in in self._names.values()) + 1
        self._names[known] = f"{kind}{number}"
        if kind == "host" and "." in name:
            self._name(name.split(".", 1)[0], "host")

    def _address(self, address: str) -> str:
        if address not in self._addresses:
            self._addresses[address] = self._stand_in(address, len(self._addresses) + 1)
        return self._addresses[address]

    def _stand_in(self, address: str, number: int) -> str:
        if _MAC.fullmatch(address):
            return f"2:0:0:0:{number >> 8 & 255:x}:{number & 255:x}"
        if ":" in address and len(re.findall("[0-9a-fA-F]+", address)) < 2:
            return address  # `::` stands between two empty fields of a list
        try:
            is_v4 = ipaddress.ip_address(address).version == 4
        except ValueError:
            return address  # a version or a time: it only looks like an address
        return f"192.0.{2 + (number >> 8 & 1)}.{number & 255}" if is_v4 else f"2001:db8::{number:x}"
