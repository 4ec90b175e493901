"""Who calls the API: a token, or a browser session."""

from __future__ import annotations

from typing import Final

from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.request import Request

from apps.accounts.models import ApiToken, User
from apps.accounts.tokens import user_of_token
from apps.base.errors import SignInNeeded

SCHEME: Final = b"bearer"


class TokenAuthentication(BaseAuthentication):
    """`Authorization: Bearer kzf_…`. A wrong token is refused; no such header leaves it to the session."""

    def authenticate(self, request: Request) -> tuple[User, ApiToken] | None:
        """Return the account and its token. Raises: SignInNeeded."""
        words = get_authorization_header(request).split()
        if not words or words[0].lower() != SCHEME:
            return None
        if len(words) != 2:
            raise SignInNeeded(message="the Authorization header is not 'Bearer' and one token")
        user = user_of_token(words[1].decode("ascii", "replace"))
        if user is None:
            raise SignInNeeded(message="the token is not valid, or not any more")
        return user, user.token  # type: ignore[attr-defined]

    def authenticate_header(self, request: Request) -> str:
        """Return what WWW-Authenticate says in a 401."""
        return 'Bearer realm="kzfleet"'
