"""One site for all journeys, with what has happened to its fleet before anybody signs in."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from browsing import chromium
from people import Approver, Authenticator, Person, Rest, cast, request_takeover
from playwright.sync_api import Browser
from running_site import Site, must

ASKED = (
    ("kz-mail01", "848611d4", "global2 lost its mainboard this night and will not come back before it is missed."),
    ("kz-web04", "86a91f05", "global5 is without power, and will be for longer than its zones can be missed."),
)


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The demonstration fleet, served by real processes; besides its own trouble, what these journeys need."""
    found = Site(tmp_path_factory.mktemp("journeys") / "var")
    try:
        found.start()
        _trouble(found)
        yield found
    finally:
        found.stop()


def _trouble(site: Site) -> None:
    """Host global5 dies; zones of dead, silent and living hosts are wanted elsewhere."""
    must(site.kz("global5", "flag", "dead"))
    site.want("kz-mail01", "global2", "global3")
    site.want("kz-web03", "global5", "global6")
    site.configure("kz-web03", "global5", "global7")
    site.want("kz-web04", "global5", "global8")
    site.want("kz-web02", "global1", "global3")


@pytest.fixture(scope="session")
def people(site: Site) -> dict[str, Person]:
    """The accounts that `make run` printed."""
    return cast(site)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One Chromium; each person gets a window with cookies of its own.

    Not for the whole session: while Playwright's loop runs in this thread, Django refuses its database to other tests.
    """
    with chromium() as found:
        yield found


@pytest.fixture(scope="session")
def olga(site: Site) -> Iterator[Rest]:
    """The operator, as a program: a personal token."""
    with Rest(site, "olga") as client:
        yield client


@pytest.fixture(scope="session")
def begun(olga: Rest) -> dict[str, str]:
    """What takes its time and needs nobody, begun before it is told of: two requests by zone, evidence of kz-web03."""
    asked = {zone: request_takeover(olga, zone, loser, reason) for zone, loser, reason in ASKED}
    olga.post(f"/conflicts/{olga.conflict('kz-web03')['id']}/evidence", window_s=1)
    return asked


@pytest.fixture(scope="session")
def approvers(site: Site, people: dict[str, Person]) -> Iterator[list[Approver]]:
    """Adam and Ada, as programs, with their authenticators."""
    with Rest(site, "adam") as adam, Rest(site, "ada") as ada:
        yield [Approver(adam, _app(people["adam"])), Approver(ada, _app(people["ada"]))]


def _app(person: Person) -> Authenticator:
    assert person.authenticator is not None
    return person.authenticator
