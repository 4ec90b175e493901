"""What stands before every page: somebody signed in, a permission, and an answer to refusals."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse

from apps.accounts.selectors import require
from apps.base.errors import FilterRefused
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
            _refuse_nul(request)
            return view(request, *args, **kwargs)

        return guarded

    return decorate


def _refuse_nul(request: HttpRequest) -> None:
    # PostgreSQL cannot compare with such a text: it would be a fault of ours, where it is one of the address
    values = (value for _, given in request.GET.lists() for value in given)
    if "\x00" in request.path or any("\x00" in value for value in values):
        raise FilterRefused(message="the address contains a NUL character", hint="Correct the address.")
