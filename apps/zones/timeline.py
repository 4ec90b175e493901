"""The ownership timeline as a picture: one band a host, drawn from intervals. Pure geometry, in SVG user units."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Final, NamedTuple, Protocol

LEFT: Final = 132
WIDTH: Final = 960
RIGHT: Final = 12
TOP: Final = 24
ROW: Final = 34
BAR: Final = 16
# however short, a stretch of time must be seen
MIN_BAR: Final = 3.0
SHORTEST: Final = timedelta(hours=1)
_STEPS: Final = tuple(
    timedelta(**step)
    for step in (
        {"minutes": 10},
        {"minutes": 30},
        {"hours": 1},
        {"hours": 3},
        {"hours": 6},
        {"hours": 12},
        {"days": 1},
        {"days": 2},
        {"days": 7},
        {"days": 14},
        {"days": 30},
        {"days": 90},
        {"days": 365},
    )
)
_MOST_TICKS: Final = 7


class IntervalSeen(Protocol):
    """What is asked of an interval: an owner ("" for none), a state, whether it was forced, from when to when."""

    owner_hostid: str
    state: str
    generation: int
    is_forced: bool
    since: datetime
    until: datetime | None


class Bar(NamedTuple):
    """One stretch. kind: owned, running, free or forced; forced ones are also hatched."""

    x: float
    width: float
    kind: str
    label: str
    is_present: bool


class Band(NamedTuple):
    """One host's line with its bars; y is the top of the bars."""

    name: str
    y: float
    bars: list[Bar]

    @property
    def text_y(self) -> float:
        """The base line of the name."""
        return self.y + BAR - 4


class Mark(NamedTuple):
    """A moment that is pointed out."""

    x: float
    label: str


class Timeline(NamedTuple):
    """The whole picture, `WIDTH` wide."""

    bands: list[Band]
    ticks: list[Mark]
    marks: list[Mark]
    height: float

    @property
    def bottom(self) -> float:
        """Where the lines of time end."""
        return self.height - 6


def timeline(
    intervals: Sequence[IntervalSeen],
    names: dict[str, str],
    now: datetime,
    forced: Iterable[tuple[datetime, str]] = (),
) -> Timeline | None:
    """Return the picture of these intervals (oldest first), None without any.

    names: owner hostid to what people call the host. forced: when a forced action took place, and what it was.
    """
    if not intervals:
        return None
    begin = min(intervals[0].since, now - SHORTEST)
    scale = _Scale(begin, now)
    owners = list(dict.fromkeys(interval.owner_hostid for interval in intervals))
    bands = [
        Band(
            names.get(owner, owner) or "nobody (free)",
            TOP + ROW * row + (ROW - BAR) / 2,
            [_bar(one, scale, now) for one in intervals if one.owner_hostid == owner],
        )
        for row, owner in enumerate(owners)
    ]
    marks = [Mark(scale.x(at), label) for at, label in forced if begin <= at <= now]
    return Timeline(bands, _ticks(scale), marks, TOP + ROW * len(owners) + 8)


class _Scale(NamedTuple):
    begin: datetime
    end: datetime

    def x(self, moment: datetime) -> float:
        share = (moment - self.begin) / (self.end - self.begin)
        return round(LEFT + share * (WIDTH - LEFT - RIGHT), 1)


def _bar(interval: IntervalSeen, scale: _Scale, now: datetime) -> Bar:
    until = interval.until or now
    x = scale.x(interval.since)
    width = max(MIN_BAR, round(scale.x(until) - x, 1))
    end = f"{until:%Y-%m-%d %H:%M} UTC" if interval.until else "now"
    how = ", by force" if interval.is_forced else ""
    label = f"{interval.state}{how}, generation {interval.generation}: {interval.since:%Y-%m-%d %H:%M} UTC to {end}"
    return Bar(min(x, WIDTH - RIGHT - width), width, _kind(interval), label, interval.until is None)


def _kind(interval: IntervalSeen) -> str:
    if interval.is_forced:
        return "forced"
    if not interval.owner_hostid or interval.state == "free":
        return "free"
    return "running" if interval.state == "running" else "owned"


def _ticks(scale: _Scale) -> list[Mark]:
    span = scale.end - scale.begin
    step = next((step for step in _STEPS if span / step <= _MOST_TICKS), _STEPS[-1])
    form = "%d %b %H:%M" if step < timedelta(days=1) else "%d %b %Y"
    first = scale.end.replace(minute=0, second=0, microsecond=0)
    if step >= timedelta(days=1):
        first = first.replace(hour=0)
    count = int(span / step) + 2
    moments = (first - step * number for number in range(-1, count))
    return [Mark(scale.x(at), at.strftime(form)) for at in moments if scale.begin <= at <= scale.end]
