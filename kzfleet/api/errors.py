"""How the API answers what went wrong: RFC 9457 with a stable `code`.

Source: RFC 9457 (problem details), style.md (which status for what).
"""

from __future__ import annotations

from typing import Any, Final

import structlog
from django.core.exceptions import PermissionDenied
from django.db import OperationalError
from django.http import Http404
from rest_framework import exceptions
from rest_framework.response import Response
from rest_framework.views import set_rollback

from apps.base.errors import DomainError, Fault, MalformedRequest, NotAllowed, NotFound, SignInNeeded
from apps.history.refusals import RETRY_AFTER_S, record_refusal

logger = structlog.get_logger(__name__)

MEDIA_TYPE: Final = "application/problem+json"


class MethodNotAllowed(DomainError):
    """The resource has no such verb."""

    code = "method_not_allowed"
    status = 405
    message = "this resource has no such verb"
    hint = "Look at the Allow header."


class NotAcceptable(DomainError):
    """The answer is JSON, and the request accepts none."""

    code = "not_acceptable"
    status = 406
    message = "the answer is JSON and nothing else"
    hint = "Send 'Accept: application/json'."


class UnsupportedMediaType(DomainError):
    """The body is not declared to be JSON."""

    code = "unsupported_media_type"
    status = 415
    message = "the body is not declared to be JSON"
    hint = "Send 'Content-Type: application/json'."


class TooManyRequests(DomainError):
    """More requests than are taken in."""

    code = "too_many_requests"
    status = 429
    message = "too many requests"
    hint = "Wait for the time Retry-After says."


# What Django and DRF raise themselves, and the refusal it is to us.
TRANSLATED: Final[dict[type[Exception], type[DomainError]]] = {
    Http404: NotFound,
    PermissionDenied: NotAllowed,
    exceptions.NotFound: NotFound,
    exceptions.NotAuthenticated: SignInNeeded,
    exceptions.AuthenticationFailed: SignInNeeded,
    exceptions.PermissionDenied: NotAllowed,
    exceptions.ParseError: MalformedRequest,
    exceptions.ValidationError: MalformedRequest,
    exceptions.MethodNotAllowed: MethodNotAllowed,
    exceptions.NotAcceptable: NotAcceptable,
    exceptions.UnsupportedMediaType: UnsupportedMediaType,
    exceptions.Throttled: TooManyRequests,
}


def problem_response(error: Exception, context: dict[str, Any]) -> Response | None:
    """Return the answer to what a view raised; None for a bug, which Django answers with 500."""
    if isinstance(error, Fault | OperationalError):
        return _fault_response(error, context)
    refusal = error if isinstance(error, DomainError) else _translated(error)
    if refusal is None:
        return None
    set_rollback()
    _record(refusal, context)
    response = _response(refusal, refusal.stable_code, context, refusal.facts)
    for header, value in _headers(refusal, error).items():
        response[header] = value
    return response


def _translated(error: Exception) -> DomainError | None:
    refusal = TRANSLATED.get(type(error))
    if refusal is None:
        return None
    if isinstance(error, exceptions.ValidationError):
        return refusal(fields=error.detail)
    return refusal()


def _record(refusal: DomainError, context: dict[str, Any]) -> None:
    view, request = context.get("view"), context["request"]
    # DRF's `request.user` authenticates again when that has failed; what was found is in `_user`.
    if refusal.status == SignInNeeded.status or getattr(request, "_user", None) is None:
        return
    record_refusal(
        refusal,
        request,
        noun=getattr(view, "basename", None) or "request",
        subject_id=(context.get("kwargs") or {}).get("pk", ""),
        action=getattr(view, "action", None) or request.method.lower(),
    )


def _fault_response(error: Exception, context: dict[str, Any]) -> Response:
    set_rollback()
    logger.warning("fault", fault=f"{type(error).__name__}: {error}")
    fault = error if isinstance(error, Fault) else Fault()
    response = _response(fault, fault.code, context, {})
    response["Retry-After"] = str(RETRY_AFTER_S)
    return response


def _response(error: DomainError | Fault, code: str, context: dict[str, Any], facts: dict[str, Any]) -> Response:
    body = {
        "type": f"urn:kzfleet:error:{code}",
        "title": error.message,
        "status": error.status,
        "detail": error.hint,
        "code": code,
        "request_id": getattr(context["request"], "request_id", ""),
    }
    if facts:
        body["facts"] = facts
    return Response(body, status=error.status, content_type=MEDIA_TYPE)


def _headers(refusal: DomainError, error: Exception) -> dict[str, str]:
    if refusal.status == 401:
        return {"WWW-Authenticate": 'Bearer realm="kzfleet"'}
    seconds = refusal.facts.get("retry_after_s") or getattr(error, "wait", None)
    return {"Retry-After": str(int(seconds))} if seconds else {}
