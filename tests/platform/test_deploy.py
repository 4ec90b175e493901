"""What runs an agent for real: the systemd unit, the SMF manifest, the rights. None of it was run on a Solaris host."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from kzagent.__main__ import _parser

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
UNIT = DEPLOY / "systemd/kzagent.service"
MANIFEST = DEPLOY / "solaris/kzfleet.xml"
ZONES = "svc:/system/zones:default"
# Source: service_bundle(5) and its DTD; the order is part of it.
IN_A_SERVICE = [
    "create_default_instance",
    "single_instance",
    "restarter",
    "dependency",
    "dependent",
    "method_context",
    "exec_method",
    "property_group",
    "instance",
    "stability",
    "template",
]


@pytest.fixture(scope="module")
def services() -> dict[str, ElementTree.Element]:
    root = ElementTree.parse(MANIFEST).getroot()
    assert (root.tag, root.get("type")) == ("service_bundle", "manifest")
    return {str(service.get("name")): service for service in root}


def subcommand(words: str) -> str:
    """Return which subcommand of `kzagent` a command line is, as `kzagent` itself reads it."""
    program, *arguments = words.split()
    assert program == "/opt/kzfleet/bin/kzagent"
    return str(_parser().parse_args(arguments).command.__name__)


def test_guard_and_agent_come_before_the_zones_of_the_host_boot(services: dict[str, ElementTree.Element]) -> None:
    assert set(services) == {"application/kzfleet/guard", "application/kzfleet/agent"}
    for service in services.values():
        (dependent,) = service.findall("dependent")
        assert [fmri.get("value") for fmri in dependent] == [ZONES]
        # a guard that failed must not keep every zone of the host from booting
        assert (dependent.get("grouping"), dependent.get("restart_on")) == ("optional_all", "none")


def test_nothing_the_services_wait_for_waits_for_the_zones(services: dict[str, ElementTree.Element]) -> None:
    """zones:default waits for multi-user-server: a service that waited for it too could not come first."""
    awaited = {
        str(fmri.get("value"))
        for service in services.values()
        for dependency in service.findall("dependency")
        for fmri in dependency.findall("service_fmri")
    }
    assert not [fmri for fmri in awaited if "multi-user" in fmri or "zones" in fmri]
    assert "svc:/application/kzfleet/guard:default" in awaited


def test_the_agent_is_started_again_whatever_ended_it_and_the_guard_runs_once(
    services: dict[str, ElementTree.Element],
) -> None:
    durations = {
        name: value.get("value")
        for name, service in services.items()
        for value in service.findall("property_group[@name='startd']/propval[@name='duration']")
    }
    assert durations == {"application/kzfleet/guard": "transient", "application/kzfleet/agent": "child"}


def test_methods_are_commands_that_exist_run_without_a_shell_by_a_user_without_rights(
    services: dict[str, ElementTree.Element],
) -> None:
    run = {}
    for name, service in services.items():
        for method in service.findall("exec_method"):
            words = str(method.get("exec"))
            if words.startswith(":"):
                assert words == ":true", "anything else is sent to what the agent has begun, too"
                continue
            run[name, method.get("name")] = subcommand(words.replace("%{kzfleet/directory}", "/var/share/kzagent"))
            credential = method.find("method_context/method_credential")
            assert credential is not None
            assert (credential.get("user"), credential.get("privileges")) == ("kzagent", "basic,!file_link_any")
            assert credential.get("limit_privileges") is None, "a command run through pfexec could get no more"
        directory = service.find("property_group[@name='kzfleet']/propval[@name='directory']")
        assert directory is not None
        assert directory.get("value") == "/var/share/kzagent"
    assert run == {
        ("application/kzfleet/guard", "start"): "guard",
        ("application/kzfleet/agent", "start"): "run",
        ("application/kzfleet/agent", "stop"): "stop",
    }


def test_the_manifest_has_the_parts_of_a_service_in_their_order(services: dict[str, ElementTree.Element]) -> None:
    for service in services.values():
        places = [IN_A_SERVICE.index(part.tag) for part in service]
        assert places == sorted(places)
        assert {method.get("name") for method in service.findall("exec_method")} >= {"start", "stop"}
        assert all(str(method.get("timeout_seconds")).isdigit() for method in service.findall("exec_method"))


def unit() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for line in UNIT.read_text().splitlines():
        if line and not line.startswith(("#", "[")):
            name, _, value = line.partition("=")
            found.setdefault(name, []).append(value)
    return found


def test_the_unit_runs_the_agent_as_a_user_of_its_own_and_ends_it_alone() -> None:
    (start,) = unit()["ExecStart"]
    assert subcommand(start) == "run"
    assert (unit()["User"], unit()["StateDirectory"]) == (["kzagent"], ["kzagent"])
    assert (unit()["KillMode"], unit()["Restart"]) == (["process"], ["always"])
    assert (unit()["NoNewPrivileges"], unit()["ProtectSystem"]) == (["yes"], ["strict"])


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not there")
def test_systemd_takes_the_unit_and_finds_it_closed(tmp_path: Path) -> None:
    copy = tmp_path / UNIT.name
    copy.write_text(UNIT.read_text().replace("/opt/kzfleet/bin/kzagent", sys.executable))

    said = subprocess.run(["systemd-analyze", "verify", str(copy)], capture_output=True, text=True, check=False)
    assert (said.returncode, [line for line in said.stderr.splitlines() if UNIT.name in line]) == (0, [])

    looked = subprocess.run(
        ["systemd-analyze", "security", "--offline=yes", "--threshold=20", str(copy)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert looked.returncode == 0, looked.stdout[-500:]


@pytest.mark.parametrize(
    ("name", "fields", "known"),
    [("prof_attr.d", 5, {"auths", "profiles"}), ("user_attr.d", 5, {"type", "profiles", "auths"})],
)
def test_rights_files_have_the_fields_of_their_format(name: str, fields: int, known: set[str]) -> None:
    """Source: prof_attr(5) and user_attr(5): five fields, the last one name=value pairs with semicolons."""
    lines = (DEPLOY / "solaris" / name / "kzfleet").read_text().splitlines()
    entries = [line.split(":") for line in lines if not line.startswith("#")]
    assert entries
    for entry in entries:
        assert len(entry) == fields
        assert {pair.partition("=")[0] for pair in entry[-1].split(";")} <= known


def test_the_agents_user_has_a_profile_that_is_there() -> None:
    profiles = re.findall(r"^(Kernel Zone [^:]+):", (DEPLOY / "solaris/prof_attr.d/kzfleet").read_text(), re.MULTILINE)
    (granted,) = re.findall(
        r"^kzagent:.*profiles=(.*)$", (DEPLOY / "solaris/user_attr.d/kzfleet").read_text(), re.MULTILINE
    )
    assert granted in profiles
