"""From what a person types (a name, an id, the end of an id) to the one row it means; never to one of several."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable
from typing import Any, Final

from kzfleet.cli import show
from kzfleet.cli.client import MISUSED, REFUSED, Client, CliError

Row = dict[str, Any]
FRAGMENT_MIN: Final = 4
CANDIDATES_SHOWN: Final = 8


def zone(site: Client, text: str) -> Row:
    """Return the zone with this name or id. Raises: CliError."""
    if _is_whole(text):
        return _one(site, "zones", text)
    named = list(site.every("zones", name=text))
    rows = named or site.every("zones")
    return pick(text, rows, what="zone", names=lambda row: [row["name"]], tell=_tell_zone)


def conflict(site: Client, text: str) -> Row:
    """Return the conflict with this id, or of the zone with this name or id; open ones first. Raises: CliError."""
    if _is_whole(text):
        of_zone = list(site.every("conflicts", zone=text, open="yes"))
        return pick(text, of_zone, "conflict", _zone_of, _tell_conflict) if of_zone else _one(site, "conflicts", text)
    return _open_first(
        text,
        list(site.every("conflicts", open="yes")),
        lambda: list(site.every("conflicts", open="no")),
        what="conflict",
        tell=_tell_conflict,
    )


def forced_action(site: Client, text: str) -> Row:
    """Return the forced action with this id, or of the zone with this name or id; open ones first.

    Raises: CliError.
    """
    if _is_whole(text):
        of_zone = [row for row in site.every("forced-actions", zone=text) if row["ended_at"] is None]
        if of_zone:
            return pick(text, of_zone, "forced action", _zone_of, _tell_forced_action)
        return _one(site, "forced-actions", text)
    rows = list(site.every("forced-actions"))
    return _open_first(
        text,
        [row for row in rows if row["ended_at"] is None],
        lambda: [row for row in rows if row["ended_at"] is not None],
        what="forced action",
        tell=_tell_forced_action,
    )


def job(site: Client, text: str) -> Row:
    """Return the job with this id. Raises: CliError."""
    if _is_whole(text):
        return _one(site, "jobs", text)
    return pick(text, site.every("jobs"), "job", lambda row: [], _tell_job)


def host(site: Client, text: str) -> Row:
    """Return the host with this owner hostid or hostname. Raises: CliError."""
    rows = list(site.every("hosts"))
    for row in rows:
        if row["owner_hostid"] == text.lower():
            return row
    return pick(text, rows, "host", lambda row: [row["hostname"]], show.host, key="owner_hostid")


def work(site: Client, text: str) -> tuple[str, Row]:
    """Return ("forced-actions", row) or ("jobs", row): whichever this id or zone name means. Raises: CliError."""
    for path, find in (("forced-actions", forced_action), ("jobs", job)):
        try:
            return path, find(site, text)
        except CliError as error:
            if error.code != "not_found":
                raise
    raise nothing(text, "forced action or job")


def pick(
    text: str,
    rows: Iterable[Row],
    what: str,
    names: Callable[[Row], list[str]],
    tell: Callable[[Row], str],
    *,
    key: str = "id",
) -> Row:
    """Return the one row with this id or name, else the one whose id begins or ends so.

    Raises: CliError when there is none, or several: their descriptions are in the hint.
    """
    rows = list(rows)
    found = [row for row in rows if text in (row[key], *names(row))] or [row for row in rows if _fits(text, row[key])]
    if not found:
        raise nothing(text, what)
    if len(found) > 1:
        told = "; ".join(tell(row) for row in found[:CANDIDATES_SHOWN])
        more = "; …" if len(found) > CANDIDATES_SHOWN else ""
        raise CliError(f"'{text}' means more than one {what}", f"Say which by its id: {told}{more}.", MISUSED)
    return found[0]


def nothing(text: str, what: str) -> CliError:
    """Return the refusal for what does not exist, or is not visible."""
    hint = "Check the name or id; you may also not be allowed to see it."
    return CliError(f"there is no {what} '{text}'", hint, REFUSED, code="not_found")


def _open_first(
    text: str, opened: list[Row], ended: Callable[[], list[Row]], *, what: str, tell: Callable[[Row], str]
) -> Row:
    try:
        return pick(text, opened, what, _zone_of, tell)
    except CliError as error:
        if error.code != "not_found":
            raise
    return pick(text, ended(), what, _zone_of, tell)


def _one(site: Client, path: str, found_id: str) -> Row:
    row: Row = site.get(f"{path}/{uuid.UUID(found_id)}")
    return row


def _is_whole(text: str) -> bool:
    try:
        return len(text) == 36 and str(uuid.UUID(text)) == text.lower()
    except ValueError:
        return False


def _fits(text: str, found_id: str) -> bool:
    wanted, whole = text.lower().replace("-", ""), found_id.replace("-", "")
    return len(wanted) >= FRAGMENT_MIN and (whole.startswith(wanted) or whole.endswith(wanted))


def _zone_of(row: Row) -> list[str]:
    return [row["zone"]["name"], row["zone"]["id"]]


def _tell_zone(row: Row) -> str:
    return f"{row['id']} ({row['name']}, {row['verdict']})"


def _tell_conflict(row: Row) -> str:
    return f"{row['id']} ({row['kind']} of {row['zone']['name']})"


def _tell_forced_action(row: Row) -> str:
    return f"{row['id']} ({row['kind']} of {row['zone']['name']}, {row['state']})"


def _tell_job(row: Row) -> str:
    return f"{row['id']} ({row['kind']} of {row['zone_name'] or row['hostname']}, {row['state']})"
