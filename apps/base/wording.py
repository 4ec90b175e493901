"""Ages, times, sizes and ids as people read them. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

_UNITS: Final = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))
_SIZES: Final = ("B", "KiB", "MiB", "GiB", "TiB")


def age(duration: timedelta) -> str:
    """Return a duration in its largest whole unit, `41 min`; never below `0 s`."""
    seconds = max(0, int(duration.total_seconds()))
    size, unit = next(((size, unit) for size, unit in _UNITS if seconds >= size), (1, "s"))
    return f"{seconds // size} {unit}"


def ago(moment: datetime | None, now: datetime) -> str:
    """Return `41 min ago`, `in 3 h` for what is to come, `just now` below two seconds, `never` for None."""
    if moment is None:
        return "never"
    if abs(now - moment) < timedelta(seconds=2):
        return "just now"
    return f"{age(now - moment)} ago" if moment < now else f"in {age(moment - now)}"


def utc(moment: datetime) -> str:
    """Return a time to the second, `2026-10-31 10:31:02 UTC`."""
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"


def short(identifier: object, length: int = 8) -> str:
    """Return the first characters of a long id or digest; a uuid7's first half is a clock, so its end is shown."""
    text = str(identifier)
    if len(text) <= length:
        return text
    is_uuid = len(text) == 36 and text.count("-") == 4
    return f"…{text[-length:]}" if is_uuid else f"{text[:length]}…"


def size(count_bytes: int) -> str:
    """Return a size in bytes as `16.0 GiB`."""
    value, unit = float(count_bytes), _SIZES[0]
    for unit in _SIZES:
        if value < 1024 or unit == _SIZES[-1]:
            break
        value /= 1024
    return f"{int(value)} B" if unit == "B" else f"{value:.1f} {unit}"
