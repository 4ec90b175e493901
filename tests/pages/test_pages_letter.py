"""The letter of a forced action: what whoever approves must know besides the evidence."""

from __future__ import annotations

from typing import Any

import pytest
from django.utils import timezone

from apps.configs.models import ExportedConfig
from apps.fleet.models import Host
from apps.forced_actions.models import ForcedAction
from apps.forced_actions.services import Wish, request_forced_action

CONFIGURATION = "create -b\nset brand=solaris-kz\nadd capped-memory\nset physical={memory}\nend\n"


@pytest.fixture
def action(fleet: Any, olga: Any) -> ForcedAction:
    """A request to take kzone1 from global2 to global1."""
    wish = Wish("force-takeover", "global2 lost its power supply at 02:10.", "kzone1", "848611d4")
    return request_forced_action(wish, actor=olga, conflict_id=fleet.conflict().pk)


def shown(browser_client: Any, user: Any, action: ForcedAction) -> str:
    return str(browser_client(user).get(f"/forced-actions/{action.pk}").content.decode())


def keep(action: ForcedAction, owner_hostid: str, memory: str) -> None:
    host = Host.objects.get(owner_hostid=owner_hostid)
    text = CONFIGURATION.format(memory=memory)
    ExportedConfig.objects.create(
        zone=action.zone, host=host, version=1, text=text, sha256="a" * 64, taken_at=timezone.now()
    )


def test_it_names_every_other_host_that_could_start_the_zone(action: Any, vera: Any, browser_client: Any) -> None:
    page = shown(browser_client, vera, action)
    assert "global2 configures it as kzone1: installed, autoboot off, as told" in page
    assert "global1 configures it" not in page


def test_it_shows_how_the_configurations_differ_in_what_matters(action: Any, vera: Any, browser_client: Any) -> None:
    keep(action, "848611d4", "8G")
    keep(action, "83a0cc71", "4G")
    page = shown(browser_client, vera, action)
    assert "the zone would not be the same" in page
    assert ">8G<" in page.replace(">8g<", ">8G<")


def test_configurations_nobody_has_seen_are_not_called_alike(action: Any, vera: Any, browser_client: Any) -> None:
    keep(action, "83a0cc71", "4G")
    page = shown(browser_client, vera, action)
    assert "was never seen: nothing can be compared" in page
    assert "configure the zone alike" not in page


def test_it_says_what_the_target_itself_calls_the_zone(action: Any, vera: Any, browser_client: Any) -> None:
    """A zone may have another name on every host; the command is the one that is run there."""
    action.zone.placements.filter(host=action.target).update(name="kz-old")
    assert "zoneadm -z kz-old attach -x force-takeover" in shown(browser_client, vera, action)


def test_the_form_asks_for_the_name_that_the_service_will_compare_with(
    fleet: Any, olga: Any, browser_client: Any
) -> None:
    conflict = fleet.conflict()
    conflict.zone.placements.filter(host=conflict.host).update(name="kz-old")
    browser, path = browser_client(olga), f"/conflicts/{conflict.pk}/request/force-takeover"
    assert "Type the zone's name: <code>kz-old</code>" in browser.get(path).content.decode()
    typed = {"reason": "global2 lost its power supply.", "zone_name": "kz-old", "loser_hostid": "848611d4"}
    assert browser.post(path, typed).status_code == 302
