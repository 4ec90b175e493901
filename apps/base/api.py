"""What every app's `api.py` leans on: strict inputs, strict parameters, keyset pages, ETags."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import IO, Any, Final

from django.core.exceptions import ImproperlyConfigured, ValidationError
from rest_framework import serializers
from rest_framework.exceptions import NotFound as DrfNotFound
from rest_framework.pagination import CursorPagination
from rest_framework.parsers import BaseParser
from rest_framework.request import Request
from rest_framework.response import Response

from apps.base.errors import FilterRefused, MalformedRequest, VersionMismatch, VersionNeeded
from kernelzone import strict
from kernelzone.words import shown

BODY_LIMIT_BYTES: Final = 1024 * 1024
NESTING_LIMIT: Final = 20
PAGE_SIZE: Final = 50
PAGE_SIZE_LIMIT: Final = 200
# Parameters that the pages of a list take themselves.
PAGE_PARAMETERS: Final = frozenset({"cursor", "page_size"})

_ETAG = re.compile(r'"(\d{1,18})"\Z')


class StrictJSONParser(BaseParser):
    """JSON as it was meant: UTF-8, at most 1 MiB, no duplicate keys, no floats, no deep nesting."""

    media_type = "application/json"

    def parse(
        self, stream: IO[bytes], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        """Return the value of the body. Raises: MalformedRequest."""
        content = stream.read(BODY_LIMIT_BYTES + 1)
        if not content:
            return {}
        try:
            value = strict.load(content, max_bytes=BODY_LIMIT_BYTES)
        except strict.StrictError as fault:
            raise MalformedRequest(message=f"the body is not acceptable JSON: {fault}") from None
        _refuse_deep(value, NESTING_LIMIT)
        return value


class Text(serializers.Field[str, Any, str, Any]):
    """Text as it was sent, empty or not: what it may say is a rule of the service, with a code of its own."""

    default_error_messages = {"invalid": "is not text"}

    def to_internal_value(self, data: Any) -> str:
        """Return the text; numbers are not text."""
        if not isinstance(data, str):
            self.fail("invalid")
        return data

    def to_representation(self, value: Any) -> str:
        """Return the text."""
        return str(value)


class Number(serializers.Field[int, Any, int, Any]):
    """A whole number; neither true nor "1" is one."""

    default_error_messages = {"invalid": "is not a whole number"}

    def to_internal_value(self, data: Any) -> int:
        """Return the number."""
        if type(data) is not int:
            self.fail("invalid")
        return int(data)

    def to_representation(self, value: Any) -> int:
        """Return the number."""
        return int(value)


class Input(serializers.Serializer[Any]):
    """The base of every input: unknown fields are refused, never ignored."""

    @classmethod
    def parse(cls, data: Any) -> dict[str, Any]:
        """Return the checked values of `data`, by field. Raises: MalformedRequest, whose facts name the fields."""
        if not isinstance(data, dict):
            raise MalformedRequest(message="the body is not a JSON object")
        serializer = cls(data=data)
        unknown = sorted(set(data) - set(serializer.fields))
        if unknown:
            raise MalformedRequest(
                message="a field is not known here", fields={shown(name): ["is not known here"] for name in unknown}
            )
        if not serializer.is_valid():
            raise MalformedRequest(message="a field is missing or not of its type", fields=serializer.errors)
        return dict(serializer.validated_data)


class KeysetPagination(CursorPagination):
    """Pages by key: as fast at the end of a list as at its beginning. A view may set `ordering`."""

    page_size = PAGE_SIZE
    page_size_query_param = "page_size"
    max_page_size = PAGE_SIZE_LIMIT
    cursor_query_param = "cursor"
    ordering = "-pk"

    def get_ordering(self, request: Request, queryset: Any, view: Any) -> tuple[str, ...]:
        """Return the view's own ordering, or newest first."""
        ordering = getattr(view, "ordering", self.ordering)
        if not ordering:
            raise ImproperlyConfigured("a list without an order has no pages")
        return (ordering,) if isinstance(ordering, str) else tuple(ordering)

    def get_page_size(self, request: Request) -> int | None:
        """Return the size asked for, 1 to 200. Raises: FilterRefused."""
        asked = request.query_params.get(str(self.page_size_query_param))
        return PAGE_SIZE if asked is None else number_parameter("page_size", asked, 1, PAGE_SIZE_LIMIT)

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> Any:
        """Return the rows of the page. Raises: FilterRefused for a cursor that was not given out."""
        try:
            return super().paginate_queryset(queryset, request, view)
        except (DrfNotFound, ValidationError, ValueError, TypeError, OverflowError):
            # A cursor of another list carries a position this list cannot compare with.
            if str(self.cursor_query_param) not in request.query_params:
                raise
            raise FilterRefused(message="the cursor is not one that was given out", parameter="cursor") from None


def parameters(request: Request, *known: str) -> dict[str, str]:
    """Return the parameters of the address that were given, those of paging left out.

    known: the names this list understands. Raises: FilterRefused for another name, or one given twice.
    """
    found = {}
    for name, values in request.query_params.lists():
        if name not in PAGE_PARAMETERS and name not in known:
            raise FilterRefused(message=f"the parameter '{shown(name)}' is not known here", parameter=shown(name))
        if any("\x00" in value for value in values):
            raise FilterRefused(message=f"the parameter '{shown(name)}' contains a NUL", parameter=shown(name))
        if len(values) != 1:
            raise FilterRefused(message=f"the parameter '{shown(name)}' is given twice", parameter=shown(name))
        if name in known:
            found[name] = values[0]
    return found


def number_parameter(name: str, text: str, least: int, most: int) -> int:
    """Return the number a parameter gives. Raises: FilterRefused outside least..most, or for no number."""
    if not re.fullmatch(r"[0-9]{1,18}", text) or not least <= int(text) <= most:
        raise FilterRefused(message=f"'{name}' is not a number from {least} to {most}", parameter=name)
    return int(text)


def etag(version: int) -> str:
    """Return the strong ETag of a version: 7 gives '"7"'."""
    return f'"{version}"'


def with_etag(response: Response, version: int) -> Response:
    """Return the response, carrying the ETag of `version`."""
    response["ETag"] = etag(version)
    return response


def version_wanted(request: Request, *, needed: bool) -> int | None:
    """Return the version If-Match names, for a service to compare under its lock; None when none is named.

    needed: whether the header must be there. Raises: VersionNeeded, VersionMismatch for anything but one strong ETag.
    """
    header = request.headers.get("If-Match")
    if header is None:
        if needed:
            raise VersionNeeded()
        return None
    matched = _ETAG.match(header.strip())
    if matched is None:
        raise VersionMismatch(hint='If-Match is one ETag as it was given, such as "7".')
    return int(matched[1])


def refuse_other_version(wanted: int | None, version: int) -> None:
    """Do nothing if `version` is the one wanted, or any is. Raises: VersionMismatch."""
    if wanted is not None and wanted != version:
        raise VersionMismatch(version=version)


def is_unchanged(request: Request, version: int) -> bool:
    """Return whether If-None-Match names this version: the answer is then 304 without a body."""
    header = request.headers.get("If-None-Match", "")
    return etag(version) in {part.strip().removeprefix("W/") for part in header.split(",")}


def _refuse_deep(value: Any, left: int) -> None:
    if left == 0:
        raise MalformedRequest(message=f"the body is nested deeper than {NESTING_LIMIT}")
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for item in inner:
        _refuse_deep(item, left - 1)
