"""`kzagent record` of a host that is reached through RAD: its answers, which nobody has published."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
from agent_lab import GLOBAL1, Deployment, Fleet
from agent_site import Site
from rad_lab import RadLab

from kernelzone.transcripts import manifest_text, read_bundle, secrets_left
from kernelzone.zonecfg import parse
from kzagent.__main__ import main
from kzagent.drivers.solaris.rad import answers
from kzagent.drivers.solaris.rad.client import RadClient
from kzagent.host_settings import HostSettings
from kzagent.rad_recording import record_rad

RECORDINGS = Path(__file__).parents[2] / "data" / "recordings"


def test_answers_are_recorded_as_json_without_keys(
    rad: RadLab, fleet: Fleet, site: Site, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    hosts = [HostSettings("solaris", "", rad.solaris_settings())]
    deployment = Deployment(tmp_path / "agent", fleet, site.authority, site, hosts)
    deployment.agent.journal.close()

    assert main(["record", str(tmp_path / "b.tar"), "--agent", str(deployment.directory), "--yes", "--print"]) == 0

    bundle = read_bundle(tmp_path / "b.tar")
    everything = json.dumps(bundle.texts) + manifest_text(bundle) + capsys.readouterr().out
    for zone in ("kzone1", "kzone2"):
        key = fleet.global1.export(zone).partition("raw=")[2][:32]
        assert key[:8] not in everything
    ((_, zones),) = bundle.of_kind("rad-zones")
    assert [one.placement.name for one in answers.zone_entries(json.loads(zones)["payload"])] == ["kzone1", "kzone2"]
    exported, refused = (text for one, text in bundle.of_kind("rad-export") if one.zone == "kzone2")
    source = parse(json.loads(exported)["payload"]).only("keysource")
    assert source is not None
    assert source.value("raw") == "0" * 32
    assert json.loads(refused)["payload"]["code"] == "INVALID_ARGUMENT"
    assert secrets_left(bundle) == []


def test_what_is_no_json_is_recorded_too_and_a_key_in_it_is_not(rad: RadLab) -> None:
    key = "6c9b111e4b50ce2fe249395122812a45"
    rad.served.manners = dataclasses.replace(
        rad.manners, only="/Zone/?", raw=f"<html>{key}</html>".encode(), status=500
    )

    bundle = record_rad(RadClient(rad.settings()), pseudonyms=True)

    ((about, text),) = bundle.of_kind("rad-zones")
    assert (about.exit_code, text) == (500, f"<html>{'0' * 32}</html>")
    assert not bundle.of_kind("rad-export")
    assert GLOBAL1 not in json.dumps(bundle.texts), "RAD does not tell it"


def test_every_list_of_zones_ever_recorded_is_read() -> None:
    for place in sorted(path for path in RECORDINGS.iterdir() if path.is_dir()):
        for about, text in read_bundle(place).of_kind("rad-zones"):
            assert about.exit_code != 0 or answers.zone_entries(json.loads(text)["payload"]) is not None
