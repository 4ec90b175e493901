"""Speaking to the site: one HTTP client, and what it answers when the site says no."""

from __future__ import annotations

import os
import stat
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

import httpx

URL: Final = "http://127.0.0.1:8000"
TOKEN_FILE: Final = Path("~/.config/kzfleet/token")
TIMEOUT_S: Final = 20.0
PAGE_SIZE: Final = 200
LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})

# A refusal of the site, a command that was not used rightly, a site that could not be asked.
REFUSED, MISUSED, UNREACHABLE = 1, 2, 3


class CliError(Exception):
    """What ends a command: `message` for people, `hint` what to do next, `exit_code` for scripts.

    code: the site's stable code, "" for what was found here. facts: what the site decided on.
    """

    def __init__(self, message: str, hint: str = "", exit_code: int = MISUSED, code: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.exit_code = exit_code
        self.code = code
        self.facts: dict[str, Any] = {}


class Client:
    """The REST API of one site, as one person or service. The token never stands in an argument list."""

    def __init__(self, url: str, token: str) -> None:
        headers = {"Authorization": f"Bearer {token}", "Accept": "application/json", "User-Agent": "kzfleet"}
        base = f"{_checked(url).rstrip('/')}/api/v1/"
        self._http = httpx.Client(base_url=base, headers=headers, timeout=TIMEOUT_S, transport=transport())

    def get(self, path: str, **parameters: str) -> Any:
        """Return the JSON at `path`. Raises: CliError."""
        return self._ask("GET", path, params=parameters)

    def post(self, path: str, body: dict[str, Any] | None = None) -> Any:
        """Return the JSON answered to `body`. Raises: CliError."""
        headers = {"Idempotency-Key": f'"{uuid.uuid4()}"'}
        return self._ask("POST", path, json=body or {}, headers=headers)

    def every(self, path: str, **parameters: str) -> Iterator[dict[str, Any]]:
        """Yield the rows of a list, page after page. Raises: CliError."""
        asked = {**parameters, "page_size": str(PAGE_SIZE)}
        while True:
            page = self.get(path, **asked)
            yield from page["results"]
            if not page["next"]:
                return
            # only the cursor is taken: a whole address could lead the token to another site
            asked["cursor"] = parse_qs(urlsplit(page["next"]).query)["cursor"][0]

    def _ask(self, method: str, path: str, **rest: Any) -> Any:
        try:
            response = self._http.request(method, path, **rest)
        except httpx.HTTPError as error:
            hint = "Check KZFLEET_URL, and that the site runs."
            raise CliError(f"the site did not answer ({type(error).__name__})", hint, UNREACHABLE) from error
        if not response.is_success:
            raise _refusal(response)
        try:
            return response.json() if response.content else None
        except ValueError:
            hint = "Check KZFLEET_URL: something else seems to answer there."
            raise CliError("the answer is not from a kzfleet site", hint, UNREACHABLE) from None


def from_environment() -> Client:
    """Return the client for KZFLEET_URL, with the token of KZFLEET_TOKEN or of the token file. Raises: CliError."""
    return Client(os.environ.get("KZFLEET_URL", "") or URL, _token())


def transport() -> httpx.BaseTransport | None:
    """Return the way to the site, None for the network. The tests put the site itself here."""
    return None


def _checked(url: str) -> str:
    """Return the address. Raises: CliError for one that is none, or that would carry the token in clear."""
    try:
        found = httpx.URL(url)
    except httpx.InvalidURL:
        found = httpx.URL("")
    if found.scheme not in ("http", "https") or not found.host:
        raise CliError("KZFLEET_URL is not an address", "It looks like https://fleet.example.")
    if found.scheme == "http" and found.host not in LOOPBACK and not os.environ.get("KZFLEET_INSECURE"):
        hint = "Use https, or set KZFLEET_INSECURE=1 where nobody can listen."
        raise CliError("the token would travel in clear", hint)
    return url


def _token() -> str:
    token = os.environ.get("KZFLEET_TOKEN", "").strip() or _token_in(TOKEN_FILE.expanduser())
    if not token:
        hint = f"Make one with 'manage.py create_token NAME', then set KZFLEET_TOKEN or write it to {TOKEN_FILE}."
        raise CliError("there is no token", hint)
    if not (token.isascii() and token.isprintable()) or " " in token:
        raise CliError("the token is not one", "It is one word that begins with kzf_.")
    return token


def _token_in(path: Path) -> str:
    try:
        mode = path.stat().st_mode
        if mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise CliError(f"others may read {path}", f"Run: chmod 600 {path}")
        return path.read_bytes().decode("ascii", "replace").strip()
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise CliError(
            f"{path} cannot be read: {error.strerror}", "Give it to yourself, or set KZFLEET_TOKEN."
        ) from None


def _refusal(response: httpx.Response) -> CliError:
    try:
        found = response.json()
    except ValueError:
        found = None
    problem = found if isinstance(found, dict) else {}
    exit_code = UNREACHABLE if response.status_code >= 500 else REFUSED
    if "code" not in problem:
        hint = "Check KZFLEET_URL: something else may answer there."
        return CliError(f"the site answered {response.status_code}", hint, exit_code)
    error = CliError(str(problem["title"]), str(problem.get("detail", "")), exit_code, str(problem["code"]))
    facts = problem.get("facts")
    error.facts = facts if isinstance(facts, dict) else {}
    return error
