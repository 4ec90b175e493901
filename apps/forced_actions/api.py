"""Forced actions, for programs: request, read, decide, take back, comment."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from rest_framework import mixins
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from apps.accounts.permissions import caller
from apps.base.api import Input, Text, is_unchanged, parameters, version_wanted, with_etag
from apps.base.errors import FilterRefused, InvalidInput, NotFound
from apps.conflicts.api import host_out, sheet_out, uuid_of
from apps.forced_actions.models import Approval, Comment, ForcedAction
from apps.forced_actions.selectors import (
    approvals_of,
    changes_of,
    command_of,
    forced_actions_visible_to,
    job_of,
    latest_warrant,
    people_who_approved,
)
from apps.forced_actions.services import (
    Decision,
    Wish,
    cancel_forced_action,
    comment_on_forced_action,
    decide_forced_action,
    request_forced_action,
)
from apps.forced_actions.workflow import State
from kernelzone.words import WordError, canonical_uuid


class RequestIn(Input):
    """What is asked for: of a conflict, or of a zone with one. `target` is an owner hostid."""

    kind = Text()
    reason = Text()
    typed_zone_name = Text()
    typed_loser_hostid = Text(default="")
    conflict = Text(default="")
    zone = Text(default="")
    target = Text(default="")
    ticket = Text(default="")


class DecisionIn(Input):
    """Yes or no. To approve: the digest that was shown and a code of the second factor; to deny: a reason."""

    verdict = Text()
    digest = Text(default="")
    second_factor = Text(default="")
    reason = Text(default="")


class CommentIn(Input):
    """Plain text, at most 4 KiB."""

    text = Text()


def forced_action_out(row: ForcedAction) -> dict[str, Any]:
    """Return one forced action as lists show it."""
    return {
        "id": row.pk,
        "kind": row.kind,
        "state": row.state,
        "version": row.version,
        "zone": {"id": row.zone_id, "name": row.zone.name},
        "target": host_out(row.target),
        "loser_hostid": row.loser_hostid or None,
        "conflict": row.conflict_id,
        "requested_by": row.requested_by.get_username(),
        "requested_at": row.requested_at,
        "expires_at": row.expires_at,
        "approvals": len(people_who_approved(row)),
        "approvals_needed": row.approvals_needed,
        "evidence_sha256": row.evidence_sha256 or None,
        "why": row.why or None,
        "why_text": row.why_text or None,
        "ended_at": row.ended_at,
    }


def whole_out(row: ForcedAction) -> dict[str, Any]:
    """Return one forced action with its letter, evidence, decisions, order and outcome."""
    return {
        **forced_action_out(row),
        "reason": row.reason,
        "ticket": row.ticket or None,
        "command": command_of(row),
        "policy": {
            "name": row.policy.name,
            "version": row.policy.version,
            "max_reading_age_s": row.max_reading_age_s,
            "quiet_window_s": row.quiet_window_s,
        },
        "decisions": [approval_out(approval) for approval in approvals_of(row)],
        "vetoed_by": row.vetoed_by.get_username() if row.vetoed_by else None,
        "sheet": sheet_out(row.sheet) if row.sheet else None,
        "release_sheet": sheet_out(row.release_sheet) if row.release_sheet else None,
        "difference": [change._asdict() for change in changes_of(row)],
        "job": _job_out(row),
        "warrant": _warrant_out(row),
        "comments": [comment_out(comment) for comment in row.comments.select_related("person").order_by("pk")],
    }


def approval_out(approval: Approval) -> dict[str, Any]:
    """Return one person's decision."""
    return {
        "verdict": approval.verdict,
        "by": approval.approver.get_username(),
        "person": approval.person_id,
        "evidence_sha256": approval.evidence_sha256 or None,
        "reason": approval.comment or None,
        "made_at": approval.made_at,
        "event": approval.event_seq,
    }


def comment_out(comment: Comment) -> dict[str, Any]:
    """Return one comment."""
    return {"by": comment.person.get_username(), "made_at": comment.made_at, "text": comment.text}


def _job_out(row: ForcedAction) -> dict[str, Any] | None:
    job = job_of(row)
    if job is None:
        return None
    progress = {"done": job.progress_done, "of": job.progress_of, "what": job.progress_what}
    return {"id": job.pk, "state": job.state, "code": job.code or None, "progress": progress}


def _warrant_out(row: ForcedAction) -> dict[str, Any] | None:
    warrant = latest_warrant(row)
    if warrant is None:
        return None
    return {
        "id": warrant.pk,
        "attempt": warrant.attempt,
        "payload_sha256": warrant.payload_sha256 or None,
        "signed_at": warrant.signed_at,
        "not_after": warrant.not_after,
    }


class ForcedActionViewSet(mixins.ListModelMixin, GenericViewSet[ForcedAction]):
    """Forced actions: list by state or zone, request, read, decide, take back, comment.

    Parameters of the list: state, zone (id). Answers about one carry its version as ETag; If-Match is honoured.
    """

    # who decides is checked again by the verdict: approving needs forced_actions.approve
    required_permission = {
        "list": "forced_actions.view",
        "retrieve": "forced_actions.view",
        "create": "forced_actions.request",
        "decisions": "forced_actions.veto",
        "cancel": "forced_actions.cancel",
        "comments": "forced_actions.view",
    }
    ordering = ("-requested_at", "-pk")

    def get_queryset(self) -> QuerySet[ForcedAction]:
        """Return what the caller may see."""
        return forced_actions_visible_to(caller(self.request))

    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Return a page of forced actions, newest first."""
        rows = self.get_queryset().prefetch_related("approvals")
        page = self.paginate_queryset(_filtered(rows, parameters(request, "state", "zone"))) or []
        return self.get_paginated_response([forced_action_out(row) for row in page])

    def retrieve(self, request: Request, pk: str) -> Response:
        """Return one forced action, whole."""
        row = self._row(uuid_of(pk))
        if is_unchanged(request, row.version):
            return with_etag(Response(status=304), row.version)
        return with_etag(Response(whole_out(row)), row.version)

    def create(self, request: Request) -> Response:
        """Return 201 with the new request; its evidence is being gathered."""
        given = RequestIn.parse(request.data)
        conflict, zone = _reference(given.pop("conflict"), "conflict"), _reference(given.pop("zone"), "zone")
        row = request_forced_action(Wish(**given), actor=caller(request), conflict_id=conflict, zone_id=zone)
        response = Response(whole_out(row), status=201, headers={"Location": f"/api/v1/forced-actions/{row.pk}"})
        return with_etag(response, row.version)

    @action(detail=True, methods=["post"])
    def decisions(self, request: Request, pk: str) -> Response:
        """Return the forced action after the caller's decision."""
        given = DecisionIn.parse(request.data)
        decision = Decision(
            verdict=given["verdict"],
            evidence_sha256=given["digest"].removeprefix("sha256:"),
            second_factor=given["second_factor"],
            comment=given["reason"],
        )
        version = version_wanted(request, needed=False)
        return self._changed(decide_forced_action(uuid_of(pk), decision, actor=caller(request), version=version))

    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, pk: str) -> Response:
        """Return the forced action its requester took back."""
        Input.parse(request.data)
        version = version_wanted(request, needed=False)
        return self._changed(cancel_forced_action(uuid_of(pk), actor=caller(request), version=version))

    @action(detail=True, methods=["post"])
    def comments(self, request: Request, pk: str) -> Response:
        """Return 201 with the comment."""
        comment = comment_on_forced_action(uuid_of(pk), actor=caller(request), **CommentIn.parse(request.data))
        return Response(comment_out(comment), status=201)

    def _changed(self, row: ForcedAction) -> Response:
        return with_etag(Response(whole_out(self._row(row.pk))), row.version)

    def _row(self, forced_action_id: UUID) -> ForcedAction:
        row = self.get_queryset().filter(pk=forced_action_id).first()
        if row is None:
            raise NotFound()
        return row


def _filtered(rows: QuerySet[ForcedAction], given: dict[str, str]) -> QuerySet[ForcedAction]:
    if "state" in given:
        if given["state"] not in State.values:
            raise FilterRefused(message="'state' is not a state of a forced action", parameter="state")
        rows = rows.filter(state=given["state"])
    return rows.filter(zone=uuid_of(given["zone"])) if "zone" in given else rows


def _reference(text: str, field: str) -> UUID | None:
    try:
        return canonical_uuid(text) if text else None
    except WordError as error:
        hint = "Take the id from the list."
        raise InvalidInput(code=error.code, field=field, message=error.message, hint=hint) from None


ROUTES = [("forced-actions", ForcedActionViewSet)]
