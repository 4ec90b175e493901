"""A person at a browser: real Chromium, one window each."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from people import Person
from playwright.sync_api import Browser, Page, sync_playwright
from running_site import Site

FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)
WINDOW = {"width": 1360, "height": 900}


@contextmanager
def chromium() -> Iterator[Browser]:
    """A Chromium: $CHROMIUM, or the one of this machine."""
    program = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    assert program, "there is no Chromium: install chromium, or name one in CHROMIUM"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=list(FLAGS))
        try:
            yield browser
        finally:
            browser.close()


class Window:
    """One person's window. `faults`: what the page complained about."""

    def __init__(self, browser: Browser, site: Site, person: Person) -> None:
        self.person = person
        self.page: Page = browser.new_context(base_url=site.url, viewport=WINDOW).new_page()
        self.page.set_default_timeout(15_000)
        self.faults: list[str] = []
        self.page.on("pageerror", lambda error: self.faults.append(str(error)))
        self.page.on("console", lambda said: self.faults.append(said.text) if said.type == "error" else None)

    def sign_in(self) -> None:
        """Sign in, with a code where the account has a second factor."""
        self.page.goto("/")
        self.page.get_by_label("Name").fill(self.person.name)
        self.page.get_by_label("Password").fill(self.person.password)
        self.page.get_by_role("button", name="Sign in").click()
        if self.person.authenticator is not None:
            self.page.get_by_label("Code").fill(self.person.authenticator.code())
            self.page.get_by_role("button", name="Sign in", exact=True).click()
        self.page.wait_for_url("**/")

    def picture(self, name: str) -> None:
        """Keep what the window shows, if somebody wants to look at it: KZFLEET_SCREENSHOTS names a folder."""
        if folder := os.environ.get("KZFLEET_SCREENSHOTS"):
            Path(folder).mkdir(parents=True, exist_ok=True)
            self.page.screenshot(path=str(Path(folder) / f"{name}.png"), full_page=True)
