"""Refusals and faults.

A refusal (`DomainError`) is a rule that said no: it is shown with its code and its hint, recorded in the
history, and never retried. A `Fault` is the world that failed: it is tried again.
"""

from __future__ import annotations

from typing import Any, ClassVar


class DomainError(Exception):
    """A rule said no.

    code: stable, lower snake case, listed in docs/api/errors.md. status: the HTTP status.
    message: lower case, no full stop. hint: a sentence telling what to do next.
    facts: what the refusal was decided on; JSON values only, never a secret.
    """

    code: ClassVar[str] = "refused"
    status: int = 409
    message: str = "this is refused"
    hint: str = "Read the message and try again."

    def __init__(self, *, message: str = "", hint: str = "", **facts: Any) -> None:
        self.message = message or self.message
        self.hint = hint or self.hint
        self.facts = facts
        super().__init__(self.message)

    @property
    def stable_code(self) -> str:
        """The code of this one refusal; only `InvalidInput` has more than one."""
        return self.code


class NotFound(DomainError):
    """The object is absent, or not visible to the one who asks: both are answered alike."""

    code = "not_found"
    status = 404
    message = "there is no such thing here"
    hint = "Check the identifier; you may also not be allowed to see it."


class NotAllowed(DomainError):
    """The one who asks sees the object but lacks the permission. Facts: permission."""

    code = "not_allowed"
    status = 403
    message = "you may not do this"
    hint = "Ask an administrator which role gives this permission."


class SignInNeeded(DomainError):
    """Nobody is signed in, or the token is not valid."""

    code = "sign_in_needed"
    status = 401
    message = "sign in first"
    hint = "Sign in, or send a valid token as 'Authorization: Bearer kzf_…'."


class TransitionRefused(DomainError):
    """A state machine has no such move from the present state. Facts: state, move."""

    code = "state"
    status = 409
    message = "this is not possible in the present state"
    hint = "Reload to see the present state and what is possible in it."


class InvalidInput(DomainError):
    """A value is refused by a rule (422). Its code says which rule; `field` says where.

    Raised with code=..., message=..., hint=..., field=...; the code is given in either case and shown lower.
    """

    code = "invalid_input"
    status = 422
    message = "a value is not acceptable"
    hint = "Correct the value and send it again."

    def __init__(self, *, code: str = "", field: str = "", **rest: Any) -> None:
        self._code = code.lower()
        super().__init__(**rest)
        if field:
            self.facts["field"] = field

    @property
    def stable_code(self) -> str:
        return self._code or self.code


class MalformedRequest(DomainError):
    """The shape of the request is wrong (400): not JSON, a missing or unknown field, a wrong type."""

    code = "malformed_request"
    status = 400
    message = "the request does not have the right shape"
    hint = "Compare the request with the API's description."


class FilterRefused(MalformedRequest):
    """A parameter of the address is unknown, given twice, or not of its form."""

    code = "filter"
    message = "a parameter of the address is not one that is known here"
    hint = "Compare the parameters with the API's description."


class VersionMismatch(DomainError):
    """The object changed since it was read (If-Match). Facts: version."""

    code = "version_mismatch"
    status = 412
    message = "this has changed since you read it"
    hint = "Read it again, look at what changed, and decide again."


class VersionNeeded(DomainError):
    """The request lacks the If-Match header that says which version it is about."""

    code = "version_needed"
    status = 428
    message = "the request does not say which version it is about"
    hint = "Send the ETag you read as If-Match."


class Fault(Exception):
    """The world failed (host unreachable, broker down, lock timeout). Tried again; the API says 503."""

    code = "fault"
    status = 503
    message = "something needed for this does not answer at the moment"
    hint = "Try again in a few seconds."


def refusals() -> list[type[DomainError]]:
    """Return every refusal class that was imported, `DomainError` itself left out, by code."""
    found: set[type[DomainError]] = set()
    waiting: list[type[DomainError]] = [DomainError]
    while waiting:
        below = waiting.pop().__subclasses__()
        found.update(below)
        waiting.extend(below)
    return sorted(found, key=lambda refusal: (refusal.code, refusal.__name__))
