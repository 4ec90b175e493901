"""Migrating a zone and evacuating a host from their pages: a dry run first, then what it found possible."""

from __future__ import annotations

import re
from html import unescape
from typing import Any

import pytest
from fake_agent import Fleet

from apps.jobs.models import Job
from apps.zones.models import Placement

GLOBAL1, GLOBAL3 = "83a0cc71", "84a1b2c3"


def text_of(response: Any) -> str:
    return unescape(" ".join(response.content.decode().split()))


def fields_of(page: str, address: str) -> dict[str, str]:
    """Return the hidden fields of the form that posts to `address`, its token left out."""
    form = page.split(f'action="{address}"')[1].split("</form>", maxsplit=1)[0]
    found = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', form))
    return {name: value for name, value in found.items() if name != "csrfmiddlewaretoken"}


@pytest.fixture
def path(zone: Any) -> str:
    """Where kz-web01, which runs on global3, is migrated from."""
    return f"/zones/{zone('kz-web01').pk}/migrate/{GLOBAL3}"


def ended(fleet: Fleet, kind: str, state: str, code: str) -> Job:
    """Let the agent answer so, and return the job."""
    fleet.agent.says[kind] = (state, code)
    fleet.turn()
    return Job.objects.get(kind=kind)


def test_a_zone_page_leads_to_the_form_with_every_other_host(
    fleet: Fleet, olga: Any, browser_client: Any, zone: Any, path: str
) -> None:
    client = browser_client(olga)
    assert f'href="{path}"' in text_of(client.get(f"/zones/{zone('kz-web01').pk}"))

    page = text_of(client.get(path))

    assert re.findall(r'<option value="(\w+)"', page) == [GLOBAL1, "848611d4"]
    assert re.search(r"global2[^<]*silent</option>", page)


def test_the_evacuation_target_is_chosen_beforehand(fleet: Fleet, olga: Any, browser_client: Any, path: str) -> None:
    Placement.objects.filter(name="kz-web01").update(evacuation_target="ssh://global1")

    assert f'value="{GLOBAL1}" selected' in text_of(browser_client(olga).get(path))


def test_a_migration_begins_with_a_dry_run_that_leads_to_the_real_one(
    fleet: Fleet, olga: Any, browser_client: Any, path: str
) -> None:
    client = browser_client(olga)
    response = client.post(path, {"dry_run": "yes", "target_hostid": GLOBAL1, "live_only": "yes"})
    job = ended(fleet, "migrate", "done", "DONE")
    page = text_of(client.get(response["Location"]))

    assert job.args == {"target": "ssh://global1", "target_hostid": GLOBAL1, "dry_run": True, "live_only": True}
    assert "dry run: migrate kz-web01 on global3" in page
    assert "Migrate kz-web01 from global3 to global1" in page

    client.post(path, fields_of(page, path))

    real = Job.objects.filter(kind="migrate").exclude(pk=job.pk).get()
    assert real.args == job.args | {"dry_run": False}
    assert real.requested_by == olga


@pytest.mark.parametrize("word", ["", "No", "false", "0", "yes"])
def test_nothing_but_the_word_no_makes_it_more_than_a_dry_run(
    fleet: Fleet, olga: Any, browser_client: Any, path: str, word: str
) -> None:
    browser_client(olga).post(path, {"dry_run": word, "target_hostid": GLOBAL1})

    assert Job.objects.get(kind="migrate").args["dry_run"] is True


def test_a_dry_run_that_was_refused_offers_nothing(fleet: Fleet, olga: Any, browser_client: Any, path: str) -> None:
    client = browser_client(olga)
    client.post(path, {"target_hostid": GLOBAL1})
    job = ended(fleet, "migrate", "failed", "KEY")

    assert f'action="{path}"' not in text_of(client.get(f"/jobs/{job.pk}"))


def test_a_migration_offers_no_second_one(fleet: Fleet, olga: Any, browser_client: Any, path: str) -> None:
    client = browser_client(olga)
    client.post(path, {"target_hostid": GLOBAL1, "dry_run": "no"})
    job = ended(fleet, "migrate", "done", "DONE")

    assert f'action="{path}"' not in text_of(client.get(f"/jobs/{job.pk}"))


def test_who_only_looks_is_offered_no_move(
    fleet: Fleet, olga: Any, vera: Any, browser_client: Any, zone: Any, path: str
) -> None:
    browser_client(olga).post(path, {"target_hostid": GLOBAL1})
    job = ended(fleet, "migrate", "done", "DONE")
    client = browser_client(vera)

    pages = [f"/jobs/{job.pk}", f"/zones/{zone('kz-web01').pk}", f"/hosts/{GLOBAL3}"]
    shown = " ".join(text_of(client.get(one)) for one in pages)
    statuses = [client.post(path, {"target_hostid": GLOBAL1}).status_code, client.get(path).status_code]

    assert (path in shown, f"/hosts/{GLOBAL3}/evacuate" in shown, statuses) == (False, False, [403, 403])
    assert Job.objects.filter(kind="migrate").count() == 1


def test_a_zone_that_another_host_owns_is_not_offered_for_migration(
    fleet: Fleet, olga: Any, browser_client: Any, zone: Any
) -> None:
    assert f"/migrate/{GLOBAL1}" not in text_of(browser_client(olga).get(f"/zones/{zone('kzone1').pk}"))


def test_a_migration_to_nowhere_says_what_to_do(fleet: Fleet, olga: Any, browser_client: Any, path: str) -> None:
    response = browser_client(olga).post(path, {"target_hostid": ""})

    assert response.status_code == 409
    assert not Job.objects.filter(kind="migrate").exists()


@pytest.mark.parametrize("address", ["/zones/{zone}/migrate/0badf00d", "/hosts/0badf00d/evacuate"])
def test_forms_about_what_is_not_there_are_not_found(
    fleet: Fleet, olga: Any, browser_client: Any, zone: Any, address: str
) -> None:
    assert browser_client(olga).get(address.format(zone=zone("kz-web01").pk)).status_code == 404


@pytest.mark.parametrize(
    ("state", "code", "is_offered"), [("done", "DONE", True), ("failed", "PARTIAL", True), ("failed", "FAILED", False)]
)
def test_a_host_is_evacuated_after_a_dry_run_in_which_anything_could_go(
    fleet: Fleet, olga: Any, browser_client: Any, state: str, code: str, is_offered: bool
) -> None:
    client, path = browser_client(olga), f"/hosts/{GLOBAL3}/evacuate"
    assert f'href="{path}"' in text_of(client.get(f"/hosts/{GLOBAL3}"))
    assert "kz-web01" in text_of(client.get(path))

    client.post(path, {"dry_run": "yes", "every_zone": "yes"})
    job = ended(fleet, "evacuate", state, code)
    page = text_of(client.get(f"/jobs/{job.pk}"))

    assert job.args == {"dry_run": True, "every_zone": True, "is_return": False}
    assert (f'action="{path}"' in page) is is_offered
    assert ("Not every zone can go" in page) is (code == "PARTIAL")
    if is_offered:
        client.post(path, fields_of(page, path))
        real = Job.objects.filter(kind="evacuate").exclude(pk=job.pk).get()
        assert real.args == job.args | {"dry_run": False}


def test_what_went_is_brought_back_the_same_way(fleet: Fleet, olga: Any, browser_client: Any) -> None:
    client, path = browser_client(olga), f"/hosts/{GLOBAL3}/evacuate"
    client.post(path, {"dry_run": "yes", "is_return": "yes"})
    job = ended(fleet, "evacuate", "done", "DONE")

    page = text_of(client.get(f"/jobs/{job.pk}"))

    assert "Bring the zones of global3 back" in page
    assert fields_of(page, path) == {"dry_run": "no", "is_return": "yes"}
