"""Zones that go to another host, on the command line."""

from __future__ import annotations

from typing import Any

import pytest

from apps.jobs.models import Job
from apps.zones.models import Zone

GLOBAL1, GLOBAL2 = "83a0cc71", "848611d4"


def test_a_zone_is_migrated_from_the_host_that_owns_it(kzfleet: Any, fleet: Any, olga: Any) -> None:
    said = kzfleet(olga, "migrate", "kzone1", "global1", "--dry-run", "--no-wait")

    job = Job.objects.get(kind="migrate")
    assert (said.status, str(job.pk) in said.out) == (0, True), said.err
    assert (job.host.owner_hostid, job.zone_name) == (GLOBAL2, "kzone1")
    assert job.args == {"target": "ssh://global1", "target_hostid": GLOBAL1, "dry_run": True, "live_only": False}


def test_the_host_it_is_on_may_be_named_and_must_be_where_nobody_knows_it(kzfleet: Any, fleet: Any, olga: Any) -> None:
    Zone.objects.filter(name="kzone1").update(owner_hostid="")
    refused = kzfleet(olga, "migrate", "kzone1", "global1")
    assert (refused.status, "Name it with --from." in refused.err) == (1, True)
    assert not Job.objects.filter(kind="migrate").exists()

    assert kzfleet(olga, "migrate", "kzone1", "global1", "--from", "global2", "--live-only", "--no-wait").status == 0
    assert Job.objects.get(kind="migrate").args["live_only"] is True


def test_a_target_that_is_the_source_is_refused_with_what_to_do_next(kzfleet: Any, fleet: Any, olga: Any) -> None:
    said = kzfleet(olga, "migrate", "kzone1", "global2")
    assert (said.status, "Choose another host of the fleet" in said.err) == (1, True)


@pytest.mark.parametrize(
    ("words", "args"),
    [
        (("-n",), {"dry_run": True, "every_zone": False, "is_return": False}),
        (("--all",), {"dry_run": False, "every_zone": True, "is_return": False}),
        (("--return",), {"dry_run": False, "every_zone": False, "is_return": True}),
    ],
)
def test_a_host_is_evacuated(kzfleet: Any, fleet: Any, olga: Any, words: tuple[str, ...], args: Any) -> None:
    assert kzfleet(olga, "evacuate", "global2", "--no-wait", *words).status == 0
    job = Job.objects.get(kind="evacuate")
    assert (job.host.owner_hostid, job.args) == (GLOBAL2, args)


def test_who_may_only_look_moves_nothing(kzfleet: Any, fleet: Any, vera: Any) -> None:
    assert kzfleet(vera, "migrate", "kzone1", "global1").status == 1
    assert kzfleet(vera, "evacuate", "global2").status == 1
    assert not Job.objects.filter(kind__in=["migrate", "evacuate"]).exists()
