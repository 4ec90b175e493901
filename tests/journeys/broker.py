"""The broker as somebody who has broken into it: reads, removes, edits and adds messages."""

from __future__ import annotations

import base64
import json
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import redis
from running_site import Site, wait_for

from kzfleet.places import broker_socket


class Broker:
    """The queues of one site's agents."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._redis = redis.Redis(unix_socket_path=str(broker_socket(site.var)))

    def close(self) -> None:
        self._redis.close()

    def queue(self, agent: str) -> str:
        """Return the queue of an agent by its name."""
        (row,) = self._site.rows("SELECT uuid FROM fleet_agent WHERE name = ?", agent)
        return f"agent.{_dashed(row[0])}"

    def add(self, agent: str, *messages: dict[str, Any]) -> None:
        """Put messages into an agent's queue, as a publisher does."""
        for message in messages:
            self._redis.lpush(self.queue(agent), json.dumps(message))

    def take(self, agent: str, job: str) -> dict[str, Any]:
        """Return the message with this order, once it is there; it is not in the queue any more."""
        queue = self.queue(agent)

        def found() -> bytes | None:
            items = self._redis.lrange(queue, 0, -1)
            return next((item for item in items if is_alone(json.loads(item), job)), None)

        item = wait_for(found, 20, f"order {job} is not in the queue")
        assert item is not None
        assert self._redis.lrem(queue, 1, item) == 1
        return dict(json.loads(item))

    def wait_until_empty(self, agent: str) -> None:
        """Return when the agent has taken everything."""
        wait_for(lambda: self._redis.llen(self.queue(agent)) == 0, 20, f"{agent} takes nothing")

    @contextmanager
    def frozen(self, agent: str) -> Iterator[None]:
        """Hold an agent still, so that what is sent to it stays in the broker meanwhile."""
        pid = self._site.pid("kzagent run", f"/{agent}")
        os.kill(pid, signal.SIGSTOP)
        try:
            # its connection waits for a message already; the others that wait connect again by themselves
            for client in self._redis.client_list():
                if client["cmd"] == "brpop":
                    self._redis.client_kill_filter(_id=client["id"])
            yield
        finally:
            os.kill(pid, signal.SIGCONT)


def message_of(envelope: str) -> dict[str, Any]:
    """Return a message around an envelope, as Celery writes it."""
    return with_body({"headers": {"task": "kzagent.run"}, "content-type": "application/json"}, [[envelope], {}, {}])


def body_of(message: dict[str, Any]) -> Any:
    """Return the body of a task message: arguments, named arguments, what is to follow."""
    return json.loads(base64.b64decode(message["body"]))


def with_body(message: dict[str, Any], body: Any) -> dict[str, Any]:
    """Return the message with another body."""
    return {**message, "body": base64.b64encode(json.dumps(body).encode()).decode()}


def is_alone(message: dict[str, Any], job: str) -> bool:
    """Return whether the message holds the order of this job and, unlike that of a sweep, no other."""
    envelopes = body_of(message)[0][0].splitlines()
    return len(envelopes) == 1 and bool(order_in(message)["order"] == job)


def order_in(message: dict[str, Any]) -> Any:
    """Return the fields of the order in a message."""
    return json.loads(base64.b64decode(json.loads(body_of(message)[0][0])["payload"]))


def with_order(message: dict[str, Any], **changes: object) -> dict[str, Any]:
    """Return the message with fields of its order changed, and the signature as it was."""
    envelope = json.loads(body_of(message)[0][0])
    payload = json.dumps({**order_in(message), **changes}, separators=(",", ":"), sort_keys=True)
    envelope["payload"] = base64.b64encode(payload.encode()).decode()
    return with_body(message, [[json.dumps(envelope)], *body_of(message)[1:]])


def _dashed(text: str) -> str:
    digits = text.replace("-", "")
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))
