"""One's own account and tokens, for programs."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from apps.accounts.models import ApiToken, TokenKind
from apps.accounts.permissions import caller
from apps.accounts.second_factor import has_second_factor
from apps.accounts.selectors import permissions, roles_of, tokens_of
from apps.accounts.tokens import EVERY_SCOPE, create_token, revoke_token
from apps.base.api import Input, Number, Text, parameters
from apps.base.errors import NotFound
from kernelzone.words import WordError, canonical_uuid


class TokenIn(Input):
    """A token to be made for oneself."""

    name = Text()
    scopes = serializers.ListField(child=Text(), default=lambda: [EVERY_SCOPE], max_length=100)
    days = Number(default=90)


def token_out(token: ApiToken) -> dict[str, Any]:
    """Return one token as the API shows it: never its text."""
    return {
        "id": token.pk,
        "name": token.name,
        "kind": token.kind,
        "scopes": token.scopes,
        "created_at": token.created_at,
        "expires_at": token.expires_at,
        "last_used_at": token.last_used_at,
        "revoked_at": token.revoked_at,
    }


class TokenViewSet(GenericViewSet[ApiToken]):
    """One's own tokens: list, make, revoke. The text of a token is in the answer that made it, and nowhere else."""

    required_permission = {
        "list": "tokens.manage_own",
        "create": "tokens.manage_own",
        "destroy": "tokens.manage_own",
    }
    queryset = ApiToken.objects.none()

    def get_queryset(self) -> QuerySet[ApiToken]:
        """Return the caller's own."""
        return tokens_of(caller(self.request))

    def list(self, request: Request) -> Response:
        """Return a page of them, newest first."""
        parameters(request)
        page = self.paginate_queryset(self.get_queryset()) or []
        return self.get_paginated_response([token_out(token) for token in page])

    def create(self, request: Request) -> Response:
        """Return the new token, its text in `token`."""
        given = TokenIn.parse(request.data)
        token, text = create_token(
            caller(request),
            name=given["name"],
            scopes=given["scopes"],
            kind=TokenKind.PERSONAL,
            life=timedelta(days=max(0, min(given["days"], 10_000))),
            by=caller(request),
        )
        return Response({**token_out(token), "token": text}, status=201)

    def destroy(self, request: Request, pk: str) -> Response:
        """Revoke it."""
        revoke_token(_uuid(pk), actor=caller(request))
        return Response(status=204)


class UserViewSet(GenericViewSet[Any]):
    """The account that asks."""

    required_permission = {"me": "tokens.manage_own"}

    @action(detail=False, methods=["get"])
    def me(self, request: Request) -> Response:
        """Return who one is, one's roles, and what they allow."""
        user = caller(request)
        return Response(
            {
                "name": user.get_username(),
                "person_id": user.person_id,
                "roles": sorted(roles_of(user)),
                "permissions": sorted(permissions(user)),
                "second_factor": has_second_factor(user),
            }
        )


def _uuid(text: str) -> UUID:
    try:
        return canonical_uuid(text)
    except WordError:
        raise NotFound() from None


ROUTES = [("tokens", TokenViewSet), ("users", UserViewSet)]
