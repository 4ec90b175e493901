"""The name the settings use."""

from apps.accounts.authentication import TokenAuthentication

__all__ = ["TokenAuthentication"]
