"""The states of an agent, and the moves between them.

    pending --confirm--> trusted --suspend--> suspended
       |                    |  ^                | |
       |                    |  +----resume------+ |
       +--reject--> revoked <--revoke-------------+

Only a trusted agent is believed and given orders. A revoked one never comes back: its host is enrolled anew, with new
keys.
"""

from __future__ import annotations

from typing import Final

from django.db import models

from apps.base.errors import TransitionRefused


class State(models.TextChoices):
    """What the site thinks of an agent."""

    PENDING = "pending"
    TRUSTED = "trusted"
    SUSPENDED = "suspended"
    REVOKED = "revoked"


class Move(models.TextChoices):
    """What may happen to an agent."""

    CONFIRM = "confirm"
    REJECT = "reject"
    SUSPEND = "suspend"
    RESUME = "resume"
    REVOKE = "revoke"


NEXT: Final[dict[tuple[State, Move], State]] = {
    (State.PENDING, Move.CONFIRM): State.TRUSTED,
    (State.PENDING, Move.REJECT): State.REVOKED,
    (State.TRUSTED, Move.SUSPEND): State.SUSPENDED,
    (State.SUSPENDED, Move.RESUME): State.TRUSTED,
    (State.TRUSTED, Move.REVOKE): State.REVOKED,
    (State.SUSPENDED, Move.REVOKE): State.REVOKED,
}
# the host of such an agent is given to no other
LIVE: Final = frozenset({State.TRUSTED, State.SUSPENDED})


def next_state(state: State, move: Move) -> State:
    """Return the state `move` leads to from `state`; raise TransitionRefused if there is none."""
    try:
        return NEXT[state, move]
    except KeyError:
        raise TransitionRefused(state=state, move=move) from None
