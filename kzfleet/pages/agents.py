"""Agents: those that wait for somebody, all of them, one and what may be decided about it; how a host is enrolled."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from apps.accounts.pages import page
from apps.accounts.selectors import has_permission
from apps.base import live
from apps.base.errors import DomainError, NotFound
from apps.fleet.agents import resume_agent, revoke_agent, suspend_agent
from apps.fleet.enrolling import confirm_agent, reject_agent
from apps.fleet.errors import FingerprintDiffers
from apps.fleet.joining import make_join_token, withdraw_join_token
from apps.fleet.models import Agent
from apps.fleet.selectors import agents_needing_somebody, agents_visible_to, hosts_wanted, open_join_tokens
from apps.fleet.services import HostName
from apps.fleet.workflow import NEXT, Move, State
from apps.history.refusals import record_refusal
from apps.history.selectors import events_about
from kernelzone.envelope import key_id

AGENTS_A_PAGE: Final = 100
EVENTS_SHOWN: Final = 12
_DONE: Final = {Move.SUSPEND: "suspended", Move.RESUME: "trusted again", Move.REVOKE: "revoked"}
_CHANGES: Final[dict[Move, Callable[..., Agent]]] = {
    Move.SUSPEND: suspend_agent,
    Move.RESUME: resume_agent,
    Move.REVOKE: revoke_agent,
}
_FIELDS: Final = {"owner_hostid": 16, "hostname": 255, "site": 64, "rack": 64}


@require_safe
@page("fleet.view")
def list_agents(request: HttpRequest) -> HttpResponse:
    """Return the agents, those that wait for somebody first."""
    shown = Paginator(agents_visible_to(request.user).prefetch_related("hosts").order_by("name", "pk"), AGENTS_A_PAGE)
    context = {
        "needing": list(agents_needing_somebody(request.user)),
        "page": shown.get_page(request.GET.get("page")),
        "tokens": list(open_join_tokens(request.user)),
        "may_manage": has_permission(request.user, "fleet.manage"),
        "every": "3s",
    }
    return live.show(request, "agents/list.html", "agents/_list.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@page("fleet.manage", noun="join-token")
def enrol_host(request: HttpRequest) -> HttpResponse:
    """Return the form for a new host's join token, or once the token itself. Raises: what `make_join_token` raises."""
    given = request.POST if request.method == "POST" else request.GET
    typed = {name: given.get(name, "").strip()[:most] for name, most in _FIELDS.items()}
    context: dict[str, Any] = {"typed": typed, "url": settings.BASE_URL}
    status = 200
    if request.method == "POST":
        try:
            context["token"], context["text"] = make_join_token([HostName(**typed)], actor=_user(request))
        except DomainError as refusal:
            record_refusal(refusal, request, noun="join-token", action="make")
            context["refusal"], status = refusal, refusal.status
    return render(request, "agents/enrol.html", context, status=status)


@require_POST
@page("fleet.manage", noun="join-token", subject="pk")
def withdraw(request: HttpRequest, pk: int) -> HttpResponse:
    """Return to the agents once the join token opens nothing any more. Raises: NotFound, NotAllowed."""
    withdraw_join_token(pk, actor=_user(request))
    messages.success(request, "The join token is withdrawn: it opens nothing any more.")
    return redirect("agents")


@require_safe
@page("fleet.view")
def show_agent(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Return one agent. Raises: NotFound."""
    return live.show(request, "agents/page.html", "agents/_live.html", _context(request, pk))


@require_POST
@page("fleet.view", noun="agent", subject="pk")
def confirm(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Return to the agent once it is believed; other words are said on the page itself. Raises: as `confirm_agent`."""
    try:
        agent = confirm_agent(pk, actor=_user(request), words=request.POST.get("words", "")[:400])
    except FingerprintDiffers as refusal:
        record_refusal(refusal, request, noun="agent", subject_id=pk, action="confirm")
        context = _context(request, pk) | {"refusal": refusal}
        return render(request, "agents/page.html", context, status=refusal.status)
    messages.success(request, f"Agent {agent.name} is confirmed: what it says is believed from now on.")
    return redirect("agent", pk)


@require_POST
@page("fleet.view", noun="agent", subject="pk")
def reject(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Return to the agents once this one is rejected. Raises: as `reject_agent`."""
    agent = reject_agent(pk, actor=_user(request))
    messages.success(request, f"Agent {agent.name} is rejected: nothing it says is ever believed.")
    return redirect("agents")


@require_POST
@page("fleet.view", noun="agent", subject="pk")
def change(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Return to the agent once it is suspended, resumed or revoked. Raises: what the services raise."""
    move = request.POST.get("to", "")
    if move not in _CHANGES:
        raise NotFound()
    agent = _CHANGES[Move(move)](pk, actor=_user(request), reason=request.POST.get("reason", ""))
    messages.success(request, f"Agent {agent.name} is {_DONE[Move(move)]}.")
    return redirect("agent", pk)


def _context(request: HttpRequest, pk: UUID) -> dict[str, Any]:
    """Return what the page of one agent shows. Raises: NotFound."""
    agent = agents_visible_to(request.user).filter(pk=pk).first()
    if agent is None:
        raise NotFound()
    may_manage = has_permission(request.user, "fleet.manage")
    return {
        "agent": agent,
        "address": f"/agents/{agent.pk}",
        "key_id": _key_id(agent.public_key),
        "old_key_id": _key_id(agent.old_key),
        "sealing_key_id": _key_id(agent.sealing_key),
        "hosts": list(agent.hosts.all()),
        "wanted": hosts_wanted(agent) if agent.state == State.PENDING else [],
        "may_confirm": agent.state == State.PENDING and has_permission(request.user, "fleet.confirm"),
        "may_reject": agent.state == State.PENDING and may_manage,
        "moves": [(move, _BUTTONS[move]) for move in _BUTTONS if may_manage and (agent.state, move) in NEXT],
        "events": list(events_about("agent", agent.pk)[:EVENTS_SHOWN]),
        "every": "3s",
    }


_BUTTONS: Final = {Move.RESUME: "Trust again", Move.SUSPEND: "Suspend", Move.REVOKE: "Revoke for ever"}


def _key_id(key_hex: str) -> str:
    return key_id(bytes.fromhex(key_hex)) if key_hex else ""


def _user(request: HttpRequest) -> Any:
    return request.user
