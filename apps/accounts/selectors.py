"""What an account may do, and since when."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from django.contrib.auth.models import AnonymousUser
from django.db.models import QuerySet

from apps.accounts.errors import TokenScope
from apps.accounts.models import ApiToken, RoleGrant, TokenKind, User
from apps.accounts.policy import NEVER_BY_SERVICE, Role, permissions_of
from apps.base.errors import NotAllowed, SignInNeeded


def roles_of(user: User) -> set[str]:
    """Return the roles the account has now."""
    return set(RoleGrant.objects.filter(user=user, retired_at=None).values_list("role", flat=True))


def permissions(user: User | AnonymousUser) -> frozenset[str]:
    """Return every permission the account's roles give now, read once per user object."""
    if not isinstance(user, User) or not user.is_active:
        return frozenset()
    known: frozenset[str] | None = getattr(user, "_permissions", None)
    if known is None:
        known = permissions_of(roles_of(user))
        user._permissions = known  # type: ignore[attr-defined]
    return known


def has_permission(user: User | AnonymousUser, permission: str) -> bool:
    """Return whether the account, acting as it does now, may do this.

    An account that came in by a token (`user.token`) has no more than the token's scopes, and by a service
    token never a permission of NEVER_BY_SERVICE.
    """
    return permission in permissions(user) and _token_gives(user, permission)


def require(user: User | AnonymousUser, permission: str) -> None:
    """Do nothing if the account may do this.

    Raises: SignInNeeded for nobody, TokenScope when only the token is too narrow, NotAllowed otherwise.
    """
    if not user.is_authenticated:
        raise SignInNeeded()
    if permission not in permissions(user):
        raise NotAllowed(permission=permission)
    if not _token_gives(user, permission):
        raise TokenScope(permission=permission)


def role_granted_at(user: User, role: str) -> datetime | None:
    """Return since when the account has had the role without a break; None if it has not."""
    grants = RoleGrant.objects.filter(user=user, role=Role(role), retired_at=None)
    return grants.values_list("granted_at", flat=True).first()


def users_with_role(role: str) -> QuerySet[User]:
    """Return the active accounts that have this role now, by name."""
    return User.objects.filter(is_active=True, role_grants__role=Role(role), role_grants__retired_at=None).order_by(
        "username"
    )


def people_with_role(role: str) -> set[UUID]:
    """Return the people (person ids) with this role now: two accounts of one person count once."""
    return set(users_with_role(role).values_list("person_id", flat=True))


def distinct_people(users: Iterable[User]) -> set[UUID]:
    """Return the people behind these accounts."""
    return {user.person_id for user in users}


def tokens_of(user: User) -> QuerySet[ApiToken]:
    """Return the account's tokens that were not revoked, newest first."""
    return ApiToken.objects.filter(user=user, revoked_at=None).order_by("-id")


def token_of(user: User | AnonymousUser) -> ApiToken | None:
    """Return the token this account came in by; None for a browser session."""
    return getattr(user, "token", None)


def _token_gives(user: User | AnonymousUser, permission: str) -> bool:
    token = token_of(user)
    if token is None:
        return True
    if token.kind == TokenKind.SERVICE and permission in NEVER_BY_SERVICE:
        return False
    return "*" in token.scopes or permission in token.scopes
