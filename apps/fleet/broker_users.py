"""Who may do what at the broker: one Redis user an agent, which can pop its own queue and nothing else.

The site keeps only the SHA-256 of an agent's password, the form in which Redis keeps it too. The password itself is
32 random bytes, so its plain hash is as hard to guess as the password.

Source: redis.io/docs/latest/operate/oss_and_stack/management/security/acl (rules, files, `ACL LOAD`). The commands
are those that celery 5.7 with kombu 5.7 and redis-py 8.1 was seen to send: tests/kzagent/test_broker_users.py.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Iterable, Mapping
from typing import Final
from urllib.parse import urlsplit
from uuid import UUID

from django.conf import settings
from django.db import transaction

from apps.base.errors import NotFound
from apps.base.nudge import nudge
from apps.fleet.models import Agent
from apps.history.actors import SYSTEM, Actor
from apps.history.services import append

PASSWORD_BYTES: Final = 32
WRITE_BROKER_USERS: Final = "apps.fleet.write_broker_users"
# The site's own users. web: web and beat, which wake control. access: makes the broker read the file again.
CONTROL, WEB, ACCESS = "kzfleet-control", "kzfleet-web", "kzfleet-access"
SITE_USERS: Final = (ACCESS, CONTROL, WEB)

_QUEUE: Final = "+ping +select +llen +multi +exec +discard"
_RULES: Final = {
    ACCESS: "+ping +acl|load",
    WEB: f"~{{prefix}}control {_QUEUE} +lpush",
    # %W: what control has put into an agent's queue it cannot take out again. unacked: late acknowledgement;
    # the scripts and `get` and `del` are those of the lock under which unacknowledged messages are put back.
    CONTROL: (
        "~{prefix}control ~{prefix}unacked ~{prefix}unacked_index ~{prefix}unacked_mutex %W~{prefix}agent.* "
        f"{_QUEUE} +lpush +rpush +brpop +zadd +zrem +zrange +zrevrangebyscore +hset +hget +hdel +watch +unwatch "
        "+set +get +del +evalsha +script|load"
    ),
}
_OURS: Final = re.compile(r"user (?:default|kzfleet-\S+|agent-[0-9a-f-]{36})(?: |$)")


def user_name(agent: Agent) -> str:
    """Return the name under which the broker knows `agent`."""
    return f"agent-{agent.pk}"


def new_password() -> str:
    """Return a password of 32 random bytes, 43 characters that need no quoting in a URL."""
    return secrets.token_urlsafe(PASSWORD_BYTES)


def hashed(password: str) -> str:
    """Return the SHA-256 of a password, 64 hex digits: all that is kept of it."""
    return hashlib.sha256(password.encode("ascii")).hexdigest()


def new_broker_password(agent: Agent, *, actor: Actor = SYSTEM) -> str:
    """Return the agent's new password for the broker, said this once; an older one counts no more.

    In the caller's transaction, which holds the agent's row lock. Only its hash is kept.
    """
    password = new_password()
    agent.broker_password_sha256 = hashed(password)
    agent.save(update_fields=["broker_password_sha256"])
    append("agent.new-broker-password", actor=actor, subjects=[("agent", str(agent.pk))], data={})
    nudge(WRITE_BROKER_USERS)
    return password


@transaction.atomic(durable=True)
def renew_broker_password(agent_uuid: UUID, *, actor: Actor = SYSTEM) -> str:
    """Return the broker's URL for this trusted agent, with a new password in it. Raises: NotFound."""
    agent = Agent.objects.select_for_update(no_key=True).filter(pk=agent_uuid, state=Agent.State.TRUSTED).first()
    if agent is None:
        raise NotFound()
    return agent_broker_url(agent, new_broker_password(agent, actor=actor))


def knows_password(agent_uuid: UUID, url: str) -> bool:
    """Return whether the broker's `url` holds the password that this agent was given last."""
    password = urlsplit(url).password or ""
    return Agent.objects.filter(pk=agent_uuid, broker_password_sha256=hashed(password)).exists()


def agent_broker_url(agent: Agent, password: str) -> str:
    """Return the broker's URL as `agent` is to use it."""
    return url_of(settings.AGENT_BROKER_URL, user=user_name(agent), password=password)


def url_of(url: str, *, user: str, password: str) -> str:
    """Return the broker's `url` with these credentials in the place of any others."""
    return re.sub("://(?:[^/]*@)?", f"://{user}:{password}@", url, count=1)


def users_file(site: Mapping[str, str], agent_lines: Iterable[str], others: Iterable[str], *, prefix: str) -> str:
    """Return the text of `users.acl`: nobody without credentials, the site's users, agents, and `others`.

    site: name to SHA-256 of the password, of those that have one. others: lines of users that are none of ours.
    prefix: of every key, as in the broker's settings. The same users give the same text.
    """
    known = [_line(name, site[name], _RULES[name].format(prefix=prefix)) for name in SITE_USERS if name in site]
    lines = ["user default off", *known, *sorted(agent_lines), *others]
    return "".join(f"{line}\n" for line in lines)


def agent_line(agent: Agent, *, prefix: str) -> str:
    """Return the line of one agent, which has a password."""
    # One key and no pattern: the uuid has a fixed length, and nothing in it means anything to Redis.
    return _line(user_name(agent), agent.broker_password_sha256, f"~{prefix}agent.{agent.pk} {_QUEUE} +brpop")


def agent_lines_in(text: str) -> list[str]:
    """Return the lines of agents in a `users.acl`."""
    return [line for line in text.splitlines() if line.startswith("user agent-") and _OURS.match(line)]


def others_in(text: str) -> list[str]:
    """Return the lines of a `users.acl` that an administrator wrote: their users are none of ours."""
    return [line for line in text.splitlines() if line.strip() and not _OURS.match(line)]


def site_hashes_in(text: str) -> dict[str, str]:
    """Return name to password hash of the site's own users in a `users.acl`; the file is where they are kept."""
    found = (re.match(r"user (\S+) on #([0-9a-f]{64}) ", line) for line in text.splitlines())
    return {match[1]: match[2] for match in found if match and match[1] in SITE_USERS}


def _line(name: str, password_sha256: str, rules: str) -> str:
    return f"user {name} on #{password_sha256} resetchannels -@all {rules}"
