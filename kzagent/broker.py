"""The way orders come in: Redis, read by a channel that lets nothing through but one string.

Why our own reading: what stands on the queue is not trusted, and a stock Celery worker can be ended by one malformed
message (missing fields, wrong types, a body that is no JSON). Here a message is taken apart at the door, its headers
are thrown away, and Celery gets one built anew around the envelope. To be looked at again with every new kombu: it
overrides `Channel._brpop_read`.

Source: kombu 5.7, kombu/transport/redis.py; docs.celeryq.dev, message protocol 2.
"""

from __future__ import annotations

import base64
import json
import logging
from collections import Counter
from collections.abc import Callable
from queue import Empty
from typing import Any, Final
from uuid import uuid4

from kombu.transport import redis

from kernelzone import strict
from kernelzone.orders import MAX_ORDER_BYTES

logger = logging.getLogger(__name__)

TASK: Final = "kzagent.run"
# base64 of the payload, of the envelope in the body, and JSON around both
MAX_MESSAGE_BYTES: Final = 4 * MAX_ORDER_BYTES
dropped: Counter[str] = Counter()


class MessageDropped(ValueError):
    """A message that is not a task with one envelope."""


def envelope_in(item: bytes) -> str:
    """Return the one argument of the task message `item`, as it stands on the queue. Raises: MessageDropped."""
    try:
        message = strict.load(item, max_bytes=MAX_MESSAGE_BYTES)
        body = base64.b64decode(message["body"], validate=True)
        arguments, named, _ = strict.load(body, max_bytes=MAX_MESSAGE_BYTES)
        (envelope,) = arguments or [named["envelope"]]
    except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
        raise MessageDropped("not a task with one envelope") from error
    if not isinstance(envelope, str):
        raise MessageDropped("not a task with one envelope")
    return envelope


def message_around(envelope: str) -> dict[str, Any]:
    """Return a task message, as kombu hands it to Celery, in which only the envelope comes from outside."""
    body = json.dumps([[envelope], {}, {"callbacks": None, "errbacks": None, "chain": None, "chord": None}])
    identity = str(uuid4())
    return {
        "body": base64.b64encode(body.encode("utf-8")).decode("ascii"),
        "content-encoding": "utf-8",
        "content-type": "application/json",
        "headers": {"lang": "py", "task": TASK, "id": identity, "root_id": identity, "parent_id": None, "group": None},
        "properties": {
            "correlation_id": identity,
            "delivery_mode": 2,
            "delivery_info": {"exchange": "", "routing_key": ""},
            "priority": 0,
            "body_encoding": "base64",
            "delivery_tag": identity,
        },
    }


class Channel(redis.Channel):
    """A Redis channel whose messages are taken apart before anything of Celery sees them.

    `on_answer` is called whenever the broker has answered, with a message or without.
    """

    on_answer: Callable[[], None] = staticmethod(lambda: None)

    def _brpop_read(self, **options: Any) -> bool:
        try:
            try:
                found = self.client.parse_response(self.client.connection, "BRPOP", **options)
            except self.connection_errors:
                self.client.connection.disconnect()
                raise
            self.on_answer()
            if not found:
                raise Empty()
            queue, item = found
            name = queue.decode("utf-8").rsplit(self.sep, 1)[0]
            self._queue_cycle.rotate(name)
            self._deliver_safely(item, name)
            return True
        finally:
            self._in_poll = None  # type: ignore[assignment]
            self._flush_brpop_reauth()  # type: ignore[no-untyped-call]

    def _deliver_safely(self, item: bytes, queue: str) -> None:
        try:
            envelope = envelope_in(item)
        except MessageDropped as error:
            dropped[type(error).__name__] += 1
            logger.warning("dropped a message: %s (%d so far)", error, dropped.total())
            return
        self.connection._deliver(message_around(envelope), queue)


class Transport(redis.Transport):
    """Redis with the channel above."""

    Channel = Channel
