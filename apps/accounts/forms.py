"""The forms of sign-in that allauth shows, with our second factor behind them."""

from __future__ import annotations

from typing import Any

from allauth.mfa.base.forms import AuthenticateForm as AllauthAuthenticateForm
from allauth.mfa.base.forms import ReauthenticateForm as AllauthReauthenticateForm
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.forms import ActivateTOTPForm as AllauthActivateTOTPForm
from django import forms

from apps.accounts.second_factor import guessing, verify_totp
from apps.base.errors import DomainError


class _CodeMixin:
    """Checks the code against the same guard as an approval does: a code is used once, wherever."""

    user: Any
    cleaned_data: dict[str, Any]

    def clean_code(self) -> str:
        """Return the code, whose time step is used up now."""
        code: str = self.cleaned_data["code"]
        try:
            with guessing(self.user):
                verify_totp(self.user, code)
        except DomainError as refusal:
            raise forms.ValidationError(f"{refusal.message}. {refusal.hint}", code=refusal.code) from None
        self.authenticator = Authenticator.objects.get(user=self.user, type=Authenticator.Type.TOTP)
        return code


class AuthenticateForm(_CodeMixin, AllauthAuthenticateForm):  # type: ignore[misc]
    """The second step of signing in."""


class ReauthenticateForm(_CodeMixin, AllauthReauthenticateForm):  # type: ignore[misc]
    """The second factor asked again in a session."""


class ActivateTOTPForm(AllauthActivateTOTPForm):  # type: ignore[misc]
    """Closed: whoever has only the password must not be able to add the factor that proves more than it."""

    def clean_code(self) -> str:
        """Refuse always."""
        raise forms.ValidationError("A second factor is enrolled by an administrator.", code="closed")
