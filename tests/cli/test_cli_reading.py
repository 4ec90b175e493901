"""What the reading commands print: for people, and the same for programs."""

from __future__ import annotations

import io
import json
import sys
from datetime import datetime
from typing import Any

import pytest

from apps.jobs.models import JobLine
from apps.zones.models import Zone
from kzfleet.cli import show

# every reading command, and how many rows or which key its JSON has
READING = [
    (("hosts",), 3),
    (("host", "show", "global1"), "identities"),
    (("zones",), 2),
    (("zone", "show", "kzone1"), "placements"),
    (("conflicts",), 1),
    (("conflict", "show", "kzone1"), "doors"),
    (("forced-actions",), 1),
    (("forced-action", "show", "kzone1"), "sheet"),
    (("jobs",), 2),
    (("me",), "permissions"),
]
NOW = "2026-11-23T12:00:00Z"


@pytest.mark.parametrize(("arguments", "has"), READING)
def test_every_reading_command_answers_people_and_programs(
    kzfleet: Any, frozen: Any, people: Any, arguments: tuple[str, ...], has: int | str
) -> None:
    told = kzfleet(people.olga, *arguments)
    answered = kzfleet(people.olga, *arguments, "--json")

    assert (told.status, told.err, answered.status, answered.err) == (0, "", 0, "")
    assert len(told.out) > 20
    found = answered.json
    assert len(found) == has if isinstance(has, int) else found[has]


def test_events_for_programs_are_one_object_a_line(kzfleet: Any, frozen: Any, people: Any) -> None:
    lines = kzfleet(people.olga, "events", "--json", "--type", "forced-action.submit").out.splitlines()

    assert [json.loads(line)["type"] for line in lines] == ["forced-action.submit"]


def test_events_are_read_page_after_page_from_the_number_given(
    kzfleet: Any, frozen: Any, people: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kzfleet.cli.events.PAGE_SIZE", 3)

    told = kzfleet(people.olga, "events", "--after", "4").out.splitlines()

    numbers = [int(line.split()[0]) for line in told]
    assert numbers == list(range(5, 5 + len(numbers)))
    assert len(numbers) > 6


def test_lists_are_read_to_their_last_page(
    kzfleet: Any, fleet: Any, olga: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kzfleet.cli.client.PAGE_SIZE", 3)
    Zone.objects.bulk_create(Zone(name=f"kz-{number:02}") for number in range(10))

    found = kzfleet(olga, "zones", "--json").json

    assert len({row["id"] for row in found}) == len(found) == 12


def test_a_limit_of_jobs_is_kept(kzfleet: Any, frozen: Any, people: Any) -> None:
    assert len(kzfleet(people.olga, "jobs", "--json", "--limit", "1").json) == 1


def test_output_of_a_host_cannot_act_on_the_terminal(kzfleet: Any, fleet: Any, olga: Any, fleet_works: Any) -> None:
    job = kzfleet(olga, "inspect", "global3", "--no-wait", "--json").json["job"]
    evil = "\x1b]0;owned\x07\x1b[2J [bold]x[/bold] \u202egnp.exe \u2028next \x85line"
    JobLine.objects.create(job_id=job, number=1, at=olga.date_joined, text=evil)

    told = kzfleet(olga, "job", "show", job)
    followed = kzfleet(olga, "watch", job)

    wanted = "  | ?]0;owned??[2J [bold]x[/bold] ?gnp.exe ?next ?line\n"
    assert wanted in told.out
    assert wanted in followed.out
    assert kzfleet(olga, "job", "show", job, "--json").json["lines"][0]["text"] == evil


def test_a_name_cannot_forge_a_line(kzfleet: Any, fleet: Any, olga: Any) -> None:
    Zone.objects.create(name="kz-evil\nkzone1  free")

    assert "kz-evil?kzone1  free" in kzfleet(olga, "zones").out


def test_a_refusal_cannot_act_on_the_terminal(kzfleet: Any, fleet: Any, olga: Any) -> None:
    assert "'?[2J'" in kzfleet(olga, "zone", "show", "\x1b[2J").err


@pytest.mark.parametrize(
    ("moment", "told"),
    [
        (None, "never"),
        ("2026-11-23T12:00:00.300Z", "now"),
        ("2026-11-23T11:59:59Z", "1 s ago"),
        ("2026-11-23T11:19:00Z", "41 min ago"),
        ("2026-11-22T13:00:00Z", "23 h ago"),
        ("2026-11-20T12:00:00+00:00", "3 d ago"),
        ("2026-11-23T16:00:00Z", "in 4 h"),
    ],
)
def test_ages_are_told_in_their_largest_unit(moment: str | None, told: str) -> None:
    assert show.age(moment, datetime.fromisoformat(NOW)) == told


@pytest.mark.parametrize(
    ("value", "told"), [(None, "-"), ("", "-"), (0, "0"), pytest.param("\u00e4\ud800\t", "\u00e4??", id="half")]
)
def test_what_is_told_is_one_plain_line(value: Any, told: str) -> None:
    assert show.plain(value) == told


class Terminal(io.StringIO):
    """A standard output somebody looks at."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("variable", "told"), [({}, "\n\x1b[1mEvidence\x1b[0m\n"), ({"NO_COLOR": ""}, "\nEvidence\n")])
def test_a_terminal_gets_bold_heads_and_none_with_no_color(
    monkeypatch: pytest.MonkeyPatch, variable: dict[str, str], told: str
) -> None:
    monkeypatch.setattr(sys, "stdout", Terminal())
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    for name, value in variable.items():
        monkeypatch.setenv(name, value)

    show.title("Evidence")

    assert sys.stdout.getvalue() == told  # type: ignore[attr-defined]
