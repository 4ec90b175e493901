"""One HTTP request to the site: a packed batch of reports out, the answer in.

No redirect is followed and no proxy is asked: the address in `agent.json` is the only place reports go to.
"""

from __future__ import annotations

import gzip
import http.client
import json
import socket
import ssl
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit
from uuid import UUID

from kernelzone import strict
from kernelzone.words import HostId
from kzagent.errors import LinkError
from kzagent.identity import Settings

PATH: Final = "/api/agent/v1/reports"
TIMEOUT_S: Final = 15
MAX_ANSWER_BYTES: Final = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Answer:
    """What the site says to a batch; nothing in it is believed but the signed `beacon`.

    `epoch`, `seq`: of this agent's reports it holds all up to `seq`. `missing`: those it lacks below its highest.
    `wanted`: the hosts whose full state it lacks. `beacon`: the newest signed time, None while there is none.
    `obligations`: signed too, what this agent's hosts have lost; None when they never lost anything.
    """

    epoch: str
    seq: int
    missing: tuple[int, ...]
    wanted: tuple[HostId, ...]
    beacon: str | None
    obligations: str | None


class Post:
    """Posts batches to the one address of the site."""

    def __init__(self, settings: Settings) -> None:
        self._agent: UUID = settings.agent
        self._address = urlsplit(settings.url)
        self._tls = None
        if self._address.scheme == "https":
            self._tls = ssl.create_default_context(cafile=settings.ca_file or None)

    def batch(self, envelopes: list[bytes]) -> Answer:
        """Return the site's answer to `envelopes`.

        Raises: LinkError when it cannot be reached, refuses, or answers in another form.
        """
        content = {"agent": str(self._agent), "reports": [envelope.decode("utf-8") for envelope in envelopes]}
        packed = gzip.compress(json.dumps(content).encode("utf-8"), compresslevel=6)
        try:
            status, body = self._exchange(packed)
        except (OSError, http.client.HTTPException) as error:
            raise LinkError(f"the site cannot be reached: {type(error).__name__}") from error
        if status != http.client.ACCEPTED:
            raise LinkError(f"the site answered {status}")
        try:
            return strict.read(Answer, strict.load(body, max_bytes=MAX_ANSWER_BYTES), "answer")
        except strict.StrictError as error:
            raise LinkError(f"the site's answer is not one: {error}") from error

    def _exchange(self, packed: bytes) -> tuple[int, bytes]:
        connection = self._connection()
        try:
            path = self._address.path.rstrip("/") + PATH
            headers = {"Content-Type": "application/json", "Content-Encoding": "gzip", "Connection": "close"}
            connection.request("POST", path, body=packed, headers=headers)
            response = connection.getresponse()
            return response.status, response.read(MAX_ANSWER_BYTES + 1)
        finally:
            connection.close()

    def _connection(self) -> http.client.HTTPConnection:
        host = self._address.hostname or ""
        if self._tls is not None:
            return http.client.HTTPSConnection(host, self._address.port, timeout=TIMEOUT_S, context=self._tls)
        _refuse_other_machines(host)
        return http.client.HTTPConnection(host, self._address.port, timeout=TIMEOUT_S)


def _refuse_other_machines(host: str) -> None:
    """Refuse http to a name that has come to mean another machine."""
    found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    if not all(str(entry[4][0]).startswith("127.") or entry[4][0] == "::1" for entry in found):
        raise LinkError(f"{host} is not this machine: http:// is refused")
