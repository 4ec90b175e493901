"""Events in words."""

import re
from pathlib import Path

import pytest

from apps.forced_actions.workflow import Move as ForcedMove
from apps.history.sentences import _WORDS, event_words
from apps.jobs.workflow import Move as JobMove

APPS = Path(__file__).parents[3] / "apps"


@pytest.mark.parametrize("move", [move.value for move in JobMove])
def test_every_move_of_a_job_has_its_words(move):
    assert f"job.{move}" in _WORDS


@pytest.mark.parametrize("move", [move.value for move in ForcedMove])
def test_every_move_of_a_forced_action_has_its_words(move):
    assert f"forced-action.{move}" in _WORDS


def test_every_type_that_is_appended_by_name_has_its_words():
    source = "\n".join(path.read_text() for path in APPS.rglob("*.py") if "migrations" not in path.parts)
    appended = set(re.findall(r'append\(\s*"([a-z-]+\.[a-z-]+)"', source))

    assert len(appended) > 20
    assert appended - set(_WORDS) == set()


@pytest.mark.parametrize(
    ("event_type", "words"),
    [
        ("forced-action.approve", "approved the forced action"),
        ("zone.boot", "asked to boot the zone"),
        ("forced-action.refused", "was refused (forced action)"),
        ("something.new-here", "something: new here"),
    ],
)
def test_a_type_is_said_in_words(event_type, words):
    assert event_words(event_type) == words
