"""Look-ups of many rows at once, in statements that every database takes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final, TypeVar

from django.db.models import Model, QuerySet

# SQLite as distributed takes 32 766 values in one statement (SQLITE_MAX_VARIABLE_NUMBER)
_MOST_VALUES: Final = 10_000

Row = TypeVar("Row", bound=Model)


def rows_in(rows: QuerySet[Row], field: str, values: Iterable[Any]) -> Iterator[Row]:
    """Yield the rows whose `field` is one of `values`; one query for each 10 000 of them."""
    for some in parts(values):
        yield from rows.filter(**{f"{field}__in": some})


def parts(values: Iterable[Any]) -> Iterator[list[Any]]:
    """Yield the different values, at most 10 000 at a time."""
    wanted = list(dict.fromkeys(values))
    for start in range(0, len(wanted), _MOST_VALUES):
        yield wanted[start : start + _MOST_VALUES]
