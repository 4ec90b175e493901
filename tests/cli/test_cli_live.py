"""What a command follows: states, progress and lines as they come, and an end that a script can rely on."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from django.db import transaction

from apps.jobs.models import Job, JobLine
from apps.jobs.services import move_job
from apps.jobs.workflow import FINISHED_BY_REPORT
from kzfleet.cli import client, live


@pytest.fixture
def steps(site: None, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Return a function (*steps) after which a command that waits takes one step a time, and fails past the last."""

    def give(*waiting: Callable[[], Any]) -> None:
        left = list(waiting)

        def sleep(seconds: float) -> None:
            assert left, "the command waits for what never comes"
            left.pop(0)()

        monkeypatch.setattr(live, "sleep", sleep)

    return give


@pytest.fixture
def job(kzfleet: Any, fleet: Any, olga: Any) -> Job:
    """A job somebody wants, signed and not sent yet."""
    job_id = kzfleet(olga, "run", "detach", "kz-web01", "--on", "global3", "--no-wait", "--json").json["job"]
    fleet.sign()
    return Job.objects.get(pk=job_id)


def to(state: str, job: Job) -> None:
    """Move the job as a report does."""
    with transaction.atomic():
        move_job(Job.objects.get(pk=job.pk), FINISHED_BY_REPORT[state], code=state.upper())


@pytest.mark.usefixtures("fleet_works")
def test_a_safe_verb_is_followed_until_it_is_done(kzfleet: Any, fleet: Any, olga: Any) -> None:
    said = kzfleet(olga, "run", "detach", "kz-web01", "--on", "global3")

    assert said.status == 0, said.err
    assert said.out.splitlines() == ["detach on global3: new", "  | done it is", "detach on global3: done"]
    assert fleet.global3.zones["kz-web01"][1] == "configured"


@pytest.mark.usefixtures("fleet_works")
@pytest.mark.parametrize("state", ["failed", "refused", "not-applied", "lost"])
def test_a_job_that_does_not_end_as_done_fails_the_command(kzfleet: Any, fleet: Any, olga: Any, state: str) -> None:
    fleet.agent.says["detach"] = (state, "EZONE")

    said = kzfleet(olga, "run", "detach", "kz-web01", "--on", "global3")
    programs = kzfleet(olga, "run", "detach", "kz-web01", "--on", "global3", "--json")

    assert (said.status, said.out.splitlines()[-1]) == (1, f"detach on global3: {state} (EZONE)")
    assert (programs.status, programs.json["state"]) == (1, state)


@pytest.mark.usefixtures("fleet_works")
def test_an_inspection_is_followed_until_it_is_done(kzfleet: Any, fleet: Any, olga: Any) -> None:
    said = kzfleet(olga, "inspect", "global3")

    assert (said.status, said.out.splitlines()[-1]) == (0, "inspect on global3: done")


@pytest.mark.usefixtures("fleet_works")
def test_evidence_is_gathered_until_it_is_complete(kzfleet: Any, fleet: Any, olga: Any) -> None:
    said = kzfleet(olga, "evidence", "kzone1", "--window", "10")

    assert said.status == 0, said.err
    assert "  suggests off  None of 4096 blocks changed" in said.out
    assert "  says nothing  global2 has not been heard from for 41 min. Its silence proves nothing.\n" in said.out
    shown = kzfleet(olga, "conflicts", "show", "kzone1", "--json").json["sheets"][0]
    assert (shown["state"], shown["facts_sha256"] in said.out) == ("complete", True)


def test_a_word_a_waiver_and_an_acknowledgement_are_on_record(kzfleet: Any, fleet: Any, olga: Any) -> None:
    assert kzfleet(olga, "say", "kzone1", "I pulled the plug.", "--how", "I stood there.").status == 0
    assert (
        kzfleet(olga, "waive", "kzone1", "detach-and-attach", "--reason", "It is never coming back to us.").status == 0
    )
    assert kzfleet(olga, "acknowledge", "kzone1").out == "acknowledged by olga now\n"

    assert ", acknowledged by olga\n" in kzfleet(olga, "conflicts", "show", "kzone1").out
    told = kzfleet(olga, "events").out
    assert "door.waive by olga" in told
    assert "persons-word.assert by olga" in told
    assert "I pulled the plug." in told


@pytest.mark.usefixtures("fleet_works")
def test_a_safe_door_is_taken_and_its_first_job_followed(kzfleet: Any, fleet: Any, olga: Any) -> None:
    fleet.global2.is_up = True
    fleet.say_states()

    said = kzfleet(olga, "take", "kzone1", "detach-and-attach")

    assert (said.status, said.out.splitlines()[-1]) == (0, "detach on global2: done"), said.err


def test_progress_and_lines_are_told_once_as_they_come(kzfleet: Any, job: Job, olga: Any, steps: Any) -> None:
    def run(done: int, *texts: str) -> Callable[[], None]:
        def step() -> None:
            Job.objects.filter(pk=job.pk).update(
                state="running", progress_done=done, progress_of=60, progress_what="watching boot storage"
            )
            last = JobLine.objects.filter(job=job).count()
            for number, text in enumerate(texts, start=last + 1):
                JobLine.objects.create(job=job, number=number, at=job.created_at, text=text)

        return step

    steps(run(0, "begun"), run(3), run(12, "one", "two"), run(13), lambda: to("done", job))

    said = kzfleet(olga, "watch", str(job.pk)[-8:])

    assert said.status == 0, said.err
    assert (
        said.out.splitlines()
        == [
            "detach on global3: new",
            "  | begun",
            "detach on global3: running",
            "  0 of 60: watching boot storage",
            "  | one",
            "  | two",
            "  12 of 60: watching boot storage",
            "detach on global3: done",
            "  13 of 60: watching boot storage",
        ]
        or said.out.splitlines()[-1] == "detach on global3: done"
    )


def test_watching_stops_when_its_time_is_over_and_the_job_goes_on(kzfleet: Any, job: Job, olga: Any) -> None:
    said = kzfleet(olga, "watch", str(job.pk), "--timeout", "0")

    assert said.status == 1
    assert said.err == "kzfleet: the time is over, and it has not ended. It goes on; watch it again.\n"
    job.refresh_from_db()
    assert job.state == "signed"


def test_a_job_is_taken_back(kzfleet: Any, job: Job, olga: Any) -> None:
    assert kzfleet(olga, "cancel", str(job.pk)).out == f"detach {job.pk}: cancelled\n"

    said = kzfleet(olga, "watch", str(job.pk))

    assert (said.status, said.out) == (1, "detach on global3: cancelled\n")


def test_what_is_unknown_is_watched_on_until_it_is_settled(kzfleet: Any, job: Job, olga: Any, steps: Any) -> None:
    steps(lambda: to("unknown", job), lambda: None, lambda: to("done", job))

    said = kzfleet(olga, "watch", str(job.pk))

    assert said.status == 0
    assert said.out.splitlines()[1] == "detach on global3: unknown (UNKNOWN): only a report or a reading settles it"


def test_a_site_that_restarts_is_asked_again(
    kzfleet: Any, job: Job, olga: Any, steps: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    door = client.transport()
    assert door is not None
    answer, is_up = door.handle_request, True

    def handle(request: httpx.Request) -> httpx.Response:
        if not is_up:
            raise httpx.ConnectError("connection refused")
        return answer(request)

    def turn(*, up: bool) -> None:
        nonlocal is_up
        is_up = up

    monkeypatch.setattr(door, "handle_request", handle)
    steps(lambda: turn(up=False), lambda: None, lambda: turn(up=True), lambda: to("done", job))

    said = kzfleet(olga, "watch", str(job.pk))

    assert said.status == 0, said.err
    assert said.out.count("the site did not answer (ConnectError); asking again") == 1


def test_a_site_that_stays_away_ends_the_watching(
    kzfleet: Any, job: Job, olga: Any, steps: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1000.0
    monkeypatch.setattr(live.time, "monotonic", lambda: now)

    def goes_down() -> None:
        def away(request: httpx.Request) -> httpx.Response:
            raise httpx.ConnectError("connection refused")

        monkeypatch.setattr(client.transport(), "handle_request", away)

    def minutes_pass() -> None:
        nonlocal now
        now += live.PATIENCE_S + 1

    steps(goes_down, minutes_pass)

    said = kzfleet(olga, "watch", str(job.pk))

    assert (said.status, said.err.startswith("kzfleet: the site did not answer")) == (3, True)


def test_a_refusal_is_not_asked_again(kzfleet: Any, job: Job, olga: Any, steps: Any) -> None:
    def leaves() -> None:
        olga.is_active = False
        olga.save(update_fields=["is_active"])

    steps(leaves)

    said = kzfleet(olga, "watch", str(job.pk))

    assert (said.status, "(sign_in_needed)" in said.err) == (1, True)


def test_events_are_followed_as_they_come(kzfleet: Any, fleet: Any, olga: Any, steps: Any, make_person: Any) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    steps(lambda: make_person("nina", "viewer"), interrupt)

    said = kzfleet(olga, "events", "--follow", "--type", "person.add")

    assert said.status == 130
    assert [name for name in ("olga", "nina") if f'"name": "{name}"' in said.out] == ["olga", "nina"]
    assert "Traceback" not in said.err


class Terminal(io.StringIO):
    """A standard output somebody looks at."""

    def isatty(self) -> bool:
        return True


def test_at_a_terminal_progress_is_a_bar_below_the_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Terminal()
    monkeypatch.setattr("sys.stdout", screen)
    monkeypatch.setenv("TERM", "xterm")

    with live.Teller() as teller:
        teller.at({"done": 12, "of": 60, "what": "watching [red]boot storage\x1b[2J"})
        teller.say("a line\x1b[2J")

    told = screen.getvalue()
    assert "watching [red]boot storage?[2J" in told
    assert "12/60" in told
    assert "a line?[2J" in told
    assert "\x1b[2J" not in told
