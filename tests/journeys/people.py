"""The people of a journey: their passwords, their authenticators, and REST with a personal token."""

from __future__ import annotations

import base64
import hashlib
import hmac
import logging
import struct
import time
from collections.abc import Callable
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

import httpx
from running_site import Site, wait_for

STEP_S = 30
logging.getLogger("httpx").setLevel(logging.WARNING)  # a line for every look would bury what failed
ENDED = {"done", "not-applied", "lost", "unknown", "denied", "expired", "cancelled", "voided"}
JOB_ENDED = {"done", "refused", "failed", "not-applied", "lost", "unknown", "expired", "cancelled"}


class Authenticator:
    """An authenticator app. Each code is used once, so the next one may be of the time step to come (RFC 6238)."""

    def __init__(self, secret: str) -> None:
        self._key = base64.b32decode(secret)
        self._last_step = 0

    def code(self) -> str:
        """Return a code not given out before; waits when the one to come was used too."""
        wait_for(lambda: self._last_step <= int(time.time()) // STEP_S, STEP_S + 5, "no fresh code")
        self._last_step = max(int(time.time()) // STEP_S, self._last_step + 1)
        mac = hmac.digest(self._key, struct.pack(">Q", self._last_step), hashlib.sha1)
        (number,) = struct.unpack_from(">I", mac, mac[-1] & 15)
        return f"{(number & 0x7FFFFFFF) % 10**6:06}"


class Person(NamedTuple):
    """An account. `authenticator` is None for those without a second factor."""

    name: str
    password: str
    authenticator: Authenticator | None


class Rest:
    """REST as one person. Answers are checked: a refusal must be asked for with `refused`."""

    def __init__(self, site: Site, name: str) -> None:
        token = site.manage("create_token", name).strip()
        headers = {"Authorization": f"Bearer {token}"}
        self._client = httpx.Client(base_url=f"{site.url}/api/v1", headers=headers, timeout=20, trust_env=False)

    def __enter__(self) -> Rest:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def get(self, path: str, **parameters: str) -> Any:
        return self._client.get(path, params=parameters).raise_for_status().json()

    def list(self, path: str, **parameters: str) -> list[Any]:
        """Return the first page of a list."""
        return list(self.get(path, **parameters)["results"])

    def post(self, path: str, **body: Any) -> Any:
        """Return the answer of what must not be refused."""
        answer = self._client.post(path, json=body)
        assert answer.is_success, (path, answer.status_code, answer.text)
        return answer.json()

    def refused(self, path: str, **body: Any) -> tuple[int, Any]:
        """Return status and body of what must be refused."""
        answer = self._client.post(path, json=body)
        assert answer.is_client_error, (path, answer.status_code, answer.text)
        return answer.status_code, answer.json()

    def conflict(self, zone: str, kind: str = "held-elsewhere") -> Any:
        """Return the open conflict of a zone, whole, once there is one."""

        def found() -> Any:
            rows = self.list("/conflicts", kind=kind, open="yes")
            return next((row for row in rows if row["zone"]["name"] == zone), None)

        return self.get(f"/conflicts/{wait_for(found, 30, f'no conflict {kind} of {zone}')['id']}")

    def zone(self, name: str) -> Any:
        """Return a zone, whole, by its name."""
        (row,) = self.list("/zones", name=name)
        return self.get(f"/zones/{row['id']}")

    def run(self, verb: str, zone: str, owner_hostid: str) -> str:
        """Order a safe verb; return the id of its job."""
        answer = self.post(f"/zones/{self.zone(zone)['id']}/verbs", verb=verb, owner_hostid=owner_hostid)
        return str(answer["job"])

    def job(self, job: str, timeout_s: float = 30) -> Any:
        """Return a job once it has ended."""
        return self.until(f"/jobs/{job}", lambda row: row["state"] in JOB_ENDED, timeout_s)

    def forced_action(self, forced_action: str, *states: str, timeout_s: float = 60) -> Any:
        """Return a forced action once it is in one of `states`, or has ended."""
        wanted = ENDED | set(states)
        return self.until(f"/forced-actions/{forced_action}", lambda row: row["state"] in wanted, timeout_s)

    def until(self, path: str, holds: Callable[[Any], bool], timeout_s: float) -> Any:
        """Return what is at `path` once it is so."""
        seen: list[Any] = [None]

        def look() -> bool:
            seen[0] = self.get(path)
            return holds(seen[0])

        try:
            wait_for(look, timeout_s, f"{path} did not come to what was awaited")
        except AssertionError as late:
            raise AssertionError(f"{late}; it is {seen[0]}") from None
        return seen[0]


class Approver(NamedTuple):
    """Somebody who decides by REST: a token, and an authenticator for each yes."""

    rest: Rest
    authenticator: Authenticator

    def approve(self, pending: Any) -> Any:
        """Say yes to exactly what is shown."""
        digest, code = pending["evidence_sha256"], self.authenticator.code()
        path = f"/forced-actions/{pending['id']}/decisions"
        return self.rest.post(path, verdict="approve", digest=f"sha256:{digest}", second_factor=code)


def cast(site: Site) -> dict[str, Person]:
    """Return the accounts that `make run` made, by name."""
    lines = (site.var / "accounts.txt").read_text().splitlines()
    accounts = [line.split() for line in lines if not line.startswith("#")]
    return {
        name: Person(name, password, None if secret == "-" else Authenticator(secret))
        for name, _, password, secret in accounts
    }


def request_takeover(rest: Rest, zone: str, loser_hostid: str, reason: str) -> str:
    """Ask for the takeover of a zone by the host that its conflict is about; return the id of the request.

    Waits for the door to open: a host that has just died is not called silent yet.
    """
    conflict = rest.conflict(zone)["id"]
    rest.until(f"/conflicts/{conflict}", _may_be_forced, 60)
    made = rest.post(
        "/forced-actions",
        kind="force-takeover",
        conflict=conflict,
        reason=reason,
        typed_zone_name=zone,
        typed_loser_hostid=loser_hostid,
    )
    return str(made["id"])


def _may_be_forced(conflict: Any) -> bool:
    return any(door["door"] == "force-takeover" and door["state"] == "open" for door in conflict["doors"])


def add_person(site: Site, name: str, *roles: str) -> Person:
    """Return a new person with a second factor, made as an administrator makes one."""
    words = [word for role in roles for word in ("--role", role)]
    password = f"{name}-violet-harbour-73"
    printed = site.manage("person", "add", name, *words, "--password-stdin", "--totp", typed=f"{password}\n")
    secret = parse_qs(urlsplit(printed.split()[-1]).query)["secret"][0]
    return Person(name, password, Authenticator(secret))
