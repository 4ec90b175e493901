"""Following what goes on until it has ended: states, progress and output as they come.

Nothing is decided here: a site that does not answer for a while is asked again, and a command that is interrupted
leaves what it followed as it is.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, Final

from rich.progress import BarColumn, Progress, TextColumn

from kzfleet.cli import sheets, show
from kzfleet.cli.client import REFUSED, UNREACHABLE, Client, CliError

Row = dict[str, Any]
POLL_S: Final = 1.0
# A site that restarts is back long before.
PATIENCE_S: Final = 60.0
sleep = time.sleep
DONE: Final = "done"


class Teller:
    """Says what happens: lines, and below them one bar at a terminal; elsewhere a line at each tenth."""

    def __init__(self, *, quiet: bool = False) -> None:
        self._quiet = quiet
        self._console = show.screen()
        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TextColumn("{task.completed}/{task.total}"),
        )
        draws = self._console.is_terminal and not quiet
        self._bar = Progress(*columns, console=self._console, transient=True, disable=not draws)
        self._shown = self._bar.add_task("", visible=False)
        self._said: tuple[str, int] = ("", -1)
        self._tells = not draws and not quiet

    def __enter__(self) -> Teller:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def say(self, text: str, style: str = "") -> None:
        """Print one line above the bar."""
        if not self._quiet:
            show.line(text, style, self._console)

    def at(self, progress: Row | None) -> None:
        """Show how far it is; None, or a whole of nothing, shows no bar."""
        if not progress or not progress["of"]:
            self._bar.update(self._shown, visible=False)
            return
        done, whole, what = progress["done"], progress["of"], show.plain(progress["what"])
        self._bar.update(self._shown, description=what, completed=done, total=whole, visible=True)
        tenth = 10 * done // whole
        if self._tells and (what, tenth) != self._said:
            self._said = (what, tenth)
            self.say(f"  {done} of {whole}: {what}")


class Patience:
    """How long a silent site is asked again, and how long is waited in all (`timeout_s`, None for ever)."""

    def __init__(self, timeout_s: float | None = None) -> None:
        self._ends = time.monotonic() + timeout_s if timeout_s is not None else None
        self._silent_since: float | None = None

    def read(self, ask: Callable[[], Row], teller: Teller) -> Row:
        """Return the site's answer. Raises: CliError once it has been silent for PATIENCE_S, or what it refuses."""
        while True:
            try:
                answer = ask()
            except CliError as error:
                self._bear(error, teller)
            else:
                self._silent_since = None
                return answer
            self.pause()

    def pause(self) -> None:
        """Wait until it is time to look again. Raises: CliError when the time given is over."""
        if self._ends is not None and time.monotonic() >= self._ends:
            raise CliError("the time is over, and it has not ended", "It goes on; watch it again.", REFUSED)
        sleep(POLL_S)

    def _bear(self, error: CliError, teller: Teller) -> None:
        now = time.monotonic()
        if error.exit_code != UNREACHABLE or (self._silent_since and now - self._silent_since > PATIENCE_S):
            raise error
        if self._silent_since is None:
            self._silent_since = now
            teller.say(f"{error.message}; asking again")


class Lines:
    """The live output of a job, each line once; a job that takes the place of another begins anew."""

    def __init__(self, site: Client) -> None:
        self._site = site
        self._job_id, self._last = "", 0

    def look(self, job_id: str, teller: Teller, patience: Patience) -> Row:
        """Return the job as it is now, its new lines said."""
        if job_id != self._job_id:
            self._job_id, self._last = job_id, 0
        found = patience.read(lambda: self._site.get(f"jobs/{job_id}", after=str(self._last)), teller)
        for line in found["lines"]:
            teller.say(f"  | {show.plain(line['text'])}")
            self._last = line["number"]
        return found


def job(site: Client, job_id: str, *, timeout_s: float | None = None, quiet: bool = False) -> Row:
    """Return the job once it has ended. Raises: CliError."""
    patience, lines, state = Patience(timeout_s), Lines(site), ""
    with Teller(quiet=quiet) as teller:
        while True:
            found = lines.look(job_id, teller, patience)
            state = _say_job(found, state, teller)
            if not found["is_open"]:
                return found
            teller.at(found["progress"])
            patience.pause()


def forced_action(site: Client, action_id: str, *, timeout_s: float | None = None, quiet: bool = False) -> Row:
    """Return the forced action once it has ended. Raises: CliError."""
    patience, lines, told = Patience(timeout_s), Lines(site), ""
    with Teller(quiet=quiet) as teller:
        while True:
            found = patience.read(lambda: site.get(f"forced-actions/{action_id}"), teller)
            has_ended = found["ended_at"] is not None
            if not has_ended:
                told = _say_action(found, told, teller)
            if found["job"] is not None:
                lines.look(found["job"]["id"], teller, patience)
            teller.at(_progress(found))
            if has_ended:
                _say_action(found, told, teller)
                return found
            patience.pause()


def sheet(site: Client, conflict_id: str, sheet_id: str, *, quiet: bool = False) -> Row:
    """Return the evidence sheet once it is complete. Raises: CliError."""
    patience = Patience()
    with Teller(quiet=quiet) as teller:
        said: set[str] = set()
        while True:
            found = patience.read(lambda: _sheet_of(site, conflict_id, sheet_id), teller)
            _say_answers(found, said, teller)
            teller.at(found["progress"])
            if found["state"] != "gathering":
                return found
            patience.pause()


def _sheet_of(site: Client, conflict_id: str, sheet_id: str) -> Row:
    sheets: list[Row] = site.get(f"conflicts/{conflict_id}")["sheets"]
    for found in sheets:
        if found["id"] == sheet_id:
            return found
    raise CliError("newer evidence has taken its place", "Show the conflict to read the newest.", REFUSED)


def _say_job(found: Row, before: str, teller: Teller) -> str:
    state: str = found["state"]
    if state != before:
        code = f" ({found['code']})" if found["code"] and found["code"] != "DONE" else ""
        note = ": only a report or a reading settles it" if state == "unknown" else ""
        teller.say(f"{found['kind']} on {found['hostname'] or found['owner_hostid']}: {state}{code}{note}")
    return state


def _say_action(found: Row, before: str, teller: Teller) -> str:
    told = f"{found['kind']} of {found['zone']['name']} to {show.host(found['target'])}: {found['state']}"
    if found["state"] == "pending":
        told += f", {found['approvals']} of {found['approvals_needed']} approvals"
    if found["why_text"]:
        told += f". {found['why_text']}"
    if told != before:
        teller.say(told)
        for change in found["difference"]:
            teller.say(f"  {show.changed(change)}")
    return told


def _say_answers(found: Row, said: set[str], teller: Teller) -> None:
    for row in found["rows"]:
        name = f"{row['probe']} {row['source']}"
        if row["word"] and name not in said:
            said.add(name)
            teller.say(f"  {sheets.word(row):13} {row['sentence']}")


def _progress(found: Row) -> Row | None:
    """Return how far what goes on now is: gathering evidence, reading anew, or the order itself."""
    if found["state"] == "executing":
        return found["job"]["progress"] if found["job"] else None
    gathering = found["release_sheet"] if found["state"] == "releasing" else found["sheet"]
    return gathering["progress"] if gathering else None
