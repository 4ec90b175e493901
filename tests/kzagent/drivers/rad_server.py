"""A RAD server of the tests' own: the documented answers over a portable host, and bad manners on demand.

HTTPS on loopback. What it answers is what Oracle published of zonemgr 1.7; where a form is published nowhere (bemgr,
kstat, smf) it answers what the client assumes, and the client's tests say so.
"""

from __future__ import annotations

import contextlib
import io
import json
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from kernelzone.portable import configuring, zoneadm_command
from kernelzone.portable.host import Host
from kernelzone.words import WordError

PASSWORD = "correct horse; battery\u00fc"
USER = "kzagent"
ZONEMGR = "/api/com.oracle.solaris.rad.zonemgr/1."
PRINTING = threading.Lock()  # the portable commands print to the process's own streams

Reply = tuple[int, Any]


@dataclass
class Manners:
    """How the server misbehaves. `act`: called in place of an answer, by name of what is asked."""

    minors: tuple[int, ...] = tuple(range(9))
    first_slash: bool = False
    without: frozenset[str] = frozenset()
    raw: bytes | None = None
    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    drip_s: float = 0.0
    cut_after_acting: bool = False
    cut_in_body: bool = False
    only: str = ""
    edit: Callable[[Any], Any] = lambda payload: payload


@dataclass
class RadServer:
    """What is served, and what was asked: (verb, path, body) each."""

    host: Host
    manners: Manners = field(default_factory=Manners)
    requests: list[tuple[str, str, Any]] = field(default_factory=list)
    logins: int = 0
    sessions: set[str] = field(default_factory=set)
    port: int = 0

    def asked(self, part: str) -> int:
        """Return how often a path with `part` in it was asked for."""
        return sum(part in path for _, path, _ in self.requests)

    def end_sessions(self) -> None:
        self.sessions.clear()


@contextlib.contextmanager
def serving(host: Host, certificate: Path, key: Path, client_ca: Path | None = None) -> Iterator[RadServer]:
    """Yield the server, stopped at the end. `client_ca`: whose client certificates are let in without a login."""
    served = RadServer(host)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    if client_ca:
        context.load_verify_locations(client_ca)
        context.verify_mode = ssl.CERT_OPTIONAL
    listener = _Listener(("127.0.0.1", 0), _handler(served))
    listener.tls = context
    served.port = listener.server_address[1]
    thread = threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield served
    finally:
        listener.shutdown()
        listener.server_close()
        thread.join()


class _Listener(ThreadingHTTPServer):
    """TLS begins in the thread of the connection: one slow client does not hold up the rest."""

    daemon_threads = True
    tls: ssl.SSLContext

    def finish_request(self, request: Any, client_address: Any) -> None:
        with contextlib.suppress(ssl.SSLError, OSError):
            wrapped = self.tls.wrap_socket(request, server_side=True)
            try:
                super().finish_request(wrapped, client_address)
            finally:
                wrapped.close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: the tests look at what the client makes of it."""


def _handler(served: RadServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._serve(None)

        def do_PUT(self) -> None:
            self._serve(self._body())

        def do_POST(self) -> None:
            body = self._body()
            served.requests.append(("POST", self.path, None))
            if body.get("username") != USER or body.get("password") != PASSWORD:
                return self._send(401, b"{}")
            served.logins += 1
            token = f"token-{served.logins}"
            served.sessions.add(token)
            href = "/api/com.oracle.solaris.rad.authentication/1.0/Session/_rad_reference/2304"
            cookies = [
                ("Set-Cookie", "_rad_instance=26368; Path=/api; Max-Age=3600"),
                ("Set-Cookie", f"_rad_token={token}; Path=/api;Max-Age=3600"),
            ]
            return self._send(201, _envelope(201, {"href": href}), cookies)

        def _serve(self, body: Any) -> None:
            served.requests.append((self.command, self.path, body))
            if not self._is_let_in():
                return self._send(401, b"")
            manners = served.manners
            is_meant = manners.only in self.path
            if is_meant and manners.raw is not None:
                return self._send(manners.status, manners.raw, manners.headers)
            status, payload = answer(served, self.path, body)
            if is_meant:
                payload = manners.edit(payload)
                if served.manners.cut_after_acting:  # `edit` may have decided it
                    self.close_connection = True
                    return None
            return self._send(status, b"" if status == 404 else _envelope(status, payload))

        def _is_let_in(self) -> bool:
            if self.connection.getpeercert():
                return True
            cookies = dict(one.split("=", 1) for one in self.headers.get("Cookie", "").split("; ") if "=" in one)
            return cookies.get("_rad_instance") == "26368" and cookies.get("_rad_token") in served.sessions

        def _body(self) -> Any:
            assert self.headers["Content-Type"] == "application/json"
            return json.loads(self.rfile.read(int(self.headers["Content-Length"])))

        def _send(self, status: int, content: bytes, headers: Any = ()) -> None:
            self.send_response(status)
            for name, value in headers:
                self.send_header(name, value)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content) + served.manners.cut_in_body * 10))
            self.end_headers()
            for start in range(0, len(content), 1 << 20 if not served.manners.drip_s else 1):
                self.wfile.write(content[start : start + (1 << 20 if not served.manners.drip_s else 1)])
                time.sleep(served.manners.drip_s)
            self.close_connection = self.close_connection or served.manners.cut_in_body

        def log_message(self, *words: Any) -> None:
            """Keep the tests' output clean."""

    return Handler


def answer(served: RadServer, target: str, body: Any) -> Reply:
    """Return (status, payload) of one request."""
    path = urlsplit(target).path.rstrip("/")
    module = path.split("/")[2] if path.count("/") > 2 else ""
    if module.rsplit(".", 1)[-1] in served.manners.without:
        return 404, None
    if module.endswith("zonemgr"):
        minor, _, rest = path.removeprefix(ZONEMGR).partition("/")
        is_known = minor.isdigit() and int(minor) in served.manners.minors
        return _zonemgr(served, int(minor), rest, body) if is_known else (404, None)
    for part, found in (("bemgr", _environments), ("kstat", _system_misc), ("smf", _property)):
        if module.endswith(part):
            return found(served.host, path, body)
    return 404, None


def _zonemgr(served: RadServer, minor: int, rest: str, body: Any) -> Reply:
    if rest == "ZoneInfo":
        return 200, {"href": f"{ZONEMGR}{minor}/ZoneInfo"[1:], "ZoneInfo": {**_GLOBAL}}
    if rest == "Zone":
        return 200, [_zone(served, minor, zone) for zone in served.host.zones()]
    if rest == "ZoneManager/_rad_method/importConfig":
        return _imported(served.host, body)
    interface, _, tail = rest.partition("/")
    zone, _, method = tail.partition("/_rad_method/")
    if interface != "Zone" or unquote(zone) not in served.host.zones():
        return 404, None
    return _method(served, minor, unquote(zone), method, body) if method else (200, _zone(served, minor, unquote(zone)))


_GLOBAL = {"brand": "solaris", "id": 0, "uuid": None, "name": "global", "isGlobal": True}


def _zone(served: RadServer, minor: int, zone: str) -> dict[str, Any]:
    state = served.host.placement(zone).state()
    href = f"{ZONEMGR}{minor}/Zone/{zone}"
    return {
        "href": href if served.manners.first_slash else href[1:],
        "Zone": {
            "auxstate": list(state.auxiliary),
            "brand": "solaris-kz",
            "id": -1 if state.zone_id is None else state.zone_id,
            "uuid": str(state.zone_uuid) if state.zone_uuid else None,
            "name": zone,
            "state": str(state.state),
        },
    }


def _method(served: RadServer, minor: int, zone: str, method: str, body: Any) -> Reply:
    if method == "exportConfig":
        wanted = {"reimport"} if minor >= 6 else {"includeEdits", "liveMode"}
        if set(body) != wanted:
            return 503, _result("INVALID_ARGUMENT", text="wrong arguments")
        exported = served.host.export(zone)
        return 200, exported.replace("create -b\n", "create -Fb\n", 1) if body.get("reimport") else exported
    if set(body) - {"options"}:
        return 503, _result("INVALID_ARGUMENT", text="wrong arguments")
    return _ran(served.host, zone, [method, *body.get("options", [])])


def _ran(host: Host, zone: str, words: list[str]) -> Reply:
    printed, errors = io.StringIO(), io.StringIO()
    with PRINTING, contextlib.redirect_stdout(printed), contextlib.redirect_stderr(errors):
        code = zoneadm_command.run(Host.open(host.directory), ["-z", zone, *words])
    texts = printed.getvalue() or None, errors.getvalue() or None
    if code == 2:
        return 404, None
    return (200, _result("NONE", *texts)) if code == 0 else (503, _result("COMMAND_ERROR", *texts))


def _imported(host: Host, body: Any) -> Reply:
    try:
        session = configuring.run(host, body["name"], "".join(body["configuration"]))
    except WordError as error:
        return 503, _result("INVALID_ARGUMENT", text=error.message)
    texts = session.output or None, session.errors or None
    return (503, _result("COMMAND_ERROR", *texts)) if session.exit_code else (200, _result("NONE", *texts))


def _result(code: str, stdout: str | None = None, stderr: str | None = None, text: str = "") -> dict[str, Any]:
    return {"code": code, "str": text, "stdout": stdout, "stderr": stderr}


def _environments(host: Host, path: str, body: Any) -> Reply:
    found = host.boot_environment
    running = {"name": found.name, "active": True, "uuid": str(found.uuid), "zpool": "rpool"}
    other = {"name": "solaris-old", "active": False, "uuid": None, "zpool": "old"}
    return 200, [{"href": f"{path[1:]}/{one['name']}", "BootEnv": one} for one in (other, running)]


def _system_misc(host: Host, path: str, body: Any) -> Reply:
    started_at = int(host.boot_id[:8], 16) | 1
    return 200, {"boot_time": {"INTEGER": started_at, "STRING": None}, "ncpus": {"INTEGER": 8, "STRING": None}}


def _property(host: Host, path: str, body: Any) -> Reply:
    known = {
        "/Instance/system%2Fidentity,node/": ("config/nodename", host.hostname),
        "/Service/system%2Fzones%2Fzone/": ("evacuation/target", "ssh://spare"),
        "/Instance/system%2Fzones%2Fzone,kzone2/": ("evacuation/target", "ssh://global2"),
    }
    for part, (name, value) in known.items():
        if part in path and body == {"prop_name": name}:
            return 200, {"name": name, "type": "ASTRING", "values": [value]}
    return 503, {"code": "NOT_FOUND"}


def _envelope(status: int, payload: Any) -> bytes:
    said = "success" if status in (200, 201) else "failure"
    return json.dumps({"status": said, "payload": payload}, indent=8).encode()
