"""A new host: a join token from the page, `kzagent enrol` on the host, six words read aloud, a copy that is found."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from browsing import Window
from people import Person
from playwright.sync_api import Browser, expect
from running_site import PROJECT, Site, environment

from kernelzone.portable.host import Host

pytestmark = pytest.mark.journey

OWNER_HOSTID = "0badcafe"
WAIT_S = 40


class NewHost:
    """A portable host nobody knows yet, and a person who sits at it."""

    def __init__(self, root: Path, site: Site) -> None:
        self.host = root / "new1"
        self.agent = root / "agent"
        self._site = site
        self.output = root / "enrol.out"
        Host.create(self.host, owner_hostid=OWNER_HOSTID, hostname="new1", storage=str(root / "storage"))
        self._started: list[subprocess.Popen[str]] = []

    def kzagent(self, *words: str, typed: str = "") -> subprocess.Popen[str]:
        """Start the command; what it prints goes to a file, as to a terminal."""
        argv = [sys.executable, "-W", "ignore", "-m", "kzagent", *words]
        with self.output.open("a") as file:
            process = subprocess.Popen(
                argv,
                env=environment(self._site.var),
                cwd=PROJECT,
                stdin=subprocess.PIPE,
                stdout=file,
                stderr=file,
                text=True,
                start_new_session=True,
            )
        self._started.append(process)
        assert process.stdin is not None
        process.stdin.write(typed)
        process.stdin.close()
        return process

    def said(self, pattern: str) -> str:
        """Return what was printed and fits, once it has been."""
        end = time.monotonic() + WAIT_S
        while not (found := re.search(pattern, self.output.read_text(), re.MULTILINE)):
            assert time.monotonic() < end, self.output.read_text()
            time.sleep(0.1)
        return found[1]

    def end(self) -> None:
        for process in self._started:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


@pytest.fixture
def new_host(tmp_path: Path, site: Site) -> Iterator[NewHost]:
    found = NewHost(tmp_path, site)
    yield found
    found.end()


@pytest.fixture
def windows(site: Site, people: dict[str, Person], browser: Browser) -> dict[str, Window]:
    """Ines, who administers, and Olga, who operates, signed in."""
    found = {name: Window(browser, site, people[name]) for name in ("ines", "olga")}
    for window in found.values():
        window.sign_in()
    return found


def test_a_host_is_enrolled_inspected_and_its_copied_agent_is_found(
    site: Site, windows: dict[str, Window], new_host: NewHost
) -> None:
    ines = windows["ines"]
    token = _makes_a_token(ines)
    enrolling = new_host.kzagent(
        *("enrol", str(new_host.agent), "--url", site.url, "--token", "-", "--host", str(new_host.host)),
        *("--site", "annex"),
        typed=f"{token}\n",
    )
    words = new_host.said(r"^ {4}([a-z ]+)$")
    assert token not in new_host.output.read_text()

    _confirms(ines, words)
    assert enrolling.wait(WAIT_S) == 0, new_host.output.read_text()

    _hurry(new_host.agent)
    new_host.kzagent("run", str(new_host.agent))
    _is_inspected(windows["olga"])
    shutil.copytree(new_host.agent, new_host.agent.with_name("copied"))
    new_host.kzagent("run", str(new_host.agent.with_name("copied")))
    _is_suspended(ines)
    # a page that refuses is an answer of 409, which the browser's console mentions
    assert [fault for one in windows.values() for fault in one.faults if "409" not in fault] == []


def _makes_a_token(window: Window) -> str:
    page = window.page
    page.get_by_role("navigation", name="Pages").get_by_role("link", name="Agents").click()
    page.get_by_role("link", name="Enrol a host").click()
    page.get_by_label("Owner hostid").fill(OWNER_HOSTID.upper())
    page.get_by_label("Hostname").fill("new1")
    page.get_by_label("Site").fill("annex")
    window.picture("enrol-form")
    page.get_by_role("button", name="Make a join token").click()
    token = page.locator("figure.terminal pre").first.inner_text().strip()
    assert re.fullmatch(r"kzj_[\w-]{43}", token)
    window.picture("enrol-token")
    return token


def _confirms(window: Window, words: str) -> None:
    page = window.page
    page.goto("/")
    expect(page.locator("#overview")).to_contain_text("to speak for new1")
    window.picture("overview-pending-agent")
    page.get_by_role("link", name="compare its six words").click()
    assert words.split(maxsplit=1)[0] not in page.locator("main").inner_text()
    window.picture("agent-pending")
    page.get_by_role("textbox", name="The six words").fill("acorn bagel cable daily eagle fable")
    page.get_by_role("button", name="Confirm agent annex").click()
    expect(page.get_by_role("alert")).to_contain_text("not the six words of this agent's keys")
    window.picture("agent-other-words")
    page.get_by_role("textbox", name="The six words").fill(" ".join(word[:4].upper() for word in words.split()))
    page.get_by_role("button", name="Confirm agent annex").click()
    expect(page.get_by_role("status")).to_contain_text("is confirmed")


def _hurry(directory: Path) -> None:
    path = directory / "agent.json"
    fields = json.loads(path.read_text())
    path.write_text(json.dumps(fields | {"heartbeat_s": 1}))


def _is_inspected(window: Window) -> None:
    page = window.page
    page.goto(f"/hosts/{OWNER_HOSTID}")
    expect(page.locator(".title-row")).to_contain_text("heard", timeout=1000 * WAIT_S)
    page.get_by_role("button", name="Inspect new1 now").click()
    expect(page.locator("section", has_text="Jobs somebody wanted").last).to_contain_text("done", timeout=1000 * WAIT_S)


def _is_suspended(window: Window) -> None:
    page = window.page
    page.goto("/")
    notice = page.locator(".note-bad", has_text="Two places use the key of this agent")
    expect(notice).to_be_visible(timeout=1000 * WAIT_S)
    window.picture("overview-suspended-agent")
    notice.get_by_role("link", name="decide about it").click()
    window.picture("agent-suspended")
    page.get_by_role("textbox", name="Why").fill("The copy is found; this host is enrolled anew.")
    page.get_by_role("button", name="Revoke for ever").click()
    expect(page.locator(".title-row")).to_contain_text("revoked")
