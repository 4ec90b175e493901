"""The table of moves: what is listed leads where it says, and nothing else is possible."""

from __future__ import annotations

from itertools import product

import pytest

from apps.base.errors import TransitionRefused
from apps.forced_actions.workflow import NEXT, OPEN, Move, State, next_state

FORBIDDEN = sorted(set(product(State, Move)) - set(NEXT))


@pytest.mark.parametrize(("state", "move"), sorted(NEXT))
def test_a_listed_move_leads_to_its_state(state: State, move: Move) -> None:
    assert next_state(state, move) is NEXT[state, move]


@pytest.mark.parametrize(("state", "move"), FORBIDDEN)
def test_every_move_that_is_not_listed_is_refused(state: State, move: Move) -> None:
    with pytest.raises(TransitionRefused) as refused:
        next_state(state, move)
    assert refused.value.facts == {"state": state, "move": move}


def test_terminal_states_never_reopen() -> None:
    left = {state for state, _ in NEXT}
    assert left == OPEN


def test_unknown_is_open_and_left_only_by_what_a_reading_says() -> None:
    ways = {move for state, move in NEXT if state is State.UNKNOWN}
    assert ways == {Move.SUCCEED, Move.NOT_APPLY, Move.LOSE}


def test_only_a_quorum_leads_to_releasing_for_the_first_time_and_only_releasing_to_executing() -> None:
    assert {pair for pair, after in NEXT.items() if after is State.EXECUTING} == {(State.RELEASING, Move.SEND)}
    assert {pair for pair, after in NEXT.items() if after is State.RELEASING} == {
        (State.PENDING, Move.QUORUM),
        (State.EXECUTING, Move.ISSUE_AGAIN),
    }
