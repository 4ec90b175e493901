"""Conflicts: the list, and one conflict with its picture, message, evidence and doors."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from apps.accounts.pages import page
from apps.accounts.selectors import has_permission
from apps.base import live
from apps.base.errors import DomainError, NotFound
from apps.conflicts.doors import FORCED, Door, DoorState, Way, door_of, doors
from apps.conflicts.models import Conflict, EvidenceRow, EvidenceSheet
from apps.conflicts.selectors import (
    conflicts_visible_to,
    latest_sheet,
    name_here,
    obligations_of_zone,
    sheet_progress,
    zoneadm_message,
)
from apps.conflicts.sentences import conflict_sentence, hostids_in
from apps.conflicts.services import acknowledge_conflict, assert_word, gather_evidence, take_door, waive_door
from apps.fleet.models import Host
from apps.fleet.selectors import host_names
from apps.forced_actions.selectors import current_policy, forced_actions_visible_to, open_forced_action
from apps.forced_actions.services import Wish, request_forced_action
from apps.history.refusals import record_refusal
from apps.history.selectors import events_about
from apps.zones.selectors import placements_present, sightings_of
from kernelzone.zoneadm import attach
from kzfleet.pages.conflict_picture import Picture, Seen, picture_of
from kzfleet.pages.door_words import PROBE_TITLES, door_title, forced_command

PAGE_SIZE: Final = 50
EVENTS_SHOWN: Final = 12


@require_safe
@page("conflicts.view")
def list_conflicts(request: HttpRequest) -> HttpResponse:
    """Return the open conflicts, the most severe first; or those that are resolved, newest first."""
    shows_resolved = request.GET.get("show") == "resolved"
    found = conflicts_visible_to(request.user).filter(resolved_at__isnull=not shows_resolved)
    kind = request.GET.get("kind", "")
    if kind in Conflict.Kind.values:
        found = found.filter(kind=kind)
    found = found.order_by("-resolved_at") if shows_resolved else found.order_by("-severity", "-opened_at")
    shown = Paginator(found, PAGE_SIZE).get_page(request.GET.get("page"))
    names = host_names(hostid for conflict in shown for hostid in hostids_in(conflict))
    context = {
        "lines": [(conflict, conflict_sentence(conflict, names)) for conflict in shown],
        "page": shown,
        "kinds": Conflict.Kind.choices,
        "kind": kind,
        "shows_resolved": shows_resolved,
        "query": f"show=resolved&kind={kind}" if shows_resolved else f"kind={kind}",
    }
    return live.show(request, "conflicts/list.html", "conflicts/_list.html", context)


@require_safe
@page("conflicts.view")
def show_conflict(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Return one conflict, kept live."""
    conflict = _conflict(request, pk)
    context = _context(request, conflict, timezone.now())
    return live.show(request, "conflicts/page.html", "conflicts/_live.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@page("forced_actions.request", noun="forced-action")
def request_forced(request: HttpRequest, pk: UUID, door: str) -> HttpResponse:
    """Return the page on which a forced action is requested; a request made leads to its own page."""
    conflict = _conflict(request, pk)
    if door not in FORCED:
        raise NotFound()
    typed = {name: request.POST.get(name, "") for name in ("reason", "zone_name", "loser_hostid", "ticket")}
    refusal = None
    if request.method == "POST":
        try:
            wish = Wish(door, typed["reason"], typed["zone_name"], typed["loser_hostid"], ticket=typed["ticket"])
            action = request_forced_action(wish, actor=request.user, conflict_id=conflict.pk)  # type: ignore[arg-type]
            return redirect("forced_action", pk=action.pk)
        except DomainError as error:
            record_refusal(error, request, noun="forced-action", subject_id=pk, action="request")
            refusal = error
    context = {
        "conflict": conflict,
        "door": door,
        "title": f"Request {_REQUESTS[Door(door)]} {conflict.zone.name}",
        "way": door_of(conflict, Door(door), timezone.now()),
        "command": forced_command(door, name_here(conflict)),
        "name_here": name_here(conflict),
        "target": conflict.host,
        "message": zoneadm_message(conflict),
        "policy": current_policy(),
        "typed": typed,
        "refusal": refusal,
    }
    return render(request, "conflicts/request.html", context, status=refusal.status if refusal else 200)


@require_POST
@page("conflicts.acknowledge", noun="conflict", subject="pk")
def acknowledge(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Acknowledge the conflict."""
    acknowledge_conflict(pk, actor=request.user)  # type: ignore[arg-type]
    return redirect("conflict", pk=pk)


@require_POST
@page("conflicts.sample", noun="conflict", subject="pk")
def gather(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Ask every probe now."""
    gather_evidence(pk, actor=request.user, window_s=current_policy().quiet_window_s)  # type: ignore[arg-type]
    return redirect(f"/conflicts/{pk}#evidence")


@require_POST
@page("zones.run", noun="conflict", subject="pk")
def take(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Take a safe door."""
    job = take_door(pk, request.POST.get("door", ""), actor=request.user)  # type: ignore[arg-type]
    messages.success(request, f"{job.kind.capitalize()} {job.zone_name} on {job.host} is on its way.")
    return redirect(f"/conflicts/{pk}#doors")


@require_POST
@page("forced_actions.request", noun="conflict", subject="pk")
def waive(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Give a safe door up, with a reason."""
    waive_door(pk, request.POST.get("door", ""), actor=request.user, reason=request.POST.get("reason", ""))  # type: ignore[arg-type]
    return redirect(f"/conflicts/{pk}#doors")


@require_POST
@page("conflicts.assert", noun="conflict", subject="pk")
def say(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Keep a person's word about the owner."""
    text, how = request.POST.get("text", ""), request.POST.get("how", "")
    assert_word(pk, actor=request.user, text=text, how=how)  # type: ignore[arg-type]
    messages.success(request, "Your word is kept with your name. It counts from the next evidence sheet on.")
    return redirect(f"/conflicts/{pk}#evidence")


def _conflict(request: HttpRequest, pk: UUID) -> Conflict:
    conflict = conflicts_visible_to(request.user).filter(pk=pk).first()
    if conflict is None:
        raise NotFound()
    return conflict


def _context(request: HttpRequest, conflict: Conflict, now: datetime) -> dict[str, Any]:
    sheet = latest_sheet(conflict.zone)
    ways = doors(conflict, now) if conflict.resolved_at is None else []
    return {
        "conflict": conflict,
        "zone": conflict.zone,
        "title": f"{conflict.zone.name} {_TITLES[Conflict.Kind(conflict.kind)]}",
        "sentence": conflict_sentence(conflict, host_names(hostids_in(conflict))),
        "picture": _picture(conflict, sheet, now),
        "message": zoneadm_message(conflict),
        "sheet": sheet,
        "rows": list(sheet.rows.all()) if sheet else [],
        "job": sheet_progress(sheet) if sheet and sheet.state == EvidenceSheet.State.GATHERING else None,
        "words": conflict.zone.persons_words.select_related("person").order_by("-said_at")[:5],
        "ways": [(way, door_title(way, conflict)) for way in ways],
        "waivable": [(way, door_title(way, conflict)) for way in ways if _may_be_waived(way)],
        "obligations": list(obligations_of_zone(conflict.zone)),
        "open_action": open_forced_action(conflict.zone),
        "actions": forced_actions_visible_to(request.user).filter(conflict=conflict)[:5],
        "events": events_about("conflict", conflict.pk)[:EVENTS_SHOWN],
        "may": {name.replace(".", "__"): has_permission(request.user, name) for name in _ACTS},
        "forced_doors": FORCED,
        "probe_titles": PROBE_TITLES,
        "command": f"{conflict.host}# {' '.join(attach(name_here(conflict)))}" if conflict.host else "",
        "now": now,
    }


def _may_be_waived(way: Way) -> bool:
    return way.state is DoorState.OPEN and way.door not in FORCED and not way.is_being_tried


def _picture(conflict: Conflict, sheet: EvidenceSheet | None, now: datetime) -> Picture:
    sightings = list(sightings_of(conflict.zone))
    storage = sightings[0].storage.uri if sightings else ""
    rows = sheet.rows.all() if sheet else ()
    return picture_of(
        Seen(
            owner_hostid=conflict.zone.owner_hostid,
            owner=Host.objects.filter(owner_hostid=conflict.zone.owner_hostid or "-").first(),
            claimant=conflict.host,
            placements=list(placements_present([conflict.zone])),
            sightings=sightings,
            storage=storage,
            word_of_writes=next((row.word for row in rows if row.probe == EvidenceRow.Probe.WRITE_SAMPLES), ""),
            now=now,
        )
    )


_ACTS: Final = (
    "conflicts.acknowledge",
    "conflicts.sample",
    "conflicts.assert",
    "zones.run",
    "forced_actions.request",
)
_REQUESTS: Final = {Door.FORCE_TAKEOVER: "a forced takeover of", Door.INITIALIZE_HOSTDATA: "new host data for"}
_TITLES: Final = {
    Conflict.Kind.HELD_ELSEWHERE: "is held elsewhere",
    Conflict.Kind.KEY_WRONG: "is sealed with another key",
    Conflict.Kind.TORN: "has damaged host data",
    Conflict.Kind.TAMPERED: "has host data that does not verify",
    Conflict.Kind.DOUBLE_RUN: "runs on two hosts at once",
    Conflict.Kind.FORCED_OUTSIDE: "was forced by hand",
    Conflict.Kind.STALE_CONFIGURATION: "has a configuration left behind",
    Conflict.Kind.RETURN_PENDING: "was taken from a host that has come back",
    Conflict.Kind.STORAGE_SHARED: "shares its boot storage with another zone",
    Conflict.Kind.HOSTID_COLLISION: "is on a host whose hostid is not its own alone",
}
