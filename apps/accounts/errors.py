"""What accounts refuse."""

from __future__ import annotations

from apps.base.errors import DomainError, NotAllowed


class TokenScope(NotAllowed):
    """The person may, the token may not. Facts: permission."""

    code = "token_scope"
    message = "this token may not do this"
    hint = "Use a token with this scope; a service token never approves."


class SecondFactorNeeded(DomainError):
    """The act needs a code from the second factor, and none was sent or none is enrolled."""

    code = "second_factor_needed"
    status = 403
    message = "a code of your second factor is needed"
    hint = "Send the 6 digits your authenticator shows as 'second_factor'."


class SecondFactorWrong(DomainError):
    """The code is not right, or its time step was used before."""

    code = "second_factor_wrong"
    status = 403
    message = "the code is not right, or was used already"
    hint = "Wait for the next code and send that one; check the clock of your authenticator."


class SecondFactorLocked(DomainError):
    """Too many wrong codes in a short time. Facts: retry_after_s."""

    code = "second_factor_locked"
    status = 429
    message = "too many wrong codes"
    hint = "Wait five minutes; if it was not you, tell an administrator."


class LastAdministrator(DomainError):
    """The last administrator's role is not retired: nobody could give it back."""

    code = "last_administrator"
    status = 409
    message = "this is the last administrator"
    hint = "Make somebody else administrator first."


class AlreadyGranted(DomainError):
    """The account has the role already, or has not when it is to be retired. Facts: role."""

    code = "already_granted"
    status = 409
    message = "the role is already as asked"
    hint = "Nothing needs to be done."


class NameTaken(DomainError):
    """There is an account with this name, also one that differs in upper and lower case only."""

    code = "name_taken"
    status = 409
    message = "there is an account with this name"
    hint = "Choose another name."


class SecondFactorExists(DomainError):
    """The account has a second factor; it is not replaced by enrolling another."""

    code = "second_factor_exists"
    status = 409
    message = "the account has a second factor already"
    hint = "Use the one it has; an administrator can reset it."
