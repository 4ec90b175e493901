"""The name the settings use."""

from apps.accounts.permissions import ActionPermission

__all__ = ["ActionPermission"]
