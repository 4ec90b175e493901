"""Which permission an action of the API needs: data on the view, one check here."""

from __future__ import annotations

from typing import Any, cast

from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from apps.accounts.models import User
from apps.accounts.selectors import require
from apps.base.errors import NotAllowed, SignInNeeded


def caller(request: Request) -> User:
    """Return the account that calls, once ActionPermission has let it in."""
    return cast(User, request.user)


class ActionPermission(BasePermission):
    """Reads `required_permission` of the view, a dict of action to permission. No entry: nobody may."""

    def has_permission(self, request: Request, view: Any) -> bool:
        """Return True, or raise SignInNeeded, NotAllowed or TokenScope."""
        if not request.user.is_authenticated:
            raise SignInNeeded()
        if view.action is None:
            return True  # no such method here: DRF answers 405 right after this
        permission = getattr(view, "required_permission", {}).get(view.action)
        if permission is None:
            raise NotAllowed()
        require(request.user, permission)
        return True
