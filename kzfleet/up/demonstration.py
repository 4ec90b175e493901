"""The demonstration fleet's agents: made and made known with the commands that an administrator has."""

import io
import subprocess
import sys
from pathlib import Path

from django.conf import settings
from django.core.management import call_command

from apps.fleet.broker_users import knows_password, renew_broker_password
from apps.fleet.selectors import deployment_uuid
from apps.forced_actions.selectors import current_policy
from kernelzone.envelope import raw_public_key
from kernelzone.portable import demonstration
from kernelzone.portable.demonstration import FleetHost
from kzagent import identity
from kzfleet.places import without_credentials
from kzfleet.up.preparation import authority_public_key
from kzfleet.up.refusals import CannotStart

# Short times, so that a first look shows what happens: an agent is called silent after 20 s.
HEARTBEAT_S = 5
SITE_TIMES = {"KZFLEET_INSPECT_EVERY_S": "10", "KZFLEET_HOST_SILENT_AFTER_S": "20"}
# The strict policy watches boot storage for a minute, three times; guests here write every second.
QUIET_WINDOW_S = 10
INIT_WAIT_S = 30


def fleet_directory(var: Path) -> Path:
    """Return where the demonstration fleet is kept."""
    return var / "demonstration"


def prepared_agents(var: Path, *, base_url: str) -> list[Path]:
    """Return the agents' directories, made and made known now where they were not.

    The caller has seen that the fleet is there. Raises: CannotStart.
    """
    fleet = demonstration.load(fleet_directory(var))
    if current_policy().version == 1 and settings.FORCED_QUIET_WINDOW_S > QUIET_WINDOW_S:
        call_command("policy", "--quiet-window-s", str(QUIET_WINDOW_S), stdout=io.StringIO())
    return [_prepared(fleet.directory / "agents" / name, hosts, base_url) for name, hosts in fleet.agents().items()]


def _prepared(directory: Path, hosts: tuple[FleetHost, ...], base_url: str) -> Path:
    if not (directory / identity.SETTINGS_NAME).exists():
        _init(directory, hosts, base_url)
    agent = identity.load_settings(directory)
    named = [f"--host={host.owner_hostid}:{host.hostname}:{host.site}:{host.rack}" for host in hosts]
    key = raw_public_key(identity.load_key(directory)).hex()
    words = ["--uuid", str(agent.agent), "--public-key", key, "--name", directory.name, *named]
    call_command("trust_agent", *words, verbosity=0, stdout=io.StringIO())
    # this start's addresses: the port may differ
    identity.replace_settings(directory, url=base_url, broker=_broker_url(agent), heartbeat_s=HEARTBEAT_S)
    return directory


def _broker_url(agent: identity.Settings) -> str:
    """Return the broker's URL for an agent, with a user of its own where this site writes the broker's users."""
    if not settings.BROKER_USERS_FILE:
        return str(settings.BROKER_URL)
    if without_credentials(agent.broker) == settings.AGENT_BROKER_URL and knows_password(agent.agent, agent.broker):
        return agent.broker
    return renew_broker_password(agent.agent)


def _init(directory: Path, hosts: tuple[FleetHost, ...], base_url: str) -> None:
    authority = authority_public_key(Path(settings.AUTHORITY_KEY_FILE))
    argv = [sys.executable, "-m", "kzagent", "init", str(directory), "--site", hosts[0].site]
    given = ["--deployment", str(deployment_uuid()), "--url", base_url, "--broker", settings.AGENT_BROKER_URL]
    named = [word for host in hosts for word in ("--host", str(host.directory))]
    done = subprocess.run(  # noqa: S603 - an argument vector of our own, no shell
        [*argv, *given, "--authority-key", authority, *named],
        capture_output=True,
        text=True,
        timeout=INIT_WAIT_S,
        check=False,
    )
    if done.returncode != 0:
        raise CannotStart(f"The agent {directory.name} could not be made: {done.stderr.strip()}")
