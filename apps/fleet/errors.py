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
    hint = "Revoke that agent first, on its page or with kzfleet revoke."


class AgentMissing(DomainError):
    """No trusted agent speaks for the host, so nothing can be asked of it. Facts: owner_hostid."""

    code = "agent_missing"
    status = 409
    message = "no trusted agent speaks for this host"
    hint = "Enrol the host first, or trust its suspended agent again."


class HostRetired(DomainError):
    """The host was retired. Facts: owner_hostid."""

    code = "host_retired"
    status = 409
    message = "this host was retired"
    hint = "Make its agent known again if the host is back."


class JoinTokenRefused(DomainError):
    """A join token that opens nothing: unknown, expired, used, for other hosts. One answer for all of them."""

    code = "join_token"
    status = 401
    message = "this join token is not valid for these hosts, or not any more"
    hint = "Make a new one for exactly these hosts, and use it within a quarter of an hour."


class JoinGuessing(DomainError):
    """Too many wrong join tokens from one address. Facts: retry_after_s."""

    code = "join_token_guessing"
    status = 429
    message = "too many wrong join tokens came from this address"
    hint = "Wait for the time Retry-After says; if it was not you, tell an administrator."


class FingerprintDiffers(DomainError):
    """What was typed are not the words of this agent's keys; it stays pending."""

    code = "fingerprint_differs"
    status = 409
    message = "these are not the six words of this agent's keys"
    hint = "Read them again on the host; if they are others there, somebody else asked: reject this agent."


class NewKeyRefused(DomainError):
    """An agent's new key that is not signed by the key before and by itself, or comes too soon."""

    code = "new_key"
    status = 409
    message = "this new key is not taken"
    hint = "An agent changes its key with kzagent rotate, a day after the last time at the earliest."
