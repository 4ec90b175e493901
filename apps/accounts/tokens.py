"""Tokens for the API: made, used, revoked. The secret is shown once and stored as its SHA-256."""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import Sequence
from datetime import timedelta
from typing import Final
from uuid import UUID

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from apps.accounts.errors import TokenScope
from apps.accounts.models import ApiToken, TokenKind, User
from apps.accounts.policy import ALL_PERMISSIONS
from apps.accounts.selectors import has_permission, require, token_of
from apps.base.errors import InvalidInput, NotFound
from apps.base.text import clean_text
from apps.history.actors import SYSTEM, person
from apps.history.services import append

PREFIX: Final = "kzf_"
SECRET_BYTES: Final = 32
LONGEST_LIFE: Final = timedelta(days=365)
# last_used_at is for people who look for forgotten tokens: a minute is fine enough, and saves a write per request.
_USED_RESOLUTION: Final = timedelta(minutes=1)
EVERY_SCOPE: Final = "*"


@transaction.atomic(durable=True)
def create_token(
    user: User,
    *,
    name: str,
    by: User | None = None,
    scopes: Sequence[str] = (EVERY_SCOPE,),
    kind: str = TokenKind.PERSONAL,
    life: timedelta = timedelta(days=90),
) -> tuple[ApiToken, str]:
    """Return a new token of `user` and its text (`kzf_` and 43 characters), which is not kept.

    by: who makes it, the user or an administrator; None is the one who runs `manage.py`.
    Raises: NotAllowed, TokenScope, InvalidInput token_name_*, token_scope_unknown, token_life, token_kind.
    """
    if by is not None:
        _require_maker(by, user, kind, scopes)
    _refuse_bad(scopes, kind, life)
    text = PREFIX + base64.urlsafe_b64encode(secrets.token_bytes(SECRET_BYTES)).rstrip(b"=").decode()
    now = timezone.now()
    token = ApiToken.objects.create(
        user=user,
        name=clean_text(name, noun="token_name", field="name")[:80],
        kind=kind,
        sha256=_sha256(text),
        scopes=sorted(set(scopes)),
        created_at=now,
        expires_at=now + life,
    )
    _append("token.create", token, by, {"name": token.name, "kind": kind, "scopes": token.scopes})
    return token, text


@transaction.atomic(durable=True)
def revoke_token(token_id: UUID, *, actor: User) -> ApiToken:
    """Return the token, which from now on opens nothing; revoking twice changes nothing.

    Raises: NotAllowed, NotFound (absent, or another's and the actor does not manage accounts).
    """
    require(actor, "tokens.manage_own")
    mine = Q() if has_permission(actor, "accounts.manage") else Q(user=actor)
    token = ApiToken.objects.select_for_update(no_key=True, of=("self",)).filter(mine, pk=token_id).first()
    if token is None:
        raise NotFound()
    if token.revoked_at is None:
        token.revoked_at = timezone.now()
        token.save(update_fields=["revoked_at"])
        _append("token.revoke", token, actor, {"name": token.name})
    return token


def user_of_token(text: str) -> User | None:
    """Return the account whose valid token this is, with the token as its `token`; None for any other text."""
    now = timezone.now()
    token = (
        ApiToken.objects.select_related("user")
        .filter(sha256=_sha256(text), revoked_at=None, expires_at__gt=now, user__is_active=True)
        .first()
    )
    if token is None:
        return None
    if token.last_used_at is None or now - token.last_used_at > _USED_RESOLUTION:
        ApiToken.objects.filter(pk=token.pk).update(last_used_at=now)
    user: User = token.user
    user.token = token  # type: ignore[attr-defined]
    return user


def _require_maker(by: User, user: User, kind: str, scopes: Sequence[str]) -> None:
    own_personal = by.pk == user.pk and kind == TokenKind.PERSONAL
    require(by, "tokens.manage_own" if own_personal else "accounts.manage")
    if by.pk != user.pk and kind == TokenKind.PERSONAL:
        raise InvalidInput(
            code="TOKEN_KIND",
            field="kind",
            message="a personal token is made by its person alone",
            hint="Make a service token, or let the person make it.",
        )
    maker = token_of(by)
    if maker is not None and EVERY_SCOPE not in maker.scopes and not set(scopes) <= set(maker.scopes):
        raise TokenScope(hint="A token makes no token that may do more than itself.")


def _refuse_bad(scopes: Sequence[str], kind: str, life: timedelta) -> None:
    if not scopes or not set(scopes) <= ALL_PERMISSIONS | {EVERY_SCOPE}:
        raise InvalidInput(
            code="TOKEN_SCOPE_UNKNOWN",
            field="scopes",
            message="a scope is not a permission that exists",
            hint="Give permissions such as 'zones.view', or '*' for all that the account has.",
        )
    if kind not in TokenKind.values:
        raise InvalidInput(
            code="TOKEN_KIND",
            field="kind",
            message="there is no such kind of token",
            hint="The kinds are personal and service.",
        )
    if not timedelta(minutes=1) <= life <= LONGEST_LIFE:
        raise InvalidInput(
            code="TOKEN_LIFE",
            field="days",
            message="a token lives for a day at least and a year at most",
            hint="Give a number of days from 1 to 365.",
        )


def _append(type_: str, token: ApiToken, by: User | None, data: dict[str, object]) -> None:
    subjects = [("token", str(token.pk)), ("person", str(token.user.person_id))]
    append(type_, actor=person(by) if by else SYSTEM, subjects=subjects, data=data)


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()
