"""One HTTP request to the site at a time: JSON out, JSON in.

No redirect is followed and no proxy is asked: the address the agent was given is the only place it speaks to.
"""

from __future__ import annotations

import http.client
import json
import socket
import ssl
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

from kernelzone import strict
from kzagent.errors import LinkError

TIMEOUT_S: Final = 15
MAX_ANSWER_BYTES: Final = 1024 * 1024


class Answered(NamedTuple):
    """What the site answered; `body` is at most one byte longer than is read of an answer."""

    status: int
    body: bytes

    def fields(self) -> dict[str, Any]:
        """Return the JSON object of the body. Raises: LinkError."""
        try:
            found = strict.load(self.body, max_bytes=MAX_ANSWER_BYTES)
        except strict.StrictError as error:
            raise LinkError(f"the site's answer is not one: {error}") from error
        if not isinstance(found, dict):
            raise LinkError("the site's answer is not one: it is no object")
        return found


class Site:
    """The site at `url`. ca_file: certificates it is verified by, "" for the system's own."""

    def __init__(self, url: str, ca_file: str) -> None:
        self._address = urlsplit(url)
        self._tls = None
        if self._address.scheme == "https":
            self._tls = ssl.create_default_context(cafile=ca_file or None)

    def post(self, path: str, content: dict[str, Any]) -> Answered:
        """Return the answer to `content`, posted below the site's address. Raises: LinkError."""
        return self.send(path, json.dumps(content).encode("utf-8"), {})

    def send(self, path: str, body: bytes, headers: dict[str, str]) -> Answered:
        """Return the answer to a JSON `body`. Raises: LinkError when the site cannot be reached."""
        try:
            connection = self._connection()
            try:
                headers = {"Content-Type": "application/json", "Connection": "close", **headers}
                connection.request("POST", self._address.path.rstrip("/") + path, body=body, headers=headers)
                response = connection.getresponse()
                return Answered(response.status, response.read(MAX_ANSWER_BYTES + 1))
            finally:
                connection.close()
        except (OSError, http.client.HTTPException) as error:
            raise LinkError(f"the site cannot be reached: {_why(error)}") from error

    def _connection(self) -> http.client.HTTPConnection:
        host = self._address.hostname or ""
        if self._tls is not None:
            return http.client.HTTPSConnection(host, self._address.port, timeout=TIMEOUT_S, context=self._tls)
        _refuse_other_machines(host)
        return http.client.HTTPConnection(host, self._address.port, timeout=TIMEOUT_S)


def _why(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not believed ({error.verify_message})"
    return type(error).__name__


def _refuse_other_machines(host: str) -> None:
    """Refuse http to a name that has come to mean another machine."""
    found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    if not all(str(entry[4][0]).startswith("127.") or entry[4][0] == "::1" for entry in found):
        raise LinkError(f"{host} is not this machine: http:// is refused")
