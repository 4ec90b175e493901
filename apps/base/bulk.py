"""Saving many rows at once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from django.db import connection
from django.db.models import Model


def update_each(rows: Sequence[Model], fields: Iterable[str]) -> None:
    """Save these fields of rows of one model that are there, whose locks the caller holds.

    One statement, prepared once: `bulk_update` writes a CASE for every row and field, and takes ten times as long.
    """
    if not rows:
        return
    meta = rows[0]._meta
    found: list[Any] = [meta.get_field(name) for name in fields]
    key: Any = meta.pk
    quote = connection.ops.quote_name
    changes = ", ".join(f"{quote(field.column)} = %s" for field in found)
    statement = f"UPDATE {quote(meta.db_table)} SET {changes} WHERE {quote(key.column)} = %s"  # noqa: S608
    with connection.cursor() as cursor:
        cursor.executemany(statement, [[_stored(field, row) for field in (*found, key)] for row in rows])


def _stored(field: Any, row: Model) -> Any:
    return field.get_db_prep_save(getattr(row, field.attname), connection)
