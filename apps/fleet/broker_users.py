"""Who may do what at the broker: one Redis user an agent, which can pop its own queue and nothing else.

The site keeps only the SHA-256 of an agent's password, the form in which Redis keeps it too. The password itself is
32 random bytes, so its plain hash is as hard to guess as the password.

Source: redis.io/docs/latest/operate/oss_and_stack/management/security/acl (rules, files, `ACL LOAD`).
"""

from __future__ import annotations

import hashlib
import secrets
from typing import Final

from apps.fleet.models import Agent
from apps.history.actors import SYSTEM, Actor
from apps.history.services import append

PASSWORD_BYTES: Final = 32


def user_name(agent: Agent) -> str:
    """Return the name under which the broker knows `agent`."""
    return f"agent-{agent.pk}"


def new_broker_password(agent: Agent, *, actor: Actor = SYSTEM) -> str:
    """Return the agent's new password for the broker, said this once; an older one counts no more.

    In the caller's transaction, which holds the agent's row lock. Only its hash is kept.
    """
    password = secrets.token_urlsafe(PASSWORD_BYTES)
    agent.broker_password_sha256 = hashlib.sha256(password.encode("ascii")).hexdigest()
    agent.save(update_fields=["broker_password_sha256"])
    append("agent.new-broker-password", actor=actor, subjects=[("agent", str(agent.pk))], data={})
    return password
