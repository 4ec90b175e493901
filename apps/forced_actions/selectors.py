"""Reading forced actions: who may see them, and what waits for whom."""

from __future__ import annotations

from uuid import UUID

from django.contrib.auth.models import AnonymousUser
from django.db.models import Q, QuerySet
from django.utils import timezone

from apps.accounts.models import User
from apps.accounts.policy import Role
from apps.accounts.selectors import has_permission, role_granted_at
from apps.conflicts.evidence import Change, differences
from apps.conflicts.models import EvidenceSheet
from apps.forced_actions.models import Approval, ForcedAction, Policy, Warrant
from apps.forced_actions.workflow import OPEN, State
from apps.jobs.models import Job
from apps.zones.models import Zone
from kernelzone.zoneadm import Extended, attach


def forced_actions_visible_to(user: User | AnonymousUser) -> QuerySet[ForcedAction]:
    """Return the forced actions this account may see, with what lists show: all, or none."""
    if not has_permission(user, "forced_actions.view"):
        return ForcedAction.objects.none()
    return ForcedAction.objects.select_related("zone", "target", "requested_by", "policy")


def waiting_for(user: User | AnonymousUser) -> QuerySet[ForcedAction]:
    """Return the pending requests this person may decide about and has not, the oldest first."""
    if not isinstance(user, User) or not has_permission(user, "forced_actions.approve"):
        return ForcedAction.objects.none()
    since = role_granted_at(user, Role.APPROVER)
    decided = Approval.objects.filter(person_id=user.person_id).values("forced_action")
    pending = forced_actions_visible_to(user).filter(state=State.PENDING, expires_at__gt=timezone.now())
    mine = Q(requested_by__person_id=user.person_id) | Q(pk__in=decided)
    return pending.filter(requested_at__gte=since).exclude(mine).order_by("requested_at")


def open_forced_action(zone: Zone) -> ForcedAction | None:
    """Return the zone's open forced action; there is at most one."""
    return ForcedAction.objects.filter(zone=zone, state__in=OPEN).select_related("target").first()


def why_zone_is_blocked(zone: Zone) -> str:
    """Return why nothing else may be done to the zone now, "" when nothing forbids it."""
    action = ForcedAction.objects.filter(zone=zone, state__in=[State.RELEASING, State.EXECUTING, State.UNKNOWN]).first()
    if action is None:
        return ""
    if action.state == State.UNKNOWN:
        return f"The outcome of the {action.kind} is unknown; only a reading settles it."
    return f"A {action.kind} to {action.target} is {action.state}."


def approvals_of(action: ForcedAction) -> QuerySet[Approval]:
    """Return what people decided, in order."""
    return action.approvals.select_related("approver").order_by("made_at")


def people_who_approved(action: ForcedAction) -> set[UUID]:
    """Return the persons whose yes counts: on the digest that is approved, each once, the requester never."""
    yes = [row for row in action.approvals.all() if row.verdict == Approval.Verdict.APPROVE]
    counted = {row.person_id for row in yes if row.evidence_sha256 == action.evidence_sha256}
    return counted - {action.requested_by.person_id}


def difference_to_shown(action: ForcedAction, shown_sha256: str) -> list[Change]:
    """Return what differs between the evidence of the digest somebody was shown and what is to be approved now."""
    if action.difference:
        return [Change(*change) for change in action.difference]
    shown = EvidenceSheet.objects.filter(zone=action.zone_id, facts_sha256=shown_sha256).order_by("-begun_at").first()
    if shown is None or action.sheet is None:
        return []
    return differences(shown, action.sheet)


def latest_warrant(action: ForcedAction) -> Warrant | None:
    """Return the newest warrant issued for this action."""
    return action.warrants.order_by("-attempt").first()


def job_of(action: ForcedAction) -> Job | None:
    """Return the order that carries it out, the newest one."""
    return Job.objects.select_related("host", "agent").filter(pk=action.job_id).first() if action.job_id else None


def command_of(action: ForcedAction) -> str:
    """Return the command an administrator would type on the target for the same effect."""
    placement = action.zone.placements.filter(host=action.target_id, gone_at=None).first()
    return " ".join(attach(placement.name if placement else action.zone.name, Extended(action.kind)))


def current_policy(name: str = "default") -> Policy:
    """Return the newest version of a policy."""
    return Policy.objects.filter(name=name).order_by("-version")[0]


def changes_of(action: ForcedAction) -> list[Change]:
    """Return what had changed when the action was voided."""
    return [Change(*change) for change in action.difference]
