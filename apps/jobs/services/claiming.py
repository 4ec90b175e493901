"""Which reports show that two agents speak for one host: both trusted, and only one of them was given the host."""

from __future__ import annotations

from collections.abc import Iterable

from apps.fleet.collisions import Claim
from apps.fleet.models import Agent, Host
from apps.jobs.services.reading_reports import Item
from kernelzone.words import shown

_LONGEST_HOSTNAME = 255


def claim_in(item: Item) -> Claim | None:
    """Return the claim that a refused state of a host makes, when the host is another trusted agent's."""
    host = item.host
    if item.refused is None or item.refused.code != "RESULT_AGENT" or host is None or item.said.order is not None:
        return None
    return _claim(host, item.agent, _hostname(item)) if _is_anothers(host, item.agent) else None


def claims_of(agent: Agent, owner_hostids: Iterable[str]) -> list[Claim]:
    """Return the claims of a heartbeat: those of the hosts it names that are another trusted agent's."""
    named = Host.objects.select_related("agent").filter(owner_hostid__in=list(owner_hostids))
    return [_claim(host, agent, "") for host in named if _is_anothers(host, agent)]


def _is_anothers(host: Host, agent: Agent) -> bool:
    return host.agent is not None and host.agent.pk != agent.pk and host.agent.state == Agent.State.TRUSTED


def _claim(host: Host, agent: Agent, hostname: str) -> Claim:
    return Claim(host, agent, "", hostname)


def _hostname(item: Item) -> str:
    told = (item.said.result or {}).get("host")
    return shown(told.get("hostname", ""), _LONGEST_HOSTNAME) if isinstance(told, dict) else ""
