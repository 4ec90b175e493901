"""Inserting and saving many rows at once, without making an object of each."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from django.db import connection
from django.db.models import BooleanField, CharField, DateTimeField, IntegerField, Model, UUIDField

# SQLite as distributed takes 32 766 values in one statement (SQLITE_MAX_VARIABLE_NUMBER)
_MOST_VALUES: Final = 10_000
# both databases take their values as they are
_PLAIN: Final = (CharField, IntegerField, BooleanField)
# a batch has one time, few agents, and a job for each host
_OFTEN_THE_SAME: Final = (DateTimeField, UUIDField)

Row = Sequence[Any]


def update_each(rows: Sequence[Model], fields: Iterable[str]) -> None:
    """Save these fields of rows of one model that are there, whose locks the caller holds."""
    if not rows:
        return
    meta = rows[0]._meta
    names = list(fields)
    columns: list[str] = [meta.get_field(name).attname for name in names]  # type: ignore[union-attr]
    update_rows(type(rows[0]), names, [(*(getattr(row, name) for name in columns), row.pk) for row in rows])


def update_rows(model: type[Model], names: Sequence[str], rows: Sequence[Row]) -> None:
    """Set these fields of rows that are there, whose locks the caller holds: their values, and the key at the end.

    One statement, prepared once: `bulk_update` writes a CASE for every row and field, and takes ten times as long.
    """
    if not rows:
        return
    meta = model._meta
    fields: list[Any] = [meta.get_field(name) for name in names]
    quote = connection.ops.quote_name
    changes = ", ".join(f"{quote(field.column)} = %s" for field in fields)
    key: Any = meta.pk
    statement = f"UPDATE {quote(meta.db_table)} SET {changes} WHERE {quote(key.column)} = %s"  # noqa: S608
    with connection.cursor() as cursor:
        cursor.executemany(statement, _stored([*fields, key], rows))


def insert_rows(model: type[Model], names: Sequence[str], rows: Sequence[Row]) -> list[int]:
    """Return the keys of new rows, in their order. names: every field of the model but its key; rows: their values.

    Few statements: Django's own makes one for every 999 values, and an object of every row.
    """
    fields: list[Any] = [model._meta.get_field(name) for name in names]
    stored = _stored(fields, rows)
    step = _MOST_VALUES // len(fields)
    keys: list[int] = []
    with connection.cursor() as cursor:
        for start in range(0, len(stored), step):
            some = stored[start : start + step]
            cursor.execute(_insertion(model, fields, len(some)), [value for row in some for value in row])
            # in the order of VALUES: what `bulk_create` counts on, too
            keys += [key for (key,) in cursor.fetchall()]
    return keys


def _insertion(model: type[Model], fields: Sequence[Any], count: int) -> str:
    quote = connection.ops.quote_name
    columns = ", ".join(quote(field.column) for field in fields)
    places = ", ".join([f"({', '.join(['%s'] * len(fields))})"] * count)
    key: Any = model._meta.pk
    table = quote(model._meta.db_table)
    return f"INSERT INTO {table} ({columns}) VALUES {places} RETURNING {quote(key.column)}"  # noqa: S608


def _stored(fields: Sequence[Any], rows: Sequence[Row]) -> list[tuple[Any, ...]]:
    """Return the rows' values as the database takes them."""
    columns = zip(*rows, strict=True)
    stored = [_stored_column(field, column) for field, column in zip(fields, columns, strict=False)]
    return list(zip(*stored, strict=True))


def _stored_column(field: Any, values: Row) -> Row:
    kind = getattr(field, "target_field", field)
    if isinstance(kind, _PLAIN):
        return values
    if not isinstance(kind, _OFTEN_THE_SAME):
        return [field.get_db_prep_save(value, connection) for value in values]
    stored = {value: field.get_db_prep_save(value, connection) for value in set(values)}
    return [stored[value] for value in values]
