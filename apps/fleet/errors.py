"""Refusals about hosts and agents."""

from __future__ import annotations

from apps.base.errors import DomainError


class KeyInUse(DomainError):
    """The public key belongs to another agent. Facts: agent."""

    code = "key_in_use"
    status = 409
    message = "another agent has this public key"
    hint = "Give every agent a key of its own: kzagent init makes one."


class AgentExists(DomainError):
    """The host, or the uuid, has a live agent already. Facts: owner_hostid or agent."""

    code = "agent_exists"
    status = 409
    message = "a live agent is there already"
    hint = "Revoke that agent first: manage.py revoke_agent UUID."


class AgentMissing(DomainError):
    """No trusted agent speaks for the host, so nothing can be asked of it. Facts: owner_hostid."""

    code = "agent_missing"
    status = 409
    message = "no trusted agent speaks for this host"
    hint = "Make an agent known for this host first: manage.py trust_agent."


class HostRetired(DomainError):
    """The host was retired. Facts: owner_hostid."""

    code = "host_retired"
    status = 409
    message = "this host was retired"
    hint = "Make its agent known again if the host is back."
