"""What hosts say of themselves is believed as text and nothing else."""

from __future__ import annotations

from typing import Any

import pytest

from apps.fleet.models import Host
from apps.history.models import Event

HOSTILE = "g\x1b[31m<script>alert(1)</script>\u202egnp"


@pytest.fixture
def hostile(fleet: Any) -> None:
    """One host whose name is a script, an escape sequence and a reversal; one whose name is 10 KiB long."""
    fleet.global3.hostname = HOSTILE
    fleet.global1.hostname = "h" * 10_240
    fleet.say_states()


def test_a_name_that_is_no_name_does_not_keep_its_host_from_being_inspected(hostile: None) -> None:
    names = dict(Host.objects.values_list("owner_hostid", "hostname"))
    assert names["84a1b2c3"] == "g?[31m<script>alert(1)</script>?gnp"
    assert names["83a0cc71"] == "h" * 255
    assert not Event.objects.filter(type="report.put-aside").exists()


@pytest.mark.parametrize("path", ["/", "/hosts", "/hosts/84a1b2c3", "/zones", "/history", "/jobs", "/api/v1/hosts"])
def test_no_page_carries_it_out(hostile: None, vera: Any, browser_client: Any, path: str) -> None:
    page = browser_client(vera).get(path).content.decode()
    assert "\x1b" not in page
    assert "\\u001b" not in page
    assert "\u202e" not in page
    if not path.startswith("/api/"):
        assert "<script>alert" not in page
