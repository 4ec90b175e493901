"""The history: who did what, when, to what; and one event with its exact bytes."""

from __future__ import annotations

import json
from datetime import MAXYEAR, UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import urlencode

from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from apps.accounts.pages import page
from apps.base import live
from apps.base.errors import NotFound
from apps.history.models import Event
from apps.history.selectors import event, head, latest_events

PAGE_SIZE: Final = 60
_PAGES: Final = {
    "zone": "zones",
    "conflict": "conflicts",
    "forced-action": "forced-actions",
    "job": "jobs",
    "host": "hosts",
}
FILTERS: Final = ("type", "who", "kind", "id", "since", "until")


@require_safe
@page("history.view")
def list_events(request: HttpRequest) -> HttpResponse:
    """Return the events, newest first, narrowed by type, person, object and day."""
    given = {name: request.GET.get(name, "").strip()[:64] for name in FILTERS}
    shown = Paginator(_filtered(given), PAGE_SIZE).get_page(request.GET.get("page"))
    size, root = head()
    context = {
        "events": [(found, _about(found)) for found in shown],
        "page": shown,
        "given": given,
        "is_narrowed": any(given.values()),
        "query": urlencode({name: value for name, value in given.items() if value}),
        "size": size,
        "root": root.hex(),
        "kinds": sorted(_PAGES),
    }
    return live.show(request, "history/list.html", "history/_list.html", context)


@require_safe
@page("history.view")
def show_event(request: HttpRequest, seq: int) -> HttpResponse:
    """Return one event: what it says, and the exact bytes whose hash is in the tree."""
    found = event(seq)
    if found is None:
        raise NotFound()
    record = found.record
    context = {
        "event": found,
        "record": record,
        "about": _about(found),
        "data": [(name, _text(value)) for name, value in sorted(record.get("data", {}).items())],
        "body": bytes(found.body).decode("ascii", "backslashreplace"),
        "leaf": bytes(found.leaf_sha256).hex(),
        "documents": record.get("docs", []),
        "previous": seq - 1 if seq > 1 else None,
        "next": seq + 1 if seq < head()[0] else None,
    }
    return render(request, "history/event.html", context)


def _filtered(given: dict[str, str]) -> QuerySet[Event]:
    found = latest_events()
    if given["type"]:
        found = found.filter(type__startswith=given["type"])
    if given["who"]:
        found = found.filter(actor_name=given["who"])
    if given["kind"]:
        found = found.filter(subjects__kind=given["kind"])
    if given["id"]:
        found = found.filter(subjects__subject_id=given["id"])
    if (since := _day(given["since"])) is not None:
        found = found.filter(recorded_at__gte=since)
    if (until := _day(given["until"])) is not None:
        found = found.filter(recorded_at__lt=until + timedelta(days=1))
    return found.distinct() if given["kind"] or given["id"] else found


def _day(text: str) -> datetime | None:
    """Return the beginning of a day, UTC; None for what is none, or for the last one of the calendar."""
    try:
        day = datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        return None
    return day if day.year < MAXYEAR else None


def _about(found: Event) -> list[dict[str, str]]:
    """Return the objects an event names, with the page of each that has one."""
    record = found.record
    named = [record["subject"], *record.get("also", [])]
    return [
        {
            "kind": one["kind"],
            "id": one["id"],
            "path": f"/{_PAGES[one['kind']]}/{one['id']}" if one["kind"] in _PAGES else "",
        }
        for one in named
    ]


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=1)
