"""What can go wrong in an agent: refusals, messages not worth an answer, and faults."""

from __future__ import annotations


class OrderRefused(Exception):
    """A check said no. `code` is stable and goes into the report; nothing shared was touched."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message


class NotForUs(OrderRefused):
    """A message that proves no sender, or is meant for somebody else: counted, and not answered."""


class Stopping(Exception):
    """The agent was asked to stop; the order has not reached INTENT and may come again."""


class JournalError(Exception):
    """The journal could not be written or read: nothing shared may be touched. `code` is JOURNAL."""

    code = "JOURNAL"


class DriverError(Exception):
    """A host could not be asked. `code` is stable; the message holds no raw input."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message


class SetupError(Exception):
    """An agent's directory that cannot be used; the message is one sentence for the person who starts it."""


class LinkError(Exception):
    """The site could not be reached, or its answer is not one."""
