"""The one handler of refusals: recorded in the history after the rollback, and answered to a person or a program.

Only refused changes are recorded, and only of somebody who is known: reading, and strangers, leave no event.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, Final

import structlog
from django.db import OperationalError, transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from apps.base.errors import DomainError, Fault
from apps.history.actors import person
from apps.history.services import append
from kernelzone.words import shown

logger = structlog.get_logger(__name__)

READING_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
UNRECORDED: Final = frozenset({400, 401})
RETRY_AFTER_S: Final = 5

View = Callable[..., HttpResponse]


def record_refusal(
    refusal: DomainError, request: Any, *, noun: str = "request", subject_id: object = "", action: str = ""
) -> None:
    """Append `<noun>.refused` for the person behind `request`.

    To be called after the refused service was rolled back, outside of any transaction of its own.
    noun: what was to be changed, as in event types. action: the verb that was refused.
    """
    user: Any = getattr(request, "user", None)
    if request.method in READING_METHODS or refusal.status in UNRECORDED or not hasattr(user, "person_id"):
        return
    actor = person(user)
    subjects = [("person", actor.id)]
    if subject_id:
        subjects.insert(0, (noun, shown(str(subject_id))))
    with transaction.atomic():
        append(
            f"{noun}.refused",
            actor=actor,
            subjects=subjects,
            data={"code": refusal.stable_code, "action": action or None},
        )


def refusals_are_answered(noun: str, *, subject: str = "") -> Callable[[View], View]:
    """Return a decorator for page views: a refusal becomes a page with its message and hint, and an event.

    noun: as in event types. subject: the name of the view's argument that identifies the object.
    A fault becomes a page that says to try again (503).
    """

    def decorate(view: View) -> View:
        @wraps(view)
        def answered(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            try:
                return view(request, *args, **kwargs)
            except DomainError as refusal:
                record_refusal(refusal, request, noun=noun, subject_id=kwargs.get(subject, ""), action=view.__name__)
                return _page(request, refusal, refusal.status)
            except (Fault, OperationalError) as fault:
                logger.warning("fault", view=view.__name__, fault=str(fault))
                response = _page(request, Fault(), Fault.status)
                response["Retry-After"] = str(RETRY_AFTER_S)
                return response

        return answered

    return decorate


def _page(request: HttpRequest, refusal: DomainError | Fault, status: int) -> HttpResponse:
    return render(request, "refused.html", {"refusal": refusal}, status=status)
