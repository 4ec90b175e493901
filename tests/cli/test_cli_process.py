"""The installed command as a process, over a socket and at a terminal of its own."""

from __future__ import annotations

import os
import pty
import select
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from apps.accounts.tokens import create_token

COMMAND = str(Path(sys.executable).with_name("kzfleet"))
WAIT_S = 30


@pytest.fixture
def environment(tmp_path: Path) -> Callable[..., dict[str, str]]:
    """Return a function (url, token) that gives the environment of a command: nothing of the test's own."""

    def give(url: str, token: str) -> dict[str, str]:
        return {"HOME": str(tmp_path), "PATH": os.environ["PATH"], "KZFLEET_URL": url, "KZFLEET_TOKEN": token}

    return give


def run(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [COMMAND, *arguments], env=environment, capture_output=True, text=True, timeout=WAIT_S, check=False
    )


def test_a_closed_port_is_told_in_one_line(environment: Any) -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{bound.getsockname()[1]}"

        ended = run(environment(url, "kzf_1"), "zones")

    assert (ended.returncode, ended.stdout) == (3, "")
    assert (
        ended.stderr == "kzfleet: the site did not answer (ConnectError). Check KZFLEET_URL, and that the site runs.\n"
    )


def test_help_needs_no_site_and_no_token(tmp_path: Path) -> None:
    ended = run({"HOME": str(tmp_path), "PATH": os.environ["PATH"]}, "approve", "--help")

    assert (ended.returncode, ended.stderr) == (0, "")
    assert "--code-stdin" in ended.stdout


@pytest.mark.django_db(transaction=True)
def test_a_real_site_is_read_and_a_closed_pipe_is_no_traceback(live_server: Any, olga: Any, environment: Any) -> None:
    token = create_token(olga, name="of a process")[1]

    ended = run(environment(live_server.url, token), "me")
    refused = run(environment(live_server.url, "kzf_" + "0" * 43), "me")

    assert (ended.returncode, ended.stdout.split("\n")[0]) == (0, "olga: operator"), ended.stderr
    assert (refused.returncode, refused.stderr.count("\n")) == (1, 1)
    assert "(sign_in_needed)" in refused.stderr
    assert token not in ended.stdout + ended.stderr
    reading, writing = os.pipe()
    os.close(reading)
    piped = subprocess.run(
        [COMMAND, "events"],
        env=environment(live_server.url, token),
        stdout=writing,
        stderr=subprocess.PIPE,
        text=True,
        timeout=WAIT_S,
        check=False,
    )
    os.close(writing)
    assert (piped.returncode, piped.stderr) == (1, "")


@pytest.mark.django_db(transaction=True)
def test_at_a_terminal_the_code_is_asked_for_and_never_shown(
    live_server: Any, frozen: Any, people: Any, totp_code: Any, environment: Any
) -> None:
    token = create_token(people.adam, name="of a process")[1]
    code = totp_code(people.adam)

    status, shown = at_terminal(
        [COMMAND, "approve", "kzone1"],
        environment(live_server.url, token) | {"TERM": "dumb"},
        [("Approve exactly this?", "y"), ("Code of your second factor", code)],
    )

    assert status == 0, shown
    assert "1 of 2 approvals" in shown
    assert shown.index(frozen.evidence_sha256) < shown.index("Approve exactly this?")
    assert code not in shown
    assert frozen.approvals.get().approver == people.adam


def at_terminal(command: list[str], environment: dict[str, str], answers: list[tuple[str, str]]) -> tuple[int, str]:
    """Return the exit status and all that a terminal showed, each question answered once it is asked."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        command, env=environment, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True
    )
    os.close(theirs)
    shown, left, ends = "", list(answers), time.monotonic() + WAIT_S
    while process.poll() is None or select.select([ours], [], [], 0)[0]:
        assert time.monotonic() < ends, shown
        if not select.select([ours], [], [], 0.1)[0]:
            continue
        try:
            shown += os.read(ours, 4096).decode()
        except OSError:  # Linux says EIO once the other end is closed
            break
        if left and left[0][0] in shown:
            os.write(ours, left.pop(0)[1].encode() + b"\n")
    os.close(ours)
    return process.wait(WAIT_S), shown
