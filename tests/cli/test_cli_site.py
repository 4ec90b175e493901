"""The way to the site: which address, whose token, and what is said when the site cannot be asked."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from kzfleet.cli import client

TOKEN = "kzf_0123456789abcdef"
Answer = Callable[[httpx.Request], httpx.Response]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home, and nothing of ours in the environment."""
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("KZFLEET_URL", "KZFLEET_TOKEN", "KZFLEET_INSECURE"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


@pytest.fixture
def site_that(monkeypatch: pytest.MonkeyPatch) -> Callable[[Answer], list[httpx.Request]]:
    """Return a function (answer) that puts a site there; it returns the requests it got."""
    monkeypatch.setenv("KZFLEET_TOKEN", TOKEN)

    def put(answer: Answer) -> list[httpx.Request]:
        seen: list[httpx.Request] = []

        def handle(request: httpx.Request) -> httpx.Response:
            seen.append(request)
            assert len(seen) < 10, "the command asks without end"
            return answer(request)

        monkeypatch.setattr(client, "transport", lambda: httpx.MockTransport(handle))
        return seen

    return put


@pytest.fixture
def token_file(home: Path) -> Callable[..., Path]:
    """Return a function (content, mode) that writes the token file."""

    def write(content: bytes = TOKEN.encode() + b"\n", mode: int = 0o600) -> Path:
        path = home / ".config/kzfleet/token"
        path.parent.mkdir(parents=True)
        path.write_bytes(content)
        path.chmod(mode)
        return path

    return write


def nobody(request: httpx.Request) -> httpx.Response:
    return httpx.Response(200, json={"results": [], "next": None})


def test_the_token_is_read_from_its_file_and_sent_as_a_header_only(
    command: Any, site_that: Any, token_file: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = site_that(nobody)
    monkeypatch.delenv("KZFLEET_TOKEN")
    token_file()

    assert command("zones").status == 0
    assert {request.headers["Authorization"] for request in seen} == {f"Bearer {TOKEN}"}
    assert str(seen[0].url) == "http://127.0.0.1:8000/api/v1/zones?page_size=200"
    assert TOKEN not in str(seen[0].url)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o777])
def test_a_token_file_that_others_may_read_is_not_used(command: Any, token_file: Any, mode: int) -> None:
    path = token_file(mode=mode)

    said = command("zones")

    assert (said.status, said.err) == (2, f"kzfleet: others may read {path}. Run: chmod 600 {path}\n")


def test_without_a_token_it_is_said_where_to_get_one(command: Any) -> None:
    said = command("zones")

    assert (said.status, said.out) == (2, "")
    assert "there is no token" in said.err
    assert "create_token" in said.err


def test_a_token_file_that_is_no_file_is_told(command: Any, home: Path) -> None:
    path = home / ".config/kzfleet/token"
    path.mkdir(parents=True)
    path.chmod(0o700)

    said = command("zones")

    assert (said.status, f"{path} cannot be read: Is a directory" in said.err) == (2, True)


@pytest.mark.parametrize("content", [b"kzf_\xff\xfe", b"kzf_1\nkzf_2", b"kzf_1 kzf_2", b"kzf_\x001"])
def test_a_token_that_is_none_is_not_sent(command: Any, token_file: Any, content: bytes) -> None:
    token_file(content)

    said = command("zones")

    assert (said.status, "the token is not one" in said.err) == (2, True)
    assert "kzf_1" not in said.err


@pytest.mark.parametrize("url", ["fleet.example", "ftp://fleet.example", "http://", "/tmp/site", "http://a:b"])
def test_an_address_that_is_none_is_told(command: Any, monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("KZFLEET_TOKEN", TOKEN)
    monkeypatch.setenv("KZFLEET_URL", url)

    said = command("zones")

    assert (said.status, said.err) == (
        2,
        "kzfleet: KZFLEET_URL is not an address. It looks like https://fleet.example.\n",
    )


def test_a_token_does_not_travel_in_clear(command: Any, site_that: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = site_that(nobody)
    monkeypatch.setenv("KZFLEET_URL", "http://fleet.example")

    said = command("zones")

    assert (said.status, "the token would travel in clear" in said.err, seen) == (2, True, [])
    monkeypatch.setenv("KZFLEET_INSECURE", "1")
    assert command("zones").status == 0


def test_a_site_that_cannot_be_reached_is_told(command: Any, site_that: Any) -> None:
    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("connection refused")

    site_that(refuse)

    said = command("zones")

    assert (said.status, said.out) == (3, "")
    assert said.err == "kzfleet: the site did not answer (ConnectError). Check KZFLEET_URL, and that the site runs.\n"


@pytest.mark.parametrize(
    ("response", "message"),
    [
        (httpx.Response(500, text="<h1>Server Error</h1>"), "the site answered 500"),
        (
            httpx.Response(503, json={"title": "busy", "detail": "Try again.", "code": "fault"}),
            "busy. Try again. (fault)",
        ),
        (httpx.Response(200, text="<html>"), "the answer is not from a kzfleet site"),
        (httpx.Response(200, json=["a"]), "the site's answer is not understood (TypeError"),
        (httpx.Response(200, json={"results": [{}], "next": None}), "the site's answer is not understood (KeyError"),
    ],
)
def test_an_answer_that_is_none_is_no_traceback(
    command: Any, site_that: Any, response: httpx.Response, message: str
) -> None:
    site_that(lambda request: response)

    said = command("zones")

    assert (said.status, message in said.err) == (3, True), said.err
    assert "Traceback" not in said.err


@pytest.mark.parametrize(
    "response", [httpx.Response(301, headers={"Location": "http://evil.example/"}), httpx.Response(404)]
)
def test_the_token_is_not_taken_where_the_site_points(command: Any, site_that: Any, response: httpx.Response) -> None:
    seen = site_that(lambda request: response)

    said = command("zones")

    assert said.status == 1
    assert said.err.startswith(f"kzfleet: the site answered {response.status_code}. Check KZFLEET_URL")
    assert {request.url.host for request in seen} == {"127.0.0.1"}


def test_the_next_page_is_asked_of_the_same_site(command: Any, site_that: Any) -> None:
    def page(request: httpx.Request) -> httpx.Response:
        following = (
            None if "cursor" in request.url.params else "http://evil.example/api/v1/zones?cursor=abc%3D&page_size=1"
        )
        return httpx.Response(200, json={"results": [], "next": following})

    seen = site_that(page)

    assert command("zones", "--json").status == 0
    assert [request.url.host for request in seen] == ["127.0.0.1"] * 2
    assert dict(seen[1].url.params) == {"page_size": "200", "cursor": "abc="}


def test_each_change_has_its_own_idempotency_key(site_that: Any) -> None:
    seen = site_that(lambda request: httpx.Response(201, json={}))
    site = client.from_environment()

    site.post("forced-actions", {"kind": "force-takeover"})
    site.post("forced-actions", {"kind": "force-takeover"})

    keys = [request.headers["Idempotency-Key"] for request in seen]
    assert len(set(keys)) == 2
    assert all(len(key) == 38 for key in keys)


def test_wrong_fields_are_told_one_a_line(command: Any, site_that: Any) -> None:
    facts = {"fields": {"window_s": ["is not a whole number", "or too long"]}}
    site_that(
        lambda request: httpx.Response(400, json={"title": "a field is wrong", "code": "malformed", "facts": facts})
    )

    said = command("me")

    assert said.err == "kzfleet: a field is wrong. (malformed)\n  window_s: is not a whole number or too long\n"
