"""The broker: reached, with credentials that let the agent pop its own queue, and better nothing else.

No order is taken: what is asked inside a transaction is checked against the user's rights and then thrown away.
Source: redis.io, MULTI and DISCARD; ACLs are checked when a command is queued.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final
from urllib.parse import urlsplit

import redis

from kzagent.identity import LOOPBACK, Settings
from kzagent.readiness.findings import Finding, missing, ok, unknown

TIMEOUT_S: Final = 5
_ASK: Final = "ask the site for new ones (manage.py broker_password UUID FILE), then 'kzagent set-broker DIR @FILE'"


def broker(settings: Settings) -> Iterator[Finding]:
    """Yield whether the agent can take orders from its broker, and whether its user may do more than that."""
    try:
        with _client(settings.broker) as client:
            yield _popping(client, settings)
            yield _alone(client, settings)
    except redis.AuthenticationError:
        yield missing("broker", f"{_place(settings.broker)} refuses these credentials", _ASK)
    except (redis.ConnectionError, redis.TimeoutError, OSError) as error:
        why = type(error.__cause__ or error).__name__
        to_do = "look at the address in agent.json, at the network, and whether the broker runs"
        yield missing("broker", f"{_place(settings.broker)} cannot be reached ({why})", to_do)
    except (redis.RedisError, ValueError) as error:
        yield unknown("broker", f"{_place(settings.broker)} answered in another way ({type(error).__name__})")
    yield from _tls(settings.broker)


def answers(settings: Settings) -> bool:
    """Return whether the broker answers this agent on a fresh connection; never raises."""
    try:
        with _client(settings.broker) as client:
            return bool(client.ping())
    except (redis.RedisError, OSError, ValueError):
        return False


def _client(url: str) -> redis.Redis:
    # Celery and redis-py have different words for a socket.
    plain = url.replace("redis+socket://", "unix://", 1)
    return redis.Redis.from_url(plain, socket_timeout=TIMEOUT_S, socket_connect_timeout=TIMEOUT_S, retry=None)


def _popping(client: redis.Redis, settings: Settings) -> Finding:
    queue = f"{settings.broker_prefix}agent.{settings.agent}"
    if not _may(client, "BRPOP", queue, "1"):
        return missing("broker", f"this user may not read the queue {queue}", _ASK)
    waiting = client.llen(queue)
    return ok("broker", f"{_place(settings.broker)} lets the agent take its orders ({waiting} waiting)")


def _alone(client: redis.Redis, settings: Settings) -> Finding:
    """Return whether the credentials are this agent's own: others would let it read what is not its own."""
    if _may(client, "BRPOP", f"{settings.broker_prefix}control", "1"):
        found = "this user may read other queues too"
        return missing("broker user", found, f"give the agent a user of its own: {_ASK}", is_needed=False)
    return ok("broker user", "its own, for its own queue alone")


def _may(client: redis.Redis, *words: str) -> bool:
    """Return whether this user may run the command, which is not run."""
    connection = client.connection_pool.get_connection()
    try:
        for command in (("MULTI",), words):
            connection.send_command(*command)  # type: ignore[no-untyped-call]
            connection.read_response()
    except redis.exceptions.NoPermissionError:
        return False
    finally:
        # Closing throws the transaction away; DISCARD would need a right of its own.
        connection.disconnect()  # type: ignore[no-untyped-call]
        client.connection_pool.release(connection)
    return True


def _tls(url: str) -> Iterator[Finding]:
    parts = urlsplit(url)
    if parts.scheme == "redis" and parts.hostname not in LOOPBACK:
        to_do = "reach it by rediss://: on the way anybody can read the password and hold orders back"
        yield missing("broker TLS", f"{_place(url)} is reached in the clear", to_do, is_needed=False)


def _place(url: str) -> str:
    """Return where the broker is, without credentials."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
