"""SQL queries of the overview with 10 and with 1 000 hosts: `python benchmarks/overview_queries.py`.

Goal: equal, and at most 15. The fleets are rows in a database of their own: hosts with three zones each, one in
fifty with an open conflict, one in twenty silent.
"""

# ruff: noqa: PLC0415

from __future__ import annotations

import os
import sys
import tempfile
import time
from datetime import timedelta
from pathlib import Path

FLEETS, ZONES, GOAL = (10, 1000), 3, 15


def main() -> int:
    """Print the counts side by side; return 1 when they differ or are too many."""
    with tempfile.TemporaryDirectory() as place:
        begin(Path(place))
        counts = []
        for hosts in FLEETS:
            make_fleet(hosts)
            queries, seconds = measured()
            counts.append(queries)
            print(
                f"overview with {hosts:5} hosts, {hosts * ZONES:5} zones: {queries:3} queries, {1000 * seconds:7.0f} ms"
            )
    is_met = len(set(counts)) == 1 and max(counts) <= GOAL
    print(f"  goal: equal, at most {GOAL}: {'met' if is_met else 'MISSED'}")
    return 0 if is_met else 1


def begin(place: Path) -> None:
    """Django on a new database, with everything migrated and a person who operates and approves."""
    os.environ |= {
        "DJANGO_SETTINGS_MODULE": "kzfleet.settings",
        "DATABASE_URL": f"sqlite:///{place / 'bench.sqlite3'}",
        "KZFLEET_VAR": str(place),
        "KZFLEET_JSON": "false",
        "KZFLEET_LEVEL": "ERROR",
    }
    import django
    from django.core.management import call_command

    django.setup()
    call_command("migrate", verbosity=0)
    from apps.accounts.services import add_person

    add_person("olga", password="violet-harbour-73", roles=["operator", "approver"])


def make_fleet(count: int) -> None:
    """The fleet has so many hosts afterwards, with their zones and conflicts."""
    from django.utils import timezone

    from apps.conflicts.models import Conflict
    from apps.fleet.models import Host
    from apps.zones.models import Placement, Zone

    now = timezone.now()
    first = Host.objects.count()
    hosts = [
        Host(
            owner_hostid=f"{number + 1:08x}",
            hostname=f"global{number}",
            site=f"site{number % 4}",
            rack=f"rack{number % 40}",
            last_heard_at=now - timedelta(hours=number % 20 == 0),
        )
        for number in range(first, count)
    ]
    Host.objects.bulk_create(hosts)
    pairs = [(host, Zone(name=f"z{host.hostname}-{n}", verdict="ours")) for host in hosts for n in range(ZONES)]
    Zone.objects.bulk_create(zone for _, zone in pairs)
    times = dict.fromkeys(("first_seen_at", "last_seen_at", "state_since"), now)
    Placement.objects.bulk_create(
        Placement(zone=zone, host=host, name=zone.name, state="running", **times) for host, zone in pairs
    )
    Conflict.objects.bulk_create(
        Conflict(kind="torn", zone=zone, host=host, severity=3, opened_at=now, last_seen_at=now)
        for host, zone in pairs[:: 50 * ZONES]
    )


def measured() -> tuple[int, float]:
    """Return how many queries the overview takes, and the quickest of three times (seconds)."""
    from django.contrib.auth import get_user_model
    from django.db import connection
    from django.test import Client
    from django.test.utils import CaptureQueriesContext

    client = Client(SERVER_NAME="127.0.0.1")
    client.force_login(get_user_model().objects.get(), backend="allauth.account.auth_backends.AuthenticationBackend")
    with CaptureQueriesContext(connection) as seen:
        asked(client)
    return len(seen), min(asked(client) for _ in range(3))


def asked(client: object) -> float:
    """Return how long the overview took."""
    begun = time.monotonic()
    response = client.get("/")  # type: ignore[attr-defined]
    assert response.status_code == 200, response.status_code
    return time.monotonic() - begun


if __name__ == "__main__":
    sys.exit(main())
