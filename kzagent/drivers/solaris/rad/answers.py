"""RAD's answers about zones as values. What has another form than the documented one is UNPARSED, never a guess.

Source: zonemgr(3RAD) of Solaris 11.3 and 11.4; answers shown in rad_rest_zones_basic of oracle/oraclesolaris-contrib.
"""

from __future__ import annotations

import re
from typing import Any, Final, NamedTuple
from uuid import UUID

from kernelzone.states import ZoneState
from kernelzone.words import WordError, ZoneName, zone_name
from kernelzone.zonecfg import BRAND
from kzagent.drivers.solaris.port import Finished, ListedPlacement
from kzagent.errors import DriverError

NO_ERROR: Final = "NONE"
ERROR_CODES: Final = (
    NO_ERROR,
    "FRAMEWORK_ERROR",
    "SNAPSHOT_ERROR",
    "COMMAND_ERROR",
    "RESOURCE_ALREADY_EXISTS",
    "RESOURCE_NOT_FOUND",
    "RESOURCE_TOO_MANY",
    "RESOURCE_UNKNOWN",
    "ALREADY_EDITING",
    "PROPERTY_UNKNOWN",
    "NOT_EDITING",
    "SYSTEM_ERROR",
    "INVALID_ARGUMENT",
    "INVALID_ZONE_STATE",
)
"""ErrorCode in the order of its numbers. Source: zonemgr ADR interface description (E36869)."""

_HREF: Final = re.compile(r"/?(api/com\.oracle\.solaris\.rad\.[a-z]+/[A-Za-z0-9_.~%,:/-]{1,512})\Z")
_UNKNOWN: Final = "unknown"


class ZoneEntry(NamedTuple):
    """One zone of the list, and the path (from `/api/`) under which RAD takes orders about it."""

    placement: ListedPlacement
    path: str


def zone_entries(payload: Any) -> list[ZoneEntry]:
    """Return the kernel zones of a list `Zone/?_rad_detail`. Raises: DriverError UNPARSED.

    A zone of another brand is left out whatever else its entry says.
    """
    if not isinstance(payload, list):
        raise unparsed("the list of zones is not a list")
    return [_entry(item) for item in payload if _brand(item) == BRAND]


def is_global(payload: Any) -> bool:
    """Return whether RAD runs in the global zone (`ZoneInfo/?_rad_detail`). Raises: DriverError UNPARSED."""
    found = payload.get("ZoneInfo") if isinstance(payload, dict) else None
    if not isinstance(found, dict) or not isinstance(found.get("isGlobal"), bool):
        raise unparsed("RAD does not say in which zone it runs")
    return bool(found["isGlobal"])


def finished(payload: Any) -> Finished:
    """Return how a command ended, from a Result. `str` stands in where a failure has no text of its own.

    Raises: DriverError UNPARSED.
    """
    if not isinstance(payload, dict):
        raise unparsed("the result of RAD is not a Result")
    code = _error_code(payload.get("code"))
    stdout, stderr, said = (_text(payload.get(name)) for name in ("stdout", "stderr", "str"))
    if code == NO_ERROR:
        return Finished(0, stdout, stderr)
    return Finished(1, stdout, stderr or said or f"RAD: {code}\n")


def text(payload: Any) -> str:
    """Return a payload that is one string. Raises: DriverError UNPARSED."""
    if not isinstance(payload, str):
        raise unparsed("the answer of RAD is not text")
    return payload


def path_of(href: Any) -> str:
    """Return the path of an `href`, which comes with and without its first slash. Raises: DriverError UNPARSED."""
    found = _HREF.match(href) if isinstance(href, str) else None
    if found is None or ".." in found[1]:
        raise unparsed("the address of an object is not one of RAD")
    return f"/{found[1]}"


def unparsed(message: str) -> DriverError:
    """Return the fault for an answer in a form that is not known."""
    return DriverError("UNPARSED", message)


def _brand(item: Any) -> str:
    zone = item.get("Zone") if isinstance(item, dict) else None
    if not isinstance(zone, dict) or not isinstance(zone.get("brand"), str):
        raise unparsed("an entry of the list of zones has no brand")
    return str(zone["brand"])


def _entry(item: dict[str, Any]) -> ZoneEntry:
    zone = item["Zone"]
    auxiliary = zone.get("auxstate")
    is_list = isinstance(auxiliary, list) and all(isinstance(word, str) for word in auxiliary)
    if not is_list or not isinstance(zone.get("state"), str):
        raise unparsed("an entry of the list of zones has no states")
    state = zone["state"] if zone["state"] in set(ZoneState) else _UNKNOWN
    placement = ListedPlacement(_name(zone.get("name")), state, tuple(auxiliary or ()), _uuid(zone.get("uuid")))
    return ZoneEntry(placement, path_of(item.get("href")))


def _name(value: Any) -> ZoneName:
    try:
        return zone_name(value if isinstance(value, str) else "")
    except WordError as error:
        raise unparsed("a zone of the list has a name that no zone has") from error


def _uuid(value: Any) -> UUID | None:
    """Return the uuid; null is common even for a zone that runs."""
    if not value:
        return None
    try:
        return UUID(value if isinstance(value, str) else "")
    except ValueError as error:
        raise unparsed("a zone of the list has a uuid that is none") from error


def _error_code(value: Any) -> str:
    """Return the name of an ErrorCode, which may come as its number. A null one says nothing, so it is not NONE."""
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < len(ERROR_CODES):
        return ERROR_CODES[value]
    if isinstance(value, str) and re.fullmatch(r"[A-Z_]{1,40}", value):
        return value
    raise unparsed("the result of RAD has no code")


def _text(value: Any) -> str:
    if value is None or isinstance(value, str):
        return value or ""
    raise unparsed("the text of a result is not text")
