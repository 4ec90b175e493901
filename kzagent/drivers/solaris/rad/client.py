"""HTTPS requests to one RAD server: verified, bounded in size and time, logged in again once when a session ended.

Each request has a connection of its own, so it is always known whether a request was sent at all. After it was sent
and before an answer came, what the host did is unknown: `Cut`. Redirects are not followed.
Source: Remote Administration Daemon Client User's Guide (E68270), authentication module 1.0.
"""

from __future__ import annotations

import http.client
import json
import os
import re
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final, NamedTuple

from kzagent.drivers.solaris.rad.settings import RadSettings, read_password
from kzagent.errors import DriverError, SetupError

MOST_BYTES: Final = 8 << 20
"""Longest answer that is read; a list of 2 000 zones is a tenth of it."""

REFUSED_FOR_S: Final = 600.0
"""How long a refused password is not tried again, unless its file changes."""

_LOGINS: Final = (
    "/api/authentication/1.0/Session/",
    "/api/com.oracle.solaris.rad.authentication/1.0/Session/",
)
_COOKIE: Final = re.compile(r"\s*(_rad_[a-z]{1,32})=([A-Za-z0-9_.:%+/=-]{1,512})(?:;|\Z)")
_HEADERS: Final = {"Accept": "application/json", "Content-Type": "application/json", "User-Agent": "kzagent"}
KEEP_ALIVE_S: Final = 60
_CHUNK: Final = 1 << 16


class Answer(NamedTuple):
    """What RAD answered: the HTTP status, and `payload`, `None` also when there was none."""

    status: int
    payload: Any


class Cut(DriverError):
    """A request was sent and no whole answer of a documented form came: the host may have acted on it.

    `code`: UNREACHABLE, TIMEOUT, TOO_LARGE or UNPARSED.
    """


class Refused(NamedTuple):
    """A login that was refused: with the password file as it was `changed_at`, and how long that is believed."""

    error: DriverError
    changed_at: int
    until: float


class RadClient:
    """One RAD server. Threads may share it."""

    def __init__(self, settings: RadSettings) -> None:
        self._settings = settings
        self._tls = _tls(settings)
        self._cookie: str | None = None
        self._refused: Refused | None = None
        self._login_lock = threading.Lock()

    def get(self, path: str) -> Answer:
        """Return the answer to a read of `path` (from `/api/`). Raises: DriverError; Cut when only a part came."""
        return self._ask("GET", path, None, self._settings.timeout_s)

    def put(self, path: str, arguments: dict[str, Any], timeout_s: float | None = None) -> Answer:
        """Return the answer to a method. Raises: DriverError when it was not sent, Cut when that is unknown."""
        return self._ask("PUT", path, arguments, timeout_s or self._settings.timeout_s)

    def raw(self, verb: str, path: str, arguments: dict[str, Any] | None) -> tuple[int, bytes]:
        """Return (HTTP status, body) whatever they are, for a recording. Raises: DriverError."""
        return self._exchanged(verb, path, arguments, self._settings.timeout_s, self._session())

    def _ask(self, verb: str, path: str, body: dict[str, Any] | None, timeout_s: float) -> Answer:
        cookie = self._session()
        answer = self._send(verb, path, body, timeout_s, cookie)
        if answer.status == http.client.UNAUTHORIZED and cookie is not None:
            # The session ended: RAD did not look at the request, so it may be sent once more.
            answer = self._send(verb, path, body, timeout_s, self._session(instead_of=cookie))
        if answer.status in (http.client.UNAUTHORIZED, http.client.FORBIDDEN):
            raise DriverError("LOGIN", "RAD refuses the agent's user: check its password or certificate, and rights")
        return answer

    def _session(self, instead_of: str | None = None) -> str | None:
        """Return the cookie of a session, None with a client certificate, which each request proves anew."""
        if not self._settings.username:
            return None
        with self._login_lock:
            if self._cookie is None or self._cookie == instead_of:
                self._cookie = self._login_unless_refused()
            return self._cookie

    def _login_unless_refused(self) -> str:
        """Return the cookie of a new session. A password that was refused is not tried again at once.

        PAM may lock a user after a few refusals, and the agent asks every minute.
        """
        changed_at = _changed_at(self._settings.password_file)
        if self._refused and self._refused.changed_at == changed_at and time.monotonic() < self._refused.until:
            raise DriverError(self._refused.error.code, self._refused.error.message)
        try:
            return self._login()
        except DriverError as error:
            if error.code == "LOGIN":
                self._refused = Refused(error, changed_at, time.monotonic() + REFUSED_FOR_S)
            raise

    def _login(self) -> str:
        credentials = {
            "username": self._settings.username,
            "password": _password(self._settings),
            "scheme": "pam",
            "preserve": True,
            "timeout": -1,
        }
        for path in _LOGINS:
            status, cookies = self._post_credentials(path, credentials)
            if status == http.client.CREATED and cookies:
                return "; ".join(cookies)
            if status != http.client.NOT_FOUND:
                break
        raise DriverError("LOGIN", f"RAD refuses the login of {self._settings.username} (status {status})")

    def _post_credentials(self, path: str, credentials: dict[str, Any]) -> tuple[int, list[str]]:
        deadline = time.monotonic() + self._settings.timeout_s
        with self._connected(self._settings.timeout_s) as connection:
            response = _exchange(connection, "POST", path, credentials, dict(_HEADERS))
            _body(response, deadline)
            cookies = response.msg.get_all("Set-Cookie") or []
            found = [match for match in map(_COOKIE.match, cookies) if match]
            return response.status, [f"{match[1]}={match[2]}" for match in found]

    def _send(self, verb: str, path: str, body: dict[str, Any] | None, timeout_s: float, cookie: str | None) -> Answer:
        return _answer(*self._exchanged(verb, path, body, timeout_s, cookie))

    def _exchanged(
        self, verb: str, path: str, body: dict[str, Any] | None, timeout_s: float, cookie: str | None
    ) -> tuple[int, bytes]:
        headers = {**_HEADERS, **({"Cookie": cookie} if cookie else {})}
        deadline = time.monotonic() + timeout_s
        with self._connected(timeout_s) as connection:
            response = _exchange(connection, verb, path, body, headers)
            return response.status, _body(response, deadline)

    @contextmanager
    def _connected(self, timeout_s: float) -> Iterator[http.client.HTTPSConnection]:
        """Yield a verified connection on which nothing has been sent. Raises: DriverError."""
        host, port = self._settings.host, self._settings.port
        connection = http.client.HTTPSConnection(host, port, timeout=self._settings.timeout_s, context=self._tls)
        try:
            connection.connect()
        except ssl.SSLCertVerificationError as error:
            raise DriverError("CERTIFICATE", f"the certificate of {host} is not trusted: {_reason(error)}") from None
        except (ssl.SSLError, OSError) as error:
            raise DriverError("UNREACHABLE", f"{host}:{port} cannot be reached: {_reason(error)}") from None
        try:
            _keep_alive(connection.sock, timeout_s)
            yield connection
        finally:
            connection.close()


def _exchange(
    connection: http.client.HTTPSConnection, verb: str, path: str, body: dict[str, Any] | None, headers: dict[str, str]
) -> http.client.HTTPResponse:
    """Send the request and return the response whose body is still to be read. Raises: Cut."""
    content = None if body is None else json.dumps(body).encode()
    try:
        connection.request(verb, path, body=content, headers=headers)
        return connection.getresponse()
    except (OSError, http.client.HTTPException) as error:
        raise Cut(_code(error), f"RAD did not answer {verb}: {_reason(error)}") from None


def _body(response: http.client.HTTPResponse, deadline: float) -> bytes:
    """Return the whole body. Raises: Cut when it breaks off, is too long, or is not there in time."""
    content = b""
    try:
        while chunk := response.read1(_CHUNK):
            content += chunk
            if len(content) > MOST_BYTES:
                raise Cut("TOO_LARGE", f"the answer of RAD is over {MOST_BYTES >> 20} MiB")
            if time.monotonic() > deadline:
                raise Cut("TIMEOUT", "the answer of RAD took too long")
    except (OSError, http.client.HTTPException) as error:
        raise Cut(_code(error), f"the answer of RAD broke off: {_reason(error)}") from None
    if response.length:  # fewer bytes came than were announced
        raise Cut("UNREACHABLE", "the answer of RAD broke off")
    return content


def _answer(status: int, content: bytes) -> Answer:
    """Return the answer in its envelope `{"status": ..., "payload": ...}`. Raises: Cut for anything else."""
    if status in (http.client.UNAUTHORIZED, http.client.FORBIDDEN, http.client.NOT_FOUND):
        return Answer(status, None)  # their bodies are documented nowhere
    if status not in (http.client.OK, http.client.CREATED, http.client.SERVICE_UNAVAILABLE):
        raise Cut("UNPARSED", f"RAD answered with status {status}, which is documented for nothing")
    try:
        envelope = json.loads(content)
    except (ValueError, RecursionError):
        raise Cut("UNPARSED", "the answer of RAD is not JSON") from None
    if not isinstance(envelope, dict) or "payload" not in envelope:
        raise Cut("UNPARSED", "the answer of RAD has no payload")
    if (envelope.get("status") == "success") != (status != http.client.SERVICE_UNAVAILABLE):
        raise Cut("UNPARSED", "RAD's two words on success contradict each other")
    return Answer(status, envelope["payload"])


def _tls(settings: RadSettings) -> ssl.SSLContext:
    """Return a context that trusts the one CA file and checks the name. Raises: SetupError."""
    try:
        context = ssl.create_default_context(cafile=settings.ca_file)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if settings.certificate_file:
            context.load_cert_chain(settings.certificate_file, settings.key_file, password=_no_passphrase)
    except (OSError, ValueError) as error:
        raise SetupError(f"the certificates for {settings.host} cannot be used: {_reason(error)}") from error
    return context


def _no_passphrase() -> str:
    """An agent has nobody to ask: a key under a passphrase is refused instead of prompted for."""
    raise ValueError("the key is under a passphrase")


def _password(settings: RadSettings) -> str:
    try:
        return read_password(settings.password_file)
    except SetupError as error:
        raise DriverError("PASSWORD", str(error)) from error


def _changed_at(path: str) -> int:
    """Return when the file was changed last, in nanoseconds, 0 when it cannot be seen."""
    try:
        return os.stat(path).st_mtime_ns
    except OSError:
        return 0


def _keep_alive(sock: socket.socket, timeout_s: float) -> None:
    """Wait `timeout_s` for the next bytes, and notice meanwhile when the host is gone: an install takes an hour."""
    sock.settimeout(timeout_s)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option in ("TCP_KEEPIDLE", "TCP_KEEPINTVL"):
        if hasattr(socket, option):  # not on every system an agent may run on
            sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), KEEP_ALIVE_S)


def _code(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "TIMEOUT"
    return "UNPARSED" if isinstance(error, http.client.HTTPException) and not _is_cut(error) else "UNREACHABLE"


def _is_cut(error: Exception) -> bool:
    return isinstance(error, http.client.IncompleteRead | http.client.RemoteDisconnected)


def _reason(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return error.verify_message
    return str(getattr(error, "strerror", None) or getattr(error, "reason", None) or type(error).__name__)
