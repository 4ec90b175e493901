"""The states of a forced action, and the moves between them.

    draft --submit--> observing --freeze--> pending --quorum--> releasing --send--> executing --+--> done
                          |                    |                    |                           +--> not-applied
                   cannot observe       deny, expire,         veto, expire,                     +--> lost
                          v            cancel, void             void                            +--> unknown
                      cancelled     denied expired cancelled voided                                    |
                                                                                     settled by a reading (done,
    executing --refused before INTENT--> releasing (twice at most)                    not-applied, lost)

Terminal states never reopen. `unknown` is open: it blocks every other action on the zone, and only a reading moves it.
"""

from __future__ import annotations

from typing import Final

from django.db import models

from apps.base.errors import TransitionRefused


class State(models.TextChoices):
    """Where a forced action is."""

    DRAFT = "draft"
    OBSERVING = "observing"
    PENDING = "pending"
    RELEASING = "releasing"
    EXECUTING = "executing"
    UNKNOWN = "unknown"
    DONE = "done"
    NOT_APPLIED = "not-applied"
    LOST = "lost"
    DENIED = "denied"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    VOIDED = "voided"


class Move(models.TextChoices):
    """What may happen to a forced action."""

    SUBMIT = "submit"
    FREEZE = "freeze"
    CANNOT_OBSERVE = "cannot-observe"
    QUORUM = "quorum"
    DENY = "deny"
    EXPIRE = "expire"
    CANCEL = "cancel"
    VOID = "void"
    SEND = "send"
    ISSUE_AGAIN = "issue-again"
    SUCCEED = "succeed"
    NOT_APPLY = "not-apply"
    LOSE = "lose"
    LOSE_SIGHT = "lose-sight"


NEXT: Final[dict[tuple[State, Move], State]] = {
    (State.DRAFT, Move.SUBMIT): State.OBSERVING,
    (State.OBSERVING, Move.FREEZE): State.PENDING,
    (State.OBSERVING, Move.CANNOT_OBSERVE): State.CANCELLED,
    (State.OBSERVING, Move.CANCEL): State.CANCELLED,
    (State.PENDING, Move.QUORUM): State.RELEASING,
    (State.PENDING, Move.DENY): State.DENIED,
    (State.PENDING, Move.EXPIRE): State.EXPIRED,
    (State.PENDING, Move.CANCEL): State.CANCELLED,
    (State.PENDING, Move.VOID): State.VOIDED,
    (State.RELEASING, Move.SEND): State.EXECUTING,
    (State.RELEASING, Move.DENY): State.DENIED,
    (State.RELEASING, Move.EXPIRE): State.EXPIRED,
    (State.RELEASING, Move.VOID): State.VOIDED,
    (State.RELEASING, Move.NOT_APPLY): State.NOT_APPLIED,
    (State.EXECUTING, Move.SUCCEED): State.DONE,
    (State.EXECUTING, Move.NOT_APPLY): State.NOT_APPLIED,
    (State.EXECUTING, Move.LOSE): State.LOST,
    (State.EXECUTING, Move.LOSE_SIGHT): State.UNKNOWN,
    (State.EXECUTING, Move.ISSUE_AGAIN): State.RELEASING,
    (State.UNKNOWN, Move.SUCCEED): State.DONE,
    (State.UNKNOWN, Move.NOT_APPLY): State.NOT_APPLIED,
    (State.UNKNOWN, Move.LOSE): State.LOST,
}

OPEN: Final = frozenset({State.DRAFT, State.OBSERVING, State.PENDING, State.RELEASING, State.EXECUTING, State.UNKNOWN})
MAX_ISSUES: Final = 3  # the first, and two re-issues


def next_state(state: State, move: Move) -> State:
    """Return the state `move` leads to from `state`; raise TransitionRefused if there is none."""
    try:
        return NEXT[state, move]
    except KeyError:
        raise TransitionRefused(state=state, move=move) from None
