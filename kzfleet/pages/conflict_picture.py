"""The picture of a conflict: boot storage below, the hosts above it, each line a reading with its age. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final, NamedTuple

from apps.base.wording import age
from apps.conflicts.models import EvidenceRow
from apps.conflicts.wording import named
from apps.fleet.models import Host
from apps.fleet.selectors import is_silent
from apps.zones.models import Placement, Reading, Sighting

WIDTH: Final = 760
HEIGHT: Final = 356
HOSTS_SHOWN: Final = 4
NODE_WIDTH: Final = 172


class Seen(NamedTuple):
    """What the picture is made from. `owner_hostid`: "" when no reading proves one."""

    owner_hostid: str
    owner: Host | None
    claimant: Host | None
    placements: Sequence[Placement]
    sightings: Sequence[Sighting]
    storage: str
    word_of_writes: str
    now: datetime


class Node(NamedTuple):
    """One host. `role`: owner, claimant or other. `x`: its left edge."""

    x: int
    name: str
    owner_hostid: str
    role: str
    role_text: str
    state: str
    is_silent: bool
    silence: str
    reading: str
    claim: str

    @property
    def middle(self) -> int:
        """The x of the middle of the node."""
        return self.x + NODE_WIDTH // 2


class Line(NamedTuple):
    """The line from a host to the storage, and where its two lines of text stand."""

    x1: int
    x2: int
    label_x: int
    node: Node


class Picture(NamedTuple):
    """All the template draws, and the same in one sentence for those who cannot see it."""

    width: int
    height: int
    nodes: tuple[Node, ...]
    lines: tuple[Line, ...]
    storage: str
    writes: str
    is_written: bool
    hidden: int
    sentence: str


def picture_of(seen: Seen) -> Picture:
    """Return the picture: the owner at the left, who wants the zone at the right, others between."""
    hosts = _hosts(seen)
    shown = hosts[:HOSTS_SHOWN]
    shown.sort(key=lambda host: _place(host, seen))
    nodes = tuple(_node(host, x, seen) for host, x in zip(shown, _columns(len(shown)), strict=True))
    return Picture(
        WIDTH,
        HEIGHT,
        nodes,
        tuple(_line(node) for node in nodes),
        seen.storage if len(seen.storage) <= 46 else f"{seen.storage[:45]}…",
        _writes(seen.word_of_writes),
        seen.word_of_writes == EvidenceRow.Word.PROVES_ON,
        len(hosts) - len(shown),
        " ".join(_in_words(node) for node in nodes),
    )


def _hosts(seen: Seen) -> list[Host]:
    """Return the hosts of the picture, those that matter most first."""
    found = [seen.owner, seen.claimant]
    found += [row.host for row in seen.placements] + [row.host for row in seen.sightings]
    return list({host.pk: host for host in found if host is not None}.values())


def _place(host: Host, seen: Seen) -> int:
    if host.owner_hostid == seen.owner_hostid:
        return 0
    return 2 if seen.claimant is not None and host.pk == seen.claimant.pk else 1


def _columns(count: int) -> list[int]:
    if count < 2:
        return [(WIDTH - NODE_WIDTH) // 2] * count
    gap = (WIDTH - NODE_WIDTH) / (count - 1)
    return [round(index * gap) for index in range(count)]


def _node(host: Host, x: int, seen: Seen) -> Node:
    placement = next((row for row in seen.placements if row.host_id == host.pk), None)
    sighting = next((row for row in seen.sightings if row.host_id == host.pk), None)
    role, role_text = _role(host, seen)
    silent = is_silent(host, seen.now)
    return Node(
        x,
        named(host)[:20],
        host.owner_hostid,
        role,
        role_text,
        placement.state if placement else "not told us of it",
        silent,
        _silence(host, seen.now) if silent else "",
        f"read {age(seen.now - sighting.confirmed_at)} ago" if sighting else "",
        _claim(sighting.reading) if sighting else "",
    )


def _role(host: Host, seen: Seen) -> tuple[str, str]:
    is_owner = host.owner_hostid == seen.owner_hostid
    wants = seen.claimant is not None and host.pk == seen.claimant.pk
    if is_owner:
        return "owner", "owner by host data"
    return ("claimant", "wants the zone") if wants else ("other", "knows the zone")


def _silence(host: Host, now: datetime) -> str:
    return f"silent for {age(now - host.last_heard_at)}" if host.last_heard_at else "never heard from"


def _claim(reading: Reading) -> str:
    record = reading.facts.get("record")
    if record is None:
        return f"{reading.status}, no owner proved"
    who = "free" if record["state"] == "free" else f"owner {record['owner_hostname'][:16]}"
    return f"{who}, generation {reading.generation}"


def _line(node: Node) -> Line:
    target = WIDTH // 2 + (node.middle - WIDTH // 2) // 4
    return Line(node.middle, target, (node.middle * 3 + target) // 4, node)


def _writes(word: str) -> str:
    if word == EvidenceRow.Word.PROVES_ON:
        return "is being written to"
    if word == EvidenceRow.Word.SUGGESTS_OFF:
        return "no write was seen while it was watched"
    return "not watched for writes yet"


def _in_words(node: Node) -> str:
    reading = f"{node.reading}: {node.claim}" if node.reading else "has not read the host data"
    silence = f", {node.silence}" if node.silence else ""
    return f"{node.name} ({node.role_text}{silence}) {reading}."
