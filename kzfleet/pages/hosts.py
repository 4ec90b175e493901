"""The list of hosts, one host with what it configures, and what may be asked of it."""

from __future__ import annotations

from typing import Any, Final

from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import Prefetch, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from apps.accounts.pages import page
from apps.accounts.selectors import has_permission
from apps.base import live
from apps.base.errors import NotFound
from apps.conflicts.models import Conflict
from apps.conflicts.selectors import obligations_of_host
from apps.conflicts.sentences import conflict_sentence, hostids_in
from apps.conflicts.wording import silence
from apps.fleet.models import Host
from apps.fleet.selectors import host_names, hosts_with_silence
from apps.fleet.services import end_maintenance, start_maintenance
from apps.history.selectors import events_about
from apps.jobs.selectors import jobs_visible_to
from apps.jobs.services.inspecting import inspect_now
from apps.zones.models import Placement
from kzfleet.pages.fleet_map import mark_word

HOSTS_A_PAGE: Final = 100
STATES: Final = ("heard", "silent", "no agent", "maintenance")


@require_safe
@page("fleet.view")
def list_hosts(request: HttpRequest) -> HttpResponse:
    """Return the hosts, by site, text and whether they are heard."""
    chosen = {name: request.GET.get(name, "").strip()[:80] for name in ("site", "state", "q")}
    everything = hosts_with_silence(request.user)
    sites = list(everything.order_by("site").values_list("site", flat=True).distinct())
    present = Placement.objects.filter(gone_at=None).select_related("zone").order_by("name")
    hosts = _narrowed(everything, chosen).prefetch_related(Prefetch("placements", present, to_attr="present"))
    shown = Paginator(hosts.order_by("site", "rack", "hostname", "owner_hostid"), HOSTS_A_PAGE)
    found = shown.get_page(request.GET.get("page"))
    for host in found:
        host.marks = [(_mark(one, host), one) for one in host.present]
        host.word = _word(host)
    query = request.GET.copy()
    query.pop("page", None)
    context = {
        "page": found,
        "sites": [site for site in sites if site],
        "states": STATES,
        "chosen": chosen,
        "query": query.urlencode(),
        "every": "5s",
    }
    return live.show(request, "hosts/list.html", "hosts/_list.html", context)


def _narrowed(hosts: Any, chosen: dict[str, str]) -> Any:
    if chosen["site"]:
        hosts = hosts.filter(site=chosen["site"])
    if chosen["q"]:
        text = chosen["q"]
        hosts = hosts.filter(Q(hostname__icontains=text) | Q(owner_hostid__startswith=text.lower()) | Q(rack=text))
    return {
        "heard": hosts.filter(is_silent=False, agent__isnull=False),
        "silent": hosts.filter(is_silent=True, agent__isnull=False),
        "no agent": hosts.filter(agent=None),
        "maintenance": hosts.exclude(maintenance_since=None, maintenance_on_host=""),
    }.get(chosen["state"], hosts)


def _word(host: Any) -> str:
    if host.agent is None:
        return "no agent"
    return "silent" if host.is_silent else "heard"


def _mark(placement: Placement, host: Host) -> str:
    zone = placement.zone
    return mark_word(zone.verdict, placement.state, is_owner=zone.owner_hostid == host.owner_hostid)


@require_safe
@page("fleet.view")
def show_host(request: HttpRequest, owner_hostid: str) -> HttpResponse:
    """Return one host. Raises: NotFound."""
    host = hosts_with_silence(request.user).filter(owner_hostid=owner_hostid).first()
    if host is None:
        raise NotFound()
    return live.show(request, "hosts/page.html", "hosts/_live.html", _host_context(request, host))


def _host_context(request: HttpRequest, host: Any) -> dict[str, Any]:
    now = timezone.now()
    user: Any = request.user
    placements = Placement.objects.filter(host=host, gone_at=None).select_related("zone").order_by("name")
    conflicts = Conflict.objects.filter(Q(host=host) | Q(zone__owner_hostid=host.owner_hostid), resolved_at=None)
    jobs = jobs_visible_to(user).filter(host=host).exclude(requested_by=None, subject_kind="")
    return {
        "host": host,
        "word": _word(host),
        "silence": silence(host, now) if host.is_silent else "",
        "placements": [(_mark(one, host), one) for one in placements],
        "gone": Placement.objects.filter(host=host).exclude(gone_at=None).count(),
        "conflicts": _with_sentences(conflicts.select_related("zone", "host")),
        "obligations": list(obligations_of_host(host.owner_hostid)),
        "identities": list(host.identities.order_by("-last_seen_at")),
        "jobs": list(jobs.order_by("-created_at")[:10]),
        "events": list(events_about("host", host.owner_hostid)[:12]),
        "may_run": has_permission(user, "zones.run"),
        "may_inspect": has_permission(user, "fleet.inspect"),
        "may_maintain": has_permission(user, "fleet.maintain"),
        "now": now,
        "every": "3s",
    }


def _with_sentences(conflicts: QuerySet[Conflict]) -> list[tuple[Conflict, str]]:
    found = list(conflicts)
    names = host_names(hostid for one in found for hostid in hostids_in(one))
    return [(one, conflict_sentence(one, names)) for one in found]


@require_POST
@page("fleet.view", noun="host", subject="owner_hostid")
def inspect_host(request: HttpRequest, owner_hostid: str) -> HttpResponse:
    """Return to the host once an inspection of it was asked for. Raises: what `inspect_now` raises."""
    user: Any = request.user
    job = inspect_now(owner_hostid, actor=user)
    messages.success(request, f"{job.host} is asked to look at its zones.")
    return redirect("host", owner_hostid)


@require_POST
@page("fleet.view", noun="host", subject="owner_hostid")
def change_maintenance(request: HttpRequest, owner_hostid: str) -> HttpResponse:
    """Return to the host once its maintenance began or ended. Raises: what the services raise."""
    begins = request.POST.get("to") == "start"
    change = start_maintenance if begins else end_maintenance
    user: Any = request.user
    host = change(owner_hostid, actor=user)
    messages.success(request, f"Maintenance of {host} {'has begun' if begins else 'is over'}.")
    return redirect("host", owner_hostid)
