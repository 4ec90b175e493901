"""What every answer carries besides Django's own headers."""

from collections.abc import Awaitable, Callable
from typing import cast

from asgiref.sync import iscoroutinefunction
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.decorators import sync_and_async_middleware
from structlog.contextvars import bound_contextvars

from kernelzone.ids import uuid7

Answer = Callable[[HttpRequest], HttpResponseBase]
AsyncAnswer = Callable[[HttpRequest], Awaitable[HttpResponseBase]]

PERMISSIONS_POLICY = "camera=(), geolocation=(), microphone=(), payment=(), usb=()"


@sync_and_async_middleware
def request_id(get_response: Answer | AsyncAnswer) -> Answer | AsyncAnswer:
    """Give each request an id of ours, to quote from an error page and to find in the diagnostics."""
    if iscoroutinefunction(get_response):
        answer_async = cast(AsyncAnswer, get_response)

        async def middleware_async(request: HttpRequest) -> HttpResponseBase:
            with bound_contextvars(request_id=_name(request)):
                return _signed_off(request, await answer_async(request))

        return middleware_async
    answer = cast(Answer, get_response)

    def middleware(request: HttpRequest) -> HttpResponseBase:
        with bound_contextvars(request_id=_name(request)):
            return _signed_off(request, answer(request))

    return middleware


def _name(request: HttpRequest) -> str:
    request.request_id = str(uuid7())  # type: ignore[attr-defined]
    return str(request.request_id)  # type: ignore[attr-defined]


def _signed_off(request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
    response.headers["X-Request-Id"] = request.request_id  # type: ignore[attr-defined]
    response.headers.setdefault("Permissions-Policy", PERMISSIONS_POLICY)
    # what the fleet looks like stays in no cache; with an ETag a client may ask whether its own copy is still right
    response.headers.setdefault("Cache-Control", "private, no-cache" if "ETag" in response.headers else "no-store")
    return response
