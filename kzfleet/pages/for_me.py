"""What waits for the person who looks: requests to decide about, and what became of their own."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_safe

from apps.accounts.pages import page
from apps.base import live
from apps.forced_actions.models import ForcedAction
from apps.forced_actions.selectors import forced_actions_visible_to, waiting_for
from apps.forced_actions.workflow import OPEN

# what ended is shown to who asked for so long
ENDED_SHOWN_FOR: Final = timedelta(days=2)


class ForMe(NamedTuple):
    """to_decide: pending requests this person may approve or deny, the oldest first. asked: their own, newest first."""

    to_decide: list[ForcedAction]
    asked: list[ForcedAction]


def for_me(user: Any, now: datetime) -> ForMe:
    """Return what waits for this account."""
    shown = Q(state__in=OPEN) | Q(ended_at__gte=now - ENDED_SHOWN_FOR)
    asked = forced_actions_visible_to(user).filter(shown, requested_by=user)
    return ForMe(list(waiting_for(user)), list(asked.order_by("-requested_at")))


@require_safe
@page()
def show_for_me(request: HttpRequest) -> HttpResponse:
    """Return what waits for the person who looks."""
    now = timezone.now()
    mine = for_me(request.user, now)
    context = {"mine": mine, "now": now, "every": "5s"}
    return live.show(request, "for_me/page.html", "for_me/_live.html", context)
