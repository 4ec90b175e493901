"""Who gets which page: every address of the site, asked as each role, checked in as a table.

KZFLEET_WRITE_SURFACE=1 writes the table anew; look at the difference before you commit it.
"""

from __future__ import annotations

import copy
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db import transaction
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from apps.accounts.policy import Role
from apps.conflicts.models import Conflict
from apps.fleet.joining import make_join_token
from apps.fleet.services import HostName
from apps.forced_actions.models import ForcedAction
from apps.forced_actions.services import Wish, request_forced_action
from apps.jobs.models import Job

TABLE = Path(__file__).with_name("access.txt")
NOT_PAGES = ("api/", "static/")
# what is sent where an empty form would be refused before anybody asks who sends it
FORMS = {
    "decisions": "verdict=approve",
    "comments": "text=I+ask+the+site.",
    "maintenance": "to=start",
    "enrol": "owner_hostid=0badf00d",
    "state": "to=suspend&reason=I+ask+the+site.",
}
EXPLAINED = "# address, method: status for nobody signed in, an account without a role, then each role\n"


def addresses(resolver: Any = None, before: str = "") -> Iterator[str]:
    """Return every address of the URL conf but those of the API."""
    for entry in (resolver or get_resolver()).url_patterns:
        here = before + str(entry.pattern)
        if here.startswith(NOT_PAGES) or "(?" in here:
            continue
        if isinstance(entry, URLResolver):
            yield from addresses(entry, here)
        elif isinstance(entry, URLPattern):
            yield f"/{here}"


@pytest.fixture
def samples(fleet: Any, olga: Any, ines: Any) -> dict[str, Any]:
    """What stands for each variable of an address: rows that exist."""
    fleet.say_states()
    conflict = Conflict.objects.get()
    wish = Wish("force-takeover", "global2 lost its power supply at 02:10.", "kzone1", "848611d4")
    action = request_forced_action(wish, actor=olga, conflict_id=conflict.pk)
    return {
        "/conflicts/": conflict.pk,
        "/forced-actions/": action.pk,
        "/zones/": conflict.zone_id,
        "/agents/": fleet.agent.uuid,
        "/join-tokens/": make_join_token([HostName("0badcafe")], actor=ines)[0].pk,
        "/jobs/": Job.objects.filter(subject_kind="evidence-sheet").first().pk,
        "seq": 1,
        "owner_hostid": "848611d4",
        "door": "force-takeover",
        "key": "any",
    }


@pytest.fixture
def askers(make_person: Any, browser_client: Any) -> dict[str, Client]:
    """A browser of nobody, of an account without a role, and of one account a role."""
    people = {"none": make_person("nil"), **{role.value: make_person(f"the-{role}", role) for role in Role}}
    return {"nobody": Client(), **{name: browser_client(user) for name, user in people.items()}}


def filled(address: str, samples: dict[str, Any]) -> str:
    def value(variable: re.Match[str]) -> str:
        name = variable[1]
        return str(samples[name] if name != "pk" else samples[f"/{address.split('/')[1]}/"])

    return re.sub(r"<(?:\w+:)?(\w+)>", value, address)


def asked(client: Client, method: str, path: str) -> int:
    """Return the status; whatever was changed is undone."""
    here, cookies = transaction.savepoint(), copy.deepcopy(client.cookies)
    try:
        form = FORMS.get(path.rpartition("/")[2], "")
        return int(client.generic(method, path, form, content_type="application/x-www-form-urlencoded").status_code)
    finally:
        transaction.savepoint_rollback(here)
        client.cookies = cookies


def rows(askers: dict[str, Client], samples: dict[str, Any]) -> Iterator[str]:
    for address in sorted(set(addresses())):
        for method in ("GET", "POST"):
            statuses = [asked(client, method, filled(address, samples)) for client in askers.values()]
            yield f"{address} {method}: {' '.join(map(str, statuses))}\n"


def test_every_page_answers_each_role_as_the_table_says(askers: dict[str, Client], samples: dict[str, Any]) -> None:
    settings.DEBUG = False
    found = EXPLAINED + f"# {' '.join(askers)}\n" + "".join(rows(askers, samples))
    if os.environ.get("KZFLEET_WRITE_SURFACE"):
        TABLE.write_text(found, encoding="utf-8")
    assert TABLE.read_text(encoding="utf-8") == found
    assert ForcedAction.objects.get().state == "observing"


def test_nobody_who_is_not_signed_in_sees_anything_but_sign_in() -> None:
    """Read from the table: a redirect to sign-in, a refusal, or a page of sign-in itself."""
    for line in TABLE.read_text(encoding="utf-8").splitlines()[2:]:
        address, _, statuses = line.partition(" ")
        nobody = statuses.split()[1]
        assert nobody in {"302", "403", "404", "405"} or address in OPEN_TO_ALL, line


# sign-in, its second step, and the question whether this process works
OPEN_TO_ALL = {"/healthz", "/accounts/login/", "/accounts/inactive/"}


def test_what_pages_show_is_kept_in_no_cache(fleet: Any, vera: Any, browser_client: Any) -> None:
    browser = browser_client(vera)
    assert browser.get("/zones")["Cache-Control"] == "no-store"
    part = browser.get("/zones", headers={"HX-Request": "true"})
    assert part["Cache-Control"] == "private, no-cache"
    assert part["ETag"]
    assert "no-store" in browser.get("/api/v1/zones")["Cache-Control"]


@pytest.mark.parametrize(
    "address", ["/hosts/%00", "/hosts?q=%00", "/zones?q=a%00b", "/history?type=%00", "/search?q=%00"]
)
def test_an_address_with_a_nul_is_refused(vera: Any, browser_client: Any, address: str) -> None:
    """PostgreSQL has no such text; asked to compare with one it fails."""
    assert browser_client(vera).get(address).status_code == 400


@pytest.mark.parametrize("day", ["9999-12-31", "0001-01-01", "2026-02-30", "today"])
def test_the_history_of_any_day_can_be_asked_for(vera: Any, browser_client: Any, day: str) -> None:
    assert browser_client(vera).get(f"/history?since={day}&until={day}").status_code == 200


def test_a_filter_is_carried_to_the_next_page_as_it_was_given(vera: Any, browser_client: Any) -> None:
    """A text with & or = in it stays one value."""
    answer = browser_client(vera).get("/history", {"who": "a&type=b"})
    assert answer.context["query"] == "who=a%26type%3Db"
