"""What a message that is not of its form raises."""

from __future__ import annotations


class OrderError(ValueError):
    """An order, report or beacon that is not of the form it must have. `code` is FIELD."""

    code = "FIELD"


def demand(holds: bool, rule: str) -> None:
    """Return when the rule holds. Raises: OrderError."""
    if not holds:
        raise OrderError(rule)
