"""Many rows at once: they are what the ORM would have made of them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from apps.base.bulk import insert_rows, update_rows
from apps.fleet.models import Host
from apps.zones.models import Placement, Zone

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
NAMES = [field.attname for field in Placement._meta.concrete_fields if field.name != "id"]


def placements(count: int) -> list[Placement]:
    """Return placements that are not rows yet."""
    zone = Zone.objects.create(name="kzone1")
    host = Host.objects.create(owner_hostid="848611d4")
    return [
        Placement(
            zone=zone,
            host=host,
            name=f"kzone{number}",
            state="running",
            auxiliary=["suspended"] * (number % 2),
            autoboot=number % 3 == 0,
            first_seen_at=NOW,
            last_seen_at=NOW + timedelta(seconds=number),
            state_since=NOW,
            gone_at=NOW if number % 5 == 0 else None,
        )
        for number in range(count)
    ]


def values(row: Placement) -> list[object]:
    """Return its values in the order of NAMES."""
    return [getattr(row, name) for name in NAMES]


@pytest.mark.django_db
def test_rows_are_inserted_by_few_statements_and_their_keys_are_in_their_order() -> None:
    rows = placements(1500)

    with CaptureQueriesContext(connection) as seen:
        keys = insert_rows(Placement, NAMES, [values(row) for row in rows])

    assert len(seen) == 3
    found = Placement.objects.in_bulk(keys)
    assert len(found) == len(rows)
    assert [values(found[key]) for key in keys] == [values(row) for row in rows]


@pytest.mark.django_db
def test_no_rows_are_no_statement() -> None:
    with CaptureQueriesContext(connection) as seen:
        assert insert_rows(Placement, NAMES, []) == []
        update_rows(Placement, ["state"], [])

    assert len(seen) == 0


@pytest.mark.django_db
def test_each_row_gets_its_own_values_and_no_other_row_any() -> None:
    *keys, left_alone = insert_rows(Placement, NAMES, [values(row) for row in placements(4)])

    with transaction.atomic():
        update_rows(Placement, ["auxiliary", "gone_at"], [([str(key)], NOW, key) for key in keys])

    found = Placement.objects.in_bulk()
    assert [(found[key].auxiliary, found[key].gone_at) for key in keys] == [([str(key)], NOW) for key in keys]
    assert (found[left_alone].auxiliary, found[left_alone].gone_at) == (["suspended"], None)
