"""The states of a job, and the moves between them.

    new --sign--> signed --publish--> sent --start--> running --finish--> done | refused | failed | not-applied | lost
     |              |                  |                 |
     +--cancel------+--cancel----------+                 +--finish-unknown--> unknown --finish--> (as above)
     +--expire------+--expire----------+--expire---------+  (running: only what reads)

The clock never calls a job failed: after silence, what may have acted is `unknown`, and what only read is `expired`.
`expired` and `cancelled` after sending are the site's side of the story; the agent's report is the truth and still
moves the job.
"""

from __future__ import annotations

from typing import Final

from django.db import models

from apps.base.errors import TransitionRefused


class State(models.TextChoices):
    """Where a job is. Terminal states never reopen; `unknown` is open until a report or a reading settles it."""

    NEW = "new"
    SIGNED = "signed"
    SENT = "sent"
    RUNNING = "running"
    DONE = "done"
    REFUSED = "refused"
    FAILED = "failed"
    NOT_APPLIED = "not-applied"
    LOST = "lost"
    UNKNOWN = "unknown"
    EXPIRED = "expired"
    CANCELLED = "cancelled"


class Move(models.TextChoices):
    """What may happen to a job."""

    SIGN = "sign"
    PUBLISH = "publish"
    START = "start"
    FINISH_DONE = "finish-done"
    FINISH_REFUSED = "finish-refused"
    FINISH_FAILED = "finish-failed"
    FINISH_NOT_APPLIED = "finish-not-applied"
    FINISH_LOST = "finish-lost"
    FINISH_UNKNOWN = "finish-unknown"
    EXPIRE = "expire"
    CANCEL = "cancel"


_FINISH: Final = {
    Move.FINISH_DONE: State.DONE,
    Move.FINISH_REFUSED: State.REFUSED,
    Move.FINISH_FAILED: State.FAILED,
    Move.FINISH_NOT_APPLIED: State.NOT_APPLIED,
    Move.FINISH_LOST: State.LOST,
    Move.FINISH_UNKNOWN: State.UNKNOWN,
}

NEXT: Final[dict[tuple[State, Move], State]] = {
    (State.NEW, Move.SIGN): State.SIGNED,
    (State.NEW, Move.EXPIRE): State.EXPIRED,
    (State.NEW, Move.CANCEL): State.CANCELLED,
    (State.SIGNED, Move.PUBLISH): State.SENT,
    (State.SIGNED, Move.EXPIRE): State.EXPIRED,
    (State.SIGNED, Move.CANCEL): State.CANCELLED,
    (State.SENT, Move.START): State.RUNNING,
    (State.SENT, Move.EXPIRE): State.EXPIRED,
    (State.SENT, Move.CANCEL): State.CANCELLED,
    # a report may overtake the row that says it was sent, and the start of a short order may be lost
    (State.SIGNED, Move.START): State.RUNNING,
    **{(state, move): after for state in (State.SIGNED, State.SENT, State.RUNNING) for move, after in _FINISH.items()},
    **{(State.UNKNOWN, move): after for move, after in _FINISH.items() if after is not State.UNKNOWN},
}
# `expired` of an order that was sent can still be answered: the answer is the truth
NEXT.update({(State.EXPIRED, move): after for move, after in _FINISH.items()})
# so can `cancelled`, when the order had begun before it was taken back; an answer "nothing was done" changes nothing
NEXT.update(
    {
        (State.CANCELLED, move): after
        for move, after in _FINISH.items()
        if after not in (State.REFUSED, State.NOT_APPLIED)
    }
)
# reading is given up without harm
NEXT[State.RUNNING, Move.EXPIRE] = State.EXPIRED

OPEN: Final = frozenset({State.NEW, State.SIGNED, State.SENT, State.RUNNING, State.UNKNOWN})
WAITING: Final = frozenset({State.NEW, State.SIGNED, State.SENT})
ACTIVE: Final = WAITING | {State.RUNNING}
FINISHED_BY_REPORT: Final[dict[str, Move]] = {after.value: move for move, after in _FINISH.items()}


def next_state(state: State, move: Move) -> State:
    """Return the state `move` leads to from `state`; raise TransitionRefused if there is none."""
    try:
        return NEXT[state, move]
    except KeyError:
        raise TransitionRefused(state=state, move=move) from None
