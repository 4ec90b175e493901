"""Zones that go to another host: what is asked first, and what is offered once a dry run said that it can be done."""

from __future__ import annotations

from typing import Any, Final, NamedTuple
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from apps.accounts.pages import page
from apps.accounts.selectors import has_permission
from apps.base.errors import NotFound
from apps.fleet.selectors import hosts_with_silence
from apps.jobs.models import Job
from apps.jobs.workflow import State
from apps.zones.models import Placement
from apps.zones.presentation import may_migrate
from apps.zones.selectors import placements_present, zones_visible_to
from apps.zones.services import evacuate_host, migrate_zone
from kernelzone.orders import Kind

# PARTIAL: some zones of a host cannot go, the others can
_GO_ON_AFTER: Final = ("DONE", "PARTIAL")


class NextStep(NamedTuple):
    """The form that does what a dry run found possible: where it goes, its fields, its button, and what to know."""

    address: str
    fields: dict[str, str]
    button: str
    note: str


@require_http_methods(["GET", "HEAD", "POST"])
@page("zones.run", noun="zone", subject="pk")
def migrate(request: HttpRequest, pk: UUID, owner_hostid: str) -> HttpResponse:
    """Return the form that asks where a zone goes from this host, or its job. Raises: as `migrate_zone`."""
    if request.method == "POST":
        return _job_made(request, _migration(request, pk, owner_hostid))
    zone = _found(zones_visible_to(request.user), pk=pk)
    placement = _found(placements_present([zone]), host__owner_hostid=owner_hostid)
    others = hosts_with_silence(request.user).exclude(pk=placement.host_id).exclude(hostname="")
    context = {
        "zone": zone,
        "placement": placement,
        "is_offered": may_migrate(placement, zone),
        "targets": [(one, placement.evacuation_target == f"ssh://{one.hostname}") for one in others],
    }
    return render(request, "zones/migrate.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@page("zones.run", noun="host", subject="owner_hostid")
def evacuate(request: HttpRequest, owner_hostid: str) -> HttpResponse:
    """Return the form that asks how a host is emptied, or its job. Raises: as `evacuate_host`."""
    if request.method == "POST":
        return _job_made(request, _evacuation(request, owner_hostid))
    host = _found(hosts_with_silence(request.user), owner_hostid=owner_hostid)
    placements = Placement.objects.filter(host=host, gone_at=None).select_related("zone").order_by("name")
    return render(request, "hosts/evacuate.html", {"host": host, "placements": placements})


def _found(rows: Any, **wanted: Any) -> Any:
    row = rows.filter(**wanted).first()
    if row is None:
        raise NotFound()
    return row


def _migration(request: HttpRequest, pk: UUID, owner_hostid: str) -> Job:
    return migrate_zone(
        pk,
        owner_hostid=owner_hostid,
        target_hostid=request.POST.get("target_hostid", ""),
        dry_run=_is_dry_run(request),
        live_only="live_only" in request.POST,
        actor=request.user,
    )


def _evacuation(request: HttpRequest, owner_hostid: str) -> Job:
    return evacuate_host(
        owner_hostid,
        dry_run=_is_dry_run(request),
        every_zone="every_zone" in request.POST,
        is_return="is_return" in request.POST,
        actor=request.user,
    )


def _is_dry_run(request: HttpRequest) -> bool:
    """Return True for everything but the one word that says otherwise."""
    return request.POST.get("dry_run") != "no"


def _job_made(request: HttpRequest, job: Job) -> HttpResponse:
    what = "A dry run is on its way: nothing changes." if job.args["dry_run"] else "It is on its way."
    messages.success(request, what)
    return redirect("job", job.pk)


def step_after(job: Job, user: Any) -> NextStep | None:
    """Return what is offered after a dry run that ended well, None after anything else."""
    has_ended_well = job.state in (State.DONE, State.FAILED) and job.code in _GO_ON_AFTER
    if not (job.args.get("dry_run") and has_ended_well and has_permission(user, "zones.run")):
        return None
    fields = {"dry_run": "no"} | {
        name: "yes" for name, value in job.args.items() if value is True and name != "dry_run"
    }
    if job.kind == Kind.MIGRATE:
        return _migration_step(job, fields)
    return _evacuation_step(job, fields) if job.kind == Kind.EVACUATE else None


def _migration_step(job: Job, fields: dict[str, str]) -> NextStep | None:
    if job.subject_kind != "zone":
        return None
    target = str(job.args["target"]).removeprefix("ssh://")
    address = reverse("zone_migrate", args=[job.subject_id, job.host.owner_hostid])
    button = f"Migrate {job.zone_name} from {job.host} to {target}"
    note = f"{job.zone_name} could go to {target} when this was asked. Both hosts check everything again."
    return NextStep(address, fields | {"target_hostid": job.args["target_hostid"]}, button, note)


def _evacuation_step(job: Job, fields: dict[str, str]) -> NextStep:
    button = f"Bring the zones of {job.host} back" if job.args["is_return"] else f"Evacuate {job.host}"
    some = "Not every zone can go, see the output: those stay where they are. " if job.code == "PARTIAL" else ""
    note = f"{some}Each zone is checked again before it goes."
    return NextStep(reverse("host_evacuate", args=[job.host.owner_hostid]), fields, button, note)
