"""Pages whose middle keeps itself fresh: the same address answers with the page, or with the part it includes."""

from __future__ import annotations

import re
from hashlib import sha256
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.cache import get_conditional_response, patch_vary_headers

# The token of a form differs at every rendering and says nothing about the content.
_CSRF = re.compile(rb'name="csrfmiddlewaretoken" value="[^"]*"')


def is_partial(request: HttpRequest) -> bool:
    """Return whether htmx asks for the live part alone."""
    return request.headers.get("HX-Request") == "true" and request.headers.get("HX-Request-Type") != "full"


def show(request: HttpRequest, page: str, part: str, context: dict[str, Any]) -> HttpResponse:
    """Return the page, or for htmx only its live part with an ETag (304 when nothing changed).

    part: the template that the page itself includes.
    """
    if not is_partial(request):
        response = render(request, page, context)
        patch_vary_headers(response, ["HX-Request"])
        return response
    response = render(request, part, context)
    etag = f'"{sha256(_CSRF.sub(b"", response.content)).hexdigest()[:32]}"'
    response["ETag"] = etag
    response["Cache-Control"] = "private, no-cache"
    patch_vary_headers(response, ["HX-Request"])
    return get_conditional_response(request, etag=etag, response=response) or response
