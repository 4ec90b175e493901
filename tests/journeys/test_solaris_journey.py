"""A takeover on a Solaris host, through the whole site: the agent's host is met by its commands, none of it read."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from people import Approver, Rest, cast, request_takeover
from running_site import Site, must

pytestmark = pytest.mark.journey

LOSER, WINNER = "848611d4", "84f1a2c3"


@pytest.fixture
def solaris_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A demonstration of its own, in which global3 is a Solaris host to its agent."""
    found = Site(tmp_path_factory.mktemp("solaris") / "var")
    try:
        found.start()
        found.stop()
        _become_solaris(found, found.host("global3"))
        found.start()
        found.want("kz-mail01", "global2", "global3")
        yield found
    finally:
        found.stop()


def _become_solaris(site: Site, host: Path) -> None:
    must(site.kz("global3", "commands", str(host / "bin")))
    solaris = {"owner_hostid": WINNER, "way": "local", "commands": str(host / "bin"), "logs": str(host / "log")}
    entry = {"driver": "solaris", "directory": "", "solaris": {**solaris, "ssh": None, "rad": None}}
    (settings,) = [path for path in site.var.rglob("agent.json") if f'"{host}"' in path.read_text()]
    kept = json.loads(settings.read_text())
    kept["hosts"] = [entry if one["directory"] == str(host) else one for one in kept["hosts"]]
    settings.write_text(json.dumps(kept))


def test_a_solaris_host_takes_a_zone_over_that_it_cannot_read(solaris_site: Site) -> None:
    site = solaris_site
    with Rest(site, "olga") as olga, Rest(site, "adam") as adam, Rest(site, "ada") as ada:
        people = cast(site)
        approvers = [Approver(one, people[name].authenticator) for one, name in ((adam, "adam"), (ada, "ada"))]  # type: ignore[arg-type]
        conflict = olga.conflict("kz-mail01")
        assert conflict["message"].rstrip() == site.zoneadm("global3", "kz-mail01", "attach").stderr.rstrip()

        asked = request_takeover(olga, "kz-mail01", LOSER, "global2 lost its mainboard and will not come back.")
        pending = olga.forced_action(asked, "pending")
        for approver in approvers:
            approver.approve(pending)
        done = olga.forced_action(asked, timeout_s=120)

        assert done["state"] == "done", done
        now = site.read("global3", "kz-mail01")
        assert f"used by host {WINNER} (global3" in now
        assert "forced" in now
        assert site.state_of("global3", "kz-mail01") == "installed"
        assert olga.zone("kz-mail01")["owner_hostid"] == WINNER
