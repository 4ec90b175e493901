"""Every part of the pages in every state, side by side: for those who build them. Only with KZFLEET_DEBUG."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from apps.base.badges import FAMILIES
from apps.base.errors import NotAllowed
from apps.base.wording import age

# What `zoneadm attach` prints, with values of nobody.
_MESSAGE: Final = (
    "zone 'example': ERROR: Configuration is in use by another system.\n"
    "zone 'example': hostid: 00000000, last known state: installed"
)


def examples() -> dict[str, Any]:
    """Return one example of everything the parts can show."""
    now = timezone.now()
    steps = [
        {"label": "requested", "state": "done", "at": now - timedelta(hours=2), "note": ""},
        {"label": "approvals", "state": "now", "at": now, "note": "1 of 2"},
        {"label": "carried out", "state": "todo", "at": None, "note": ""},
        {"label": "denied", "state": "failed", "at": None, "note": ""},
    ]
    return {
        "families": [(family, list(words)) for family, words in FAMILIES.items()],
        "steps": steps,
        "message": _MESSAGE,
        "refusal": NotAllowed(permission="zones.run"),
        "moments": [now, now - timedelta(minutes=41), now - timedelta(days=3), now + timedelta(hours=2), None],
        "digest": "3f" * 32,
        "age": age(timedelta(minutes=41)),
    }


@require_safe
def show_parts(request: HttpRequest) -> HttpResponse:
    """Return every part in every state."""
    return render(request, "parts/page.html", examples())
