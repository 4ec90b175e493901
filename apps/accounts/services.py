"""Changes of accounts and roles. Each is an event of the history in the same transaction."""

from __future__ import annotations

from uuid import UUID

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone

from apps.accounts.errors import AlreadyGranted, LastAdministrator, NameTaken
from apps.accounts.models import RoleGrant, User
from apps.accounts.policy import Role
from apps.accounts.selectors import require, users_with_role
from apps.base.errors import InvalidInput
from apps.history.actors import SYSTEM, Actor, person
from apps.history.services import append


@transaction.atomic(durable=True)
def add_person(
    name: str, *, password: str, roles: list[str], by: User | None = None, person_id: UUID | None = None
) -> User:
    """Return a new account with these roles.

    by: who adds it; None is the one who runs `manage.py`. person_id: given for a second account of one person.
    Raises: NotAllowed, NameTaken, InvalidInput user_name, password_weak, role.
    """
    if by is not None:
        require(by, "accounts.manage")
    user = User(username=_free_name(name))
    if person_id is not None:
        user.person_id = person_id
    _set_password(user, password)
    user.save()
    append("person.add", actor=_actor(by), subjects=_subjects(user), data={"name": user.username})
    for role in roles:
        _grant(user, role, by)
    return user


@transaction.atomic(durable=True)
def grant_role(user: User, role: str, *, by: User | None = None) -> RoleGrant:
    """Return the grant that gives `user` the role from now on.

    Raises: NotAllowed, AlreadyGranted, InvalidInput role.
    """
    if by is not None:
        require(by, "accounts.manage")
    return _grant(_user_for_update(user), role, by)


@transaction.atomic(durable=True)
def retire_role(user: User, role: str, *, by: User | None = None) -> RoleGrant:
    """Return the grant that ended now. Raises: NotAllowed, AlreadyGranted, LastAdministrator, InvalidInput role."""
    if by is not None:
        require(by, "accounts.manage")
    role = _role(role)
    if role == Role.ADMINISTRATOR:
        _keep_an_administrator(user)
    _user_for_update(user)
    grant = RoleGrant.objects.filter(user=user, role=role, retired_at=None).first()
    if grant is None:
        raise AlreadyGranted(role=role)
    grant.retired_at = timezone.now()
    grant.save(update_fields=["retired_at"])
    append("role.retire", actor=_actor(by), subjects=_subjects(user), data={"role": role})
    return grant


@transaction.atomic(durable=True)
def set_password(user: User, password: str, *, by: User | None = None) -> User:
    """Return the account with its new password. Raises: NotAllowed, InvalidInput password_weak."""
    if by is not None and by != user:
        require(by, "accounts.manage")
    user = _user_for_update(user)
    _set_password(user, password)
    user.save(update_fields=["password"])
    append("person.set-password", actor=_actor(by), subjects=_subjects(user), data={})
    return user


def _grant(user: User, role: str, by: User | None) -> RoleGrant:
    role = _role(role)
    if RoleGrant.objects.filter(user=user, role=role, retired_at=None).exists():
        raise AlreadyGranted(role=role)
    grant = RoleGrant.objects.create(user=user, role=role, granted_at=timezone.now(), granted_by=by)
    append("role.grant", actor=_actor(by), subjects=_subjects(user), data={"role": role})
    return grant


def _user_for_update(user: User) -> User:
    return User.objects.select_for_update(no_key=True).get(pk=user.pk)


def _keep_an_administrator(user: User) -> None:
    # Every administrator's row is locked, in one order: two who retire each other cannot both succeed.
    grants = RoleGrant.objects.filter(role=Role.ADMINISTRATOR, retired_at=None).values("user")
    list(User.objects.select_for_update(no_key=True).filter(pk__in=grants).order_by("pk"))
    if not users_with_role(Role.ADMINISTRATOR).exclude(pk=user.pk).exists():
        raise LastAdministrator()


def _free_name(name: str) -> str:
    try:
        User.username_validator(name)
    except ValidationError:
        raise _name_refused() from None
    if not 1 <= len(name) <= 64 or not name.isascii():
        raise _name_refused()
    if User.objects.filter(username__iexact=name).exists():
        raise NameTaken()
    return name


def _name_refused() -> InvalidInput:
    return InvalidInput(
        code="USER_NAME",
        field="name",
        message="an account's name is 1 to 64 ASCII letters, digits or any of @ . + - _",
        hint="Choose another name.",
    )


def _set_password(user: User, password: str) -> None:
    try:
        validate_password(password, user)
    except ValidationError as refusal:
        raise InvalidInput(
            code="PASSWORD_WEAK",
            field="password",
            message="the password is too easy to guess",
            hint=" ".join(refusal.messages),
        ) from None
    user.set_password(password)


def _role(role: str) -> str:
    if role not in Role.values:
        raise InvalidInput(
            code="ROLE",
            field="role",
            message="there is no such role",
            hint=f"The roles are {', '.join(Role.values)}.",
        )
    return role


def _actor(by: User | None) -> Actor:
    return person(by) if by else SYSTEM


def _subjects(user: User) -> list[tuple[str, str]]:
    return [("account", str(user.pk)), ("person", str(user.person_id))]
