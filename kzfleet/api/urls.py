"""Everything below /api/v1/."""

from django.http import HttpRequest, JsonResponse
from django.urls import URLPattern, URLResolver, re_path

from apps.base.errors import NotFound
from kzfleet.api.errors import MEDIA_TYPE
from kzfleet.api.router import make_router


def no_such_resource(request: HttpRequest) -> JsonResponse:
    """Return 404 in the API's own form for an address that is none of ours."""
    body = {
        "type": f"urn:kzfleet:error:{NotFound.code}",
        "title": NotFound.message,
        "status": NotFound.status,
        "detail": NotFound.hint,
        "code": NotFound.code,
        "request_id": getattr(request, "request_id", ""),
    }
    return JsonResponse(body, status=NotFound.status, content_type=MEDIA_TYPE)


urlpatterns: list[URLPattern | URLResolver] = [*make_router().urls, re_path("", no_such_resource)]
