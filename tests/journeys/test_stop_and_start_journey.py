"""Ctrl-C stops every process; the next start goes on where this one left off, guests and agents included."""

from __future__ import annotations

import pytest
from people import Rest
from running_site import Site, processes_of, wait_for

pytestmark = pytest.mark.journey


def test_a_second_start_goes_on_with_the_same_state(site: Site, olga: Rest) -> None:
    conflicts = {one["id"] for one in olga.list("/conflicts", open="yes")}
    last = olga.get("/events", page_size="200", after="0")["results"][0]
    guests = len(site.pids("kernelzone.portable.guest"))
    assert guests > 10

    site.stop()
    assert processes_of(site.var) == {}
    site.start()

    assert len(site.pids("kernelzone.portable.guest")) == guests
    assert olga.get(f"/events/{last['seq']}") == last
    assert conflicts <= {one["id"] for one in olga.list("/conflicts")}
    heard = olga.get("/hosts/87c45e27")["last_heard_at"]
    wait_for(lambda: olga.get("/hosts/87c45e27")["last_heard_at"] > heard, 30, "its agent does not report again")
