"""Parsers of `zoneadm list`.

Fields and widths differ by release, so none is counted on but the first seven of `-p`; what follows them is
kept as it is. A state we do not know is None on its line: one new word does not hide the other zones.
Source: zoneadm(8); samples of 11.2 to 11.4 (kernel-zones facts 4.2 to 4.4).
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from kernelzone.states import ZoneState
from kernelzone.zoneadm.errors import UnparsedOutput, lines_of

_FIELDS: Final = 7
_COLON: Final = re.compile(r"(?<!\\):")
_STATES: Final = {str(state): state for state in ZoneState}


class ListedZone(NamedTuple):
    """One line of `zoneadm list`: `zone_id` None when neither ready nor running, `state` None when unknown.

    `path` and `uuid` are empty, and `rest` has no entry, where the line has none.
    """

    zone_id: int | None
    name: str
    state: ZoneState | None
    path: str
    uuid: str
    brand: str
    ip_type: str
    rest: tuple[str, ...] = ()


class AuxiliaryLine(NamedTuple):
    """One line of `zoneadm list -s`. The words of `auxiliary` are kept: later releases add some."""

    name: str
    state: ZoneState | None
    auxiliary: tuple[str, ...]


def parse_list_cp(text: str) -> list[ListedZone]:
    """Return the zones of `zoneadm list -cp` in the order printed, the global zone included.

    Raises: UnparsedOutput.
    """
    return [_fields(line) for line in lines_of(text)]


def parse_list_cv(text: str) -> list[ListedZone]:
    """Return the zones of `zoneadm list -cv`. It prints no uuid, and `-` as the path of a kernel zone.

    Raises: UnparsedOutput.
    """
    head, *rows = lines_of(text)
    if head.split()[:3] != ["ID", "NAME", "STATUS"]:
        raise UnparsedOutput("the head of the list is not the one of `list -v`")
    return [_columns(row) for row in rows]


def parse_list_s(text: str) -> list[AuxiliaryLine]:
    """Return the lines of `zoneadm list -s`. Columns are not aligned; several words may follow the state.

    Raises: UnparsedOutput.
    """
    head, *rows = lines_of(text)
    if head.split()[:3] != ["NAME", "STATUS", "AUXILIARY"]:
        raise UnparsedOutput("the head of the list is not the one of `list -s`")
    return [_auxiliary(row) for row in rows]


def _fields(line: str) -> ListedZone:
    fields = [field.replace("\\:", ":") for field in _COLON.split(line.rstrip(" \r"))]
    if len(fields) < _FIELDS:
        raise UnparsedOutput("a line of the list has fewer than seven fields")
    number, name, state, path, uuid, brand, ip_type, *rest = fields
    return ListedZone(_number(number), name, _STATES.get(state), path, uuid, brand, ip_type, tuple(rest))


def _columns(row: str) -> ListedZone:
    columns = row.split()
    if len(columns) != 6:
        raise UnparsedOutput("a row of the list has not six columns")
    number, name, state, path, brand, ip_type = columns
    path = "" if path == "-" else path
    return ListedZone(_number(number), name, _STATES.get(state), path, "", brand, ip_type)


def _auxiliary(row: str) -> AuxiliaryLine:
    name, *words = row.replace(",", " ").split()
    if not words:
        raise UnparsedOutput("a row of the list has no state")
    return AuxiliaryLine(name, _STATES.get(words[0]), tuple(words[1:]))


def _number(text: str) -> int | None:
    if text == "-":
        return None
    if not re.fullmatch(r"[0-9]{1,9}", text):
        raise UnparsedOutput("the id of a zone is not a number")
    return int(text)
