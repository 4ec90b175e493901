"""The events, for programs: a list by number, which is the way to catch up."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from rest_framework import mixins
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from apps.base.api import PAGE_SIZE, PAGE_SIZE_LIMIT, number_parameter, parameters
from apps.base.errors import FilterRefused, NotFound
from apps.history.models import Event
from apps.history.selectors import event, events_about, events_after

LAST_SEQ = 2**53


def event_out(found: Event) -> dict[str, Any]:
    """Return one event as the API shows it; `body` is the exact text whose hash is in the tree."""
    return {
        "seq": found.seq,
        "type": found.type,
        "recorded_at": found.recorded_at,
        "record": found.record,
        "leaf_sha256": bytes(found.leaf_sha256).hex(),
        "body": bytes(found.body).decode("ascii"),
    }


class EventViewSet(mixins.ListModelMixin, GenericViewSet[Event]):
    """Events: list in the order of their numbers, and read one.

    Parameters: after (a number, default 0), type, subject (`kind:id`), page_size.
    """

    required_permission = {"list": "history.view", "retrieve": "history.view"}
    queryset = Event.objects.none()

    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Return the events after `after`, and in `after` the number to ask from next."""
        given = parameters(request, "after", "type", "subject")
        after = number_parameter("after", given.get("after", "0"), 0, LAST_SEQ)
        size = request.query_params.get("page_size", str(PAGE_SIZE))
        page_size = number_parameter("page_size", size, 1, PAGE_SIZE_LIMIT)
        found = list(_filtered(given, after)[: page_size + 1])
        shown = found[:page_size]
        return Response(
            {
                "results": [event_out(one) for one in shown],
                "after": shown[-1].seq if shown else after,
                "more": len(found) > page_size,
            }
        )

    def retrieve(self, request: Request, pk: str) -> Response:
        """Return the event with this number."""
        found = event(int(pk)) if pk.isascii() and pk.isdigit() and len(pk) < 17 else None
        if found is None:
            raise NotFound()
        return Response(event_out(found))


def _filtered(given: dict[str, str], after: int) -> QuerySet[Event]:
    events = events_after(after)
    if "subject" in given:
        kind, colon, subject_id = given["subject"].partition(":")
        if not colon:
            raise FilterRefused(message="'subject' is not of the form kind:id", parameter="subject")
        events = events_about(kind, subject_id).filter(seq__gt=after).order_by("seq")
    return events.filter(type=given["type"]) if "type" in given else events


ROUTES = [("events", EventViewSet)]
