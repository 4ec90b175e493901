"""Where new agents ask to be taken in: /api/agent/v1/enrol. A join token and their signatures are the only sign-in."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, Final
from uuid import UUID

from django.core.exceptions import RequestDataTooBig
from django.db import OperationalError
from django.http import HttpRequest, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from apps.base.errors import DomainError, Fault, MalformedRequest
from apps.fleet.enrolling import answer_enrolment, enrol_agent
from apps.fleet.errors import JoinTokenRefused
from apps.fleet.joining import count_guess, refuse_guessing
from apps.fleet.rotating import rotate_agent_key
from kernelzone import strict
from kernelzone.words import WordError, canonical_uuid

MAX_BODY_BYTES: Final = 256 * 1024
PROBLEM: Final = "application/problem+json"
RETRY_AFTER_S: Final = 5

View = Callable[[HttpRequest], JsonResponse]


def for_agents(view: View) -> View:
    """Return the view for POST by agents: no cookie, no cache, every refusal a problem document."""

    @wraps(view)
    def answered(request: HttpRequest) -> JsonResponse:
        try:
            return view(request)
        except DomainError as refusal:
            return _problem(refusal, refusal.stable_code, refusal.facts)
        except OperationalError:
            return _problem(Fault(), Fault.code, {"retry_after_s": RETRY_AFTER_S})

    return csrf_exempt(never_cache(require_POST(answered)))


@for_agents
def enrol(request: HttpRequest) -> JsonResponse:
    """Return 202 with the state of an agent that asked by a join token: `token`, `enrolment`, `sealing`."""
    address = str(request.META.get("REMOTE_ADDR", ""))[:45]
    refuse_guessing(address)
    fields = _fields(request, "token", "enrolment", "sealing")
    try:
        agent = enrol_agent(fields["token"], fields["enrolment"], fields["sealing"])
    except JoinTokenRefused:
        count_guess(address)
        raise
    return JsonResponse({"agent": str(agent.pk), "state": agent.state}, status=202)


@for_agents
def keys(request: HttpRequest) -> JsonResponse:
    """Return which key an agent has from now on: `agent`, `new_key`, `sealing`."""
    fields = _fields(request, "agent", "new_key", "sealing")
    agent = rotate_agent_key(_agent_uuid(fields["agent"]), fields["new_key"], fields["sealing"])
    return JsonResponse({"public_key": agent.public_key, "old_key_until": agent.old_key_until})


@for_agents
def enrolment(request: HttpRequest) -> JsonResponse:
    """Return what became of an enrolment: `agent`, `question`; `delivery` is sealed to the agent, or null."""
    fields = _fields(request, "agent", "question")
    state, delivery = answer_enrolment(_agent_uuid(fields["agent"]), fields["question"])
    return JsonResponse({"state": state, "delivery": delivery})


def _agent_uuid(text: str) -> UUID:
    try:
        return canonical_uuid(text)
    except WordError as error:
        raise MalformedRequest(message=error.message) from None


def _fields(request: HttpRequest, *names: str) -> dict[str, str]:
    """Return the text fields of a JSON body that has exactly these. Raises: MalformedRequest."""
    try:
        found: Any = strict.load(request.body, max_bytes=MAX_BODY_BYTES)
    except (strict.StrictError, RequestDataTooBig) as error:
        raise MalformedRequest(message=f"the body is not acceptable JSON: {error}") from None
    is_right = isinstance(found, dict) and set(found) == set(names)
    if not is_right or not all(isinstance(value, str) for value in found.values()):
        raise MalformedRequest(message=f"the body is an object with the texts {', '.join(names)}")
    return dict(found)


def _problem(refusal: DomainError | Fault, code: str, facts: dict[str, Any]) -> JsonResponse:
    body = {"title": refusal.message, "detail": refusal.hint, "status": refusal.status, "code": code, "facts": facts}
    wait_s = facts.get("retry_after_s")
    headers = {"Retry-After": str(wait_s)} if wait_s else {}
    return JsonResponse(body, status=refusal.status, content_type=PROBLEM, headers=headers)
