"""What stands before every page: somebody signed in, a permission, and an answer to refusals."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse

from apps.accounts.selectors import require
from apps.history.refusals import refusals_are_answered

View = Callable[..., HttpResponse]


def page(permission: str = "", *, noun: str = "page", subject: str = "") -> Callable[[View], View]:
    """Return a decorator for page views: sign-in, then `permission`, and every refusal becomes a page.

    noun and subject: as in `refusals_are_answered`.
    """

    def decorate(view: View) -> View:
        @login_required
        @refusals_are_answered(noun, subject=subject)
        @wraps(view)
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            if permission:
                require(request.user, permission)
            return view(request, *args, **kwargs)

        return guarded

    return decorate
