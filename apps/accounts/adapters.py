"""What allauth asks us: nobody signs up, and TOTP secrets are sealed at rest."""

from __future__ import annotations

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.mfa.adapter import DefaultMFAAdapter

from apps.accounts.models import User
from apps.accounts.secret_box import seal, unseal
from apps.accounts.services import set_password


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]
    """Accounts are made by an administrator alone."""

    def is_open_for_signup(self, request: Any) -> bool:
        """Return False: there is no sign-up."""
        return False

    def set_password(self, user: User, password: str) -> None:
        """Set the password a person chose on the page, with its event."""
        set_password(user, password, by=user)
        user.refresh_from_db(fields=["password"])


class MFAAdapter(DefaultMFAAdapter):  # type: ignore[misc]
    """Second factors: sealed at rest, named by the account's name, and never taken off by their owner."""

    def encrypt(self, text: str) -> str:
        """Return the secret as it is stored."""
        return seal(text)

    def decrypt(self, encrypted_text: str) -> str:
        """Return the secret as it was."""
        return unseal(encrypted_text)

    def can_delete_authenticator(self, authenticator: Any) -> bool:
        """Return False: taking off a second factor needs an administrator."""
        return False

    def send_notification_mail(self, *args: Any, **kwargs: Any) -> None:
        """Send nothing: the history says it, and accounts need no mail address."""
