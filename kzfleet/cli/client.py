"""Speaking to the site: one HTTP client, and what it answers when the site says no."""

from __future__ import annotations

import os
import stat
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import httpx

TOKEN_FILE: Final = Path("~/.config/kzfleet/token")
TIMEOUT_S: Final = 20.0
PAGE_SIZE: Final = 200


class CliError(Exception):
    """What ends a command: `message` for people, `hint` what to do next, `exit_code` for scripts.

    1: the site said no. 2: the command was not used rightly. 3: the site could not be asked.
    """

    def __init__(self, message: str, hint: str = "", exit_code: int = 2, code: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.exit_code = exit_code
        self.code = code


class Client:
    """The REST API of one site, as one person or service. The token never stands in an argument list."""

    def __init__(self, url: str, token: str, transport: httpx.BaseTransport | None = None) -> None:
        headers = {"Authorization": f"Bearer {token}", "Accept": "application/json"}
        base = f"{url.rstrip('/')}/api/v1/"
        self._http = httpx.Client(base_url=base, headers=headers, timeout=TIMEOUT_S, transport=transport)

    def get(self, path: str, **parameters: str) -> Any:
        """Return the JSON at `path`. Raises: CliError."""
        return self._ask("GET", path, params=parameters)

    def post(self, path: str, body: dict[str, Any] | None = None) -> Any:
        """Return the JSON answered to `body`. Raises: CliError."""
        headers = {"Idempotency-Key": f'"{uuid.uuid4()}"'}
        return self._ask("POST", path, json=body or {}, headers=headers)

    def every(self, path: str, **parameters: str) -> Iterator[dict[str, Any]]:
        """Yield the rows of a list, page after page. Raises: CliError."""
        page = self.get(path, page_size=str(PAGE_SIZE), **parameters)
        while True:
            yield from page["results"]
            if not page.get("next"):
                return
            page = self._ask("GET", page["next"])

    def _ask(self, method: str, path: str, **rest: Any) -> Any:
        try:
            response = self._http.request(method, path, **rest)
        except httpx.HTTPError as error:
            raise CliError(
                f"the site did not answer: {type(error).__name__}",
                "Check KZFLEET_URL, and that the site runs.",
                exit_code=3,
            ) from error
        if response.is_success:
            return response.json() if response.content else None
        raise _refusal(response)


def from_environment() -> Client:
    """Return the client for KZFLEET_URL, with the token of KZFLEET_TOKEN or of the token file. Raises: CliError."""
    url = os.environ.get("KZFLEET_URL", "http://127.0.0.1:8000")
    return Client(url, _token())


def _token() -> str:
    token = os.environ.get("KZFLEET_TOKEN", "").strip()
    path = TOKEN_FILE.expanduser()
    if not token and path.is_file():
        if path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise CliError(f"others can read {path}", f"Run: chmod 600 {path}")
        token = path.read_text(encoding="ascii").strip()
    if not token:
        raise CliError(
            "there is no token",
            f"Make one with 'manage.py create_token NAME', then set KZFLEET_TOKEN or write it to {TOKEN_FILE}.",
        )
    return token


def _refusal(response: httpx.Response) -> CliError:
    try:
        problem = response.json()
    except ValueError:
        problem = {}
    message = problem.get("title") or f"the site answered {response.status_code}"
    exit_code = 3 if response.status_code >= 500 else 1
    return CliError(message, problem.get("detail", ""), exit_code, problem.get("code", str(response.status_code)))
