"""A host through RAD: what is read, what verbs answer, and what RAD has no word for."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from uuid import UUID

import pytest
from agent_lab import GLOBAL1, GLOBAL2, Fleet
from rad_lab import RadLab
from rad_server import PASSWORD

from kernelzone import strict, zoneadm, zonecfg
from kernelzone.portable import guests
from kernelzone.words import ZoneName
from kernelzone.zoneadm import OutcomeKind
from kzagent.drivers.solaris.opening import open_solaris
from kzagent.errors import DriverError, SetupError
from kzagent.host_settings import HostSettings, check_hosts
from kzagent.readiness.hosts import _host as readiness_of

ZONE1, ZONE2 = ZoneName("kzone1"), ZoneName("kzone2")
PATIENCE_S = 20.0


def test_the_zones_are_listed_with_their_states_and_uuids(rad: RadLab, fleet: Fleet) -> None:
    kzone1, kzone2 = rad.port().zones()

    assert (kzone1.name, kzone1.state, kzone1.auxiliary, kzone1.zone_uuid) == ("kzone1", "configured", (), None)
    assert (kzone2.name, kzone2.state) == ("kzone2", "installed")
    assert kzone2.zone_uuid == fleet.global1.placement_facts("kzone2").zone_uuid


@pytest.mark.parametrize("first_slash", [True, False])
@pytest.mark.parametrize("minors", [(8,), (7, 6), (2, 0), (0,)])
def test_every_version_of_zonemgr_and_both_kinds_of_href_are_spoken(
    rad: RadLab, minors: tuple[int, ...], first_slash: bool
) -> None:
    rad.served.manners = dataclasses.replace(rad.manners, minors=minors, first_slash=first_slash)
    port = rad.port()

    assert [zone.name for zone in port.zones()] == ["kzone1", "kzone2"]
    assert zonecfg.parse(port.exports([ZONE2])[ZONE2]).value("brand") == "solaris-kz"
    assert rad.served.asked(f"zonemgr/1.{max(minors)}/Zone/kzone2/_rad_method/exportConfig") == 1


def test_no_version_of_zonemgr_is_said(rad: RadLab) -> None:
    rad.served.manners = dataclasses.replace(rad.manners, minors=())

    with pytest.raises(DriverError) as refused:
        rad.port().zones()

    assert refused.value.code == "NO_COMMAND"
    assert not rad.port().is_reachable()


def test_another_release_of_the_host_is_noticed(rad: RadLab) -> None:
    port = rad.port()
    assert len(port.zones()) == 2
    rad.served.manners = dataclasses.replace(rad.manners, minors=(0, 1, 2))

    assert len(port.zones()) == 2


def test_other_brands_and_states_that_nobody_knows(rad: RadLab) -> None:
    def edit(payload: list) -> list:
        payload[0]["Zone"].update(state="hovering", auxstate=["migrating-in", "new-word"], uuid=None)
        native = {"brand": "solaris", "name": "not a kernel zone!", "state": 7}
        return [{"href": "?", "Zone": native}, *payload]

    rad.served.manners = dataclasses.replace(rad.manners, only="/Zone/?", edit=edit)

    kzone1, _ = rad.port().zones()

    assert (kzone1.state, kzone1.auxiliary) == ("unknown", ("migrating-in", "new-word"))


def test_the_export_is_the_one_of_zonecfg_key_and_all(rad: RadLab, fleet: Fleet) -> None:
    exports = rad.port().exports([ZONE1, ZoneName("kz9"), ZONE2])

    assert exports == {zone: fleet.global1.export(zone) for zone in ("kzone1", "kzone2")}
    assert zonecfg.key_source(zonecfg.parse(exports[ZONE2])) is not None


def test_the_facts_of_the_host(rad: RadLab, fleet: Fleet) -> None:
    facts = rad.port().facts()

    assert (facts.owner_hostid, facts.hostname, facts.release) == (GLOBAL1, "global1", "unknown")
    assert facts.boot_environment_uuid == fleet.global1.boot_environment.uuid
    assert facts.boot_id.startswith(f"{GLOBAL1}-")

    before = facts.boot_id
    fleet.global1.crash()
    fleet.global1.come_back()
    assert rad.port().facts().boot_id != before


def test_the_root_pool_and_where_zones_are_evacuated_to(rad: RadLab) -> None:
    port = rad.port()

    assert port.root_pool() == "rpool"
    assert port.evacuation_targets([ZONE1, ZONE2]) == {"kzone1": "ssh://spare", "kzone2": "ssh://global2"}

    rad.served.manners = dataclasses.replace(rad.manners, without=frozenset({"bemgr", "smf"}))
    assert port.root_pool() is None
    assert port.evacuation_targets([ZONE1, ZONE2]) == {}


@pytest.mark.parametrize("module", ["bemgr", "kstat", "smf"])
def test_a_module_that_is_missing_makes_its_facts_unknown(rad: RadLab, module: str) -> None:
    rad.served.manners = dataclasses.replace(rad.manners, without=frozenset({module}))

    facts = rad.port().facts()

    found = {
        "bemgr": (facts.boot_environment, facts.boot_environment_uuid),
        "kstat": facts.boot_id,
        "smf": facts.hostname,
    }[module]
    assert found == {"bemgr": ("unknown", UUID(int=0)), "kstat": "unknown", "smf": "from-the-settings"}[module]


def test_rad_in_a_zone_is_not_the_host(rad: RadLab) -> None:
    def edit(payload: dict) -> dict:
        return {**payload, "ZoneInfo": {**payload["ZoneInfo"], "isGlobal": False}}

    rad.served.manners = dataclasses.replace(rad.manners, only="ZoneInfo", edit=edit)

    assert not rad.port().is_reachable()
    with pytest.raises(DriverError, match="runs in a zone"):
        rad.port().facts()


def test_a_refused_attach_says_who_uses_the_zone(rad: RadLab) -> None:
    finished = rad.port().run(ZONE1, ["attach"], PATIENCE_S)

    outcome = zoneadm.classify(finished.output, finished.exit_code, zone="kzone1")
    assert (finished.exit_code, outcome.kind) == (1, OutcomeKind.IN_USE)
    assert outcome.in_use is not None
    assert (outcome.in_use.owner_hostid, outcome.in_use.hostname) == (GLOBAL2, "global2")


def test_a_takeover_passes_its_extended_option(rad: RadLab, fleet: Fleet) -> None:
    finished = rad.port().run(ZONE1, ["attach", "-x", "force-takeover"], PATIENCE_S)

    assert finished.exit_code == 0, finished
    assert rad.served.requests[-1][2] == {"options": ["-x", "force-takeover"]}
    assert fleet.global1.placement_facts("kzone1").state == "installed"
    assert fleet.global1.read("kzone1")[0].record.owner_hostid == GLOBAL1


@pytest.mark.processes
def test_a_zone_is_booted_once_and_shut_down(rad: RadLab, fleet: Fleet) -> None:
    port = rad.port()
    try:
        assert port.run(ZONE2, ["boot"], PATIENCE_S) == (0, "", "")
        assert [zone.state for zone in port.zones()] == ["configured", "running"]
        again = port.run(ZONE2, ["boot"], PATIENCE_S)
        assert zoneadm.classify(again.output, again.exit_code).kind is OutcomeKind.ALREADY_BOOTED
        assert port.run(ZONE2, ["shutdown"], PATIENCE_S).exit_code == 0
    finally:
        guests.end_all([fleet.global1.placement("kzone2").guest()])
    assert port.zones()[1].state == "installed"


def test_mark_passes_its_word_as_an_option(rad: RadLab, fleet: Fleet) -> None:
    assert rad.port().run(ZONE2, ["mark", "unavailable"], PATIENCE_S).exit_code == 0
    assert fleet.global1.placement_facts("kzone2").state == "unavailable"


def test_a_zone_that_is_not_configured_is_said_to_be_so_also_when_it_went_meanwhile(rad: RadLab, fleet: Fleet) -> None:
    port = rad.port()
    port.zones()
    (fleet.global1.placement("kzone1").directory / "configuration").unlink()

    for zone in (ZoneName("kz9"), ZONE1):
        finished = port.run(zone, ["boot"], PATIENCE_S)
        assert zoneadm.classify(finished.output, finished.exit_code).kind is OutcomeKind.NOT_CONFIGURED


def test_a_method_that_the_host_has_not_is_not_taken_for_a_missing_zone(rad: RadLab) -> None:
    with pytest.raises(DriverError) as refused:
        rad.port().run(ZONE2, ["levitate"], PATIENCE_S)

    assert refused.value.code == "NO_COMMAND"


def test_a_command_file_is_taken_over_or_refused_as_a_whole(rad: RadLab, fleet: Fleet) -> None:
    assert rad.port().configure(ZONE2, "set autoboot=false\n") == (0, "", "")
    assert fleet.global1.placement("kzone2").autoboot() is False

    before = fleet.global1.export("kzone2")
    finished = rad.port().configure(ZONE2, "set autoboot=true\nset nonsense\n")
    assert finished.exit_code == 1
    assert "syntax error" in finished.stderr
    assert fleet.global1.export("kzone2") == before


def test_what_rad_has_no_word_for(rad: RadLab) -> None:
    port = rad.port()

    assert port.attach_logs([ZONE1]) == {}
    assert port.device_ids(["dev:dsk/c0t600144F0d0"]) == {"dev:dsk/c0t600144F0d0": ()}
    with pytest.raises(DriverError) as refused:
        port.is_at_work(ZONE1)
    assert refused.value.code == "NO_COMMAND"


def test_a_client_certificate_needs_no_login(rad: RadLab) -> None:
    assert len(rad.port(rad.by_certificate()).zones()) == 2
    assert rad.served.logins == 0


def test_the_password_goes_nowhere_but_into_the_login(rad: RadLab) -> None:
    port = rad.port()
    port.zones()
    assert PASSWORD in Path(rad.settings().password_file).read_text()
    assert PASSWORD not in json.dumps(rad.served.requests, ensure_ascii=False)
    assert PASSWORD not in repr(vars(port)) + repr(vars(port._client)) + repr(rad.settings())


def test_the_way_is_kept_in_the_settings_of_an_agent(rad: RadLab) -> None:
    settings = HostSettings("solaris", "", rad.solaris_settings())

    assert strict.read(HostSettings, json.loads(strict.canonical(strict.write(settings)))) == settings
    check_hosts((settings,))
    with pytest.raises(SetupError, match="settings of its own"):
        check_hosts((dataclasses.replace(settings, solaris=dataclasses.replace(settings.solaris, rad=None)),))


def test_check_says_why_a_host_is_out_of_reach(rad: RadLab, tmp_path: Path) -> None:
    Path(rad.settings().password_file).write_text("wrong\n")
    driver = open_solaris(rad.solaris_settings(), tmp_path / "agent")

    assert "RAD refuses the login of kzagent (status 401)" in readiness_of(driver).line()
